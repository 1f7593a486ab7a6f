"""Zeek's logs as tables, the same for TSV and JSON.

Rules held here: columns are found by name, never by position (scripts add, remove and rename them), and `id.orig_h` may
be `src`; what a person typed (a user name, a file's name, a notice's text) goes to columns of free text; a login is one
only where Zeek says how it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from commonwatch.events.event import Event
from commonwatch.events.labels import OCSF_CLASS, EventClass, Severity
from commonwatch.ingest.tables import Col, Table, Tables
from commonwatch.ingest.tables.reading import table_of, text
from commonwatch.ingest.values.texts import link

_SUCCESS, _FAILURE = 1, 2
_STATES: Final = {
    "S1": 1, "S2": 6, "S3": 6, "OTH": 6, "SF": 2, "RSTO": 3, "RSTR": 3, "RSTOS0": 3, "RSTRH": 3, "S0": 4, "SH": 4,
    "SHR": 4, "REJ": 5,
}  # fmt: skip
_STATE_OF: Final = {1: "S1", 2: "SF", 3: "RSTO", 4: "S0", 5: "REJ", 6: "OTH"}
_VERBS: Final = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE")
_METHODS: Final = {m: n for n, m in enumerate(_VERBS, start=1)}
_METHOD_OF: Final = {n: m for m, n in _METHODS.items()} | {99: "OTHER"}
#: Types of notices with a severity of their own; all others are medium.
_NOTICES: Final = table_of([
    ("SSH::Login_By_Password_Guesser", Severity.CRITICAL), ("TeamCymruMalwareHashRegistry::Match", Severity.CRITICAL),
    ("Heartbleed::SSL_Heartbeat_Attack_Success", Severity.CRITICAL), ("SSH::Password_Guessing", Severity.HIGH),
    ("FTP::Bruteforcing", Severity.HIGH), ("HTTP::SQL_Injection_Attacker", Severity.HIGH),
    ("HTTP::SQL_Injection_Victim", Severity.HIGH), ("Intel::Notice", Severity.HIGH),
    ("Scan::Port_Scan", Severity.LOW), ("Scan::Address_Scan", Severity.LOW), ("SSL::Invalid_Server_Cert", Severity.LOW),
])  # fmt: skip
#: Notices of the sensor about itself.
SENSOR_NOTICES: Final = ("CaptureLoss::", "PacketFilter::", "ProtocolDetector::", "Notice::", "Software::Software_")
_INTEL: Final = {
    "Intel::DOMAIN": "domain", "Intel::URL": "url", "Intel::FILE_NAME": "file_name", "Intel::EMAIL": "mail_from",
    "Intel::USER_NAME": "dst_user", "Intel::SOFTWARE": "user_agent",
}  # fmt: skip

_ENDS: Final = (
    Col("src_ip", ("id.orig_h", "src")),
    Col("src_port", ("id.orig_p",)),
    Col("dst_ip", ("id.resp_h", "dst")),
    Col("dst_port", ("id.resp_p", "p")),
)
_PROTO: Final = Col("proto", ("proto", "ip_proto"))
_SENSOR: Final = Col("sensor_uid", ("peer_descr", "peer", "_system_name"))


def _state(value: Any) -> int | None:
    found = text(value)
    return _STATES.get(found, 6) if found else None


def _method(value: Any) -> int | None:
    found = text(value)
    return _METHODS.get(found.upper(), 99) if found else None


def _outcome(value: Any) -> int | None:
    return {True: _SUCCESS, False: _FAILURE}.get(value) if isinstance(value, bool) else None


def _both(value: Any) -> int | None:
    """A response code makes a DNS record query and answer in one."""
    return None if text(value) is None else 6


def _login(path: str) -> Col:
    return Col("status_id", (path,), _outcome, lambda status: {_SUCCESS: True, _FAILURE: False}[status])


def _kind(kind: str, event_class: EventClass, *cols: Col, **more: Any) -> Table:
    constants = {"product_vendor": "Zeek", "product_name": "Zeek", "severity_id": Severity.INFORMATIONAL}
    constants |= more.pop("constants", {})
    activity = more.pop("activity", 6 if event_class is EventClass.FLOW else None)
    cols = (*_ENDS, _SENSOR, *cols)
    return Table(kind, event_class, OCSF_CLASS[event_class], cols, activity, constants, **more)


def _flow(kind: str, *cols: Col, app: str | None = None) -> Table:
    return _kind(kind, EventClass.FLOW, *cols, constants={"app_proto": app or kind})


def _notice(kind: str, event_class: EventClass, activity: int | None, *, alert: bool) -> Table:
    cols = (
        _PROTO, Col("rule_uid", ("note",), also=("rule_name", "severity_id")), Col("message", ("msg",)),
        Col("count", ("n",)), Col("file_name", ("file_desc",)),
    )  # fmt: skip
    return _kind(kind, event_class, *cols, activity=activity, constants={"is_alert": alert}, finish=_finish_notice)


def _finish_notice(event: Event, _values: Mapping[str, Any]) -> None:
    """The type of a notice is static text: its name and, where it is the network's, its severity."""
    event.rule_name = event.rule_uid
    if event.is_alert:
        event.severity_id = _NOTICES(event.rule_uid) or Severity.MEDIUM


def _finish_http(event: Event, values: Mapping[str, Any]) -> None:
    """A full link from the host and what was asked of it."""
    if event.url is not None:
        event.url = link(text(values.get("host")), event.url)


def _finish_weird(event: Event, _values: Mapping[str, Any]) -> None:
    event.rule_name = event.rule_uid


_FILE: Final = (
    Col("file_name", ("filename", "name")), Col("file_path", ("path",)), Col("file_sha256", ("sha256",)),
    Col("file_sha1", ("sha1",)), Col("file_md5", ("md5",)),
)  # fmt: skip
_USER: Final = Col("dst_user", ("username", "user", "client_user"))

TABLES: Final = Tables(
    (
        _kind("conn", EventClass.FLOW, _PROTO, Col("app_proto", ("service",)), Col("bytes_out", ("orig_bytes",)),
              Col("bytes_in", ("resp_bytes",)), Col("community_id", ("community_id",)),
              Col("activity_id", ("conn_state",), _state, _STATE_OF.get)),
        _kind("dns", EventClass.DNS, _PROTO, Col("domain", ("query",)),
              Col("activity_id", ("rcode",), _both, lambda a: 0 if a == 6 else None), activity=1,
              constants={"app_proto": "dns"}),
        _kind("http", EventClass.WEB, Col("domain", ("host",), also=("url",)), Col("url", ("uri",)),
              Col("user_agent", ("user_agent",)), Col("dst_user", ("username",)),
              Col("activity_id", ("method",), _method, _METHOD_OF.get), Col("bytes_out", ("request_body_len",)),
              Col("bytes_in", ("response_body_len",)), constants={"app_proto": "http"}, finish=_finish_http),
        _flow("ssl", Col("domain", ("server_name",)), Col("tls_fingerprint", ("ja3", "ja4")), app="tls"),
        _kind("files", EventClass.FLOW, Col("src_ip", ("tx_hosts",)), Col("dst_ip", ("rx_hosts",)), *_FILE,
              Col("app_proto", ("source",)), Col("bytes_out", ("seen_bytes",))),
        _notice("notice", EventClass.INTRUSION, 1, alert=True),
        _notice("notice of the sensor", EventClass.SYSTEM, None, alert=False),
        _kind("weird", EventClass.LOG, Col("rule_uid", ("name",), also=("rule_name",)), Col("message", ("addl",)),
              activity=1, finish=_finish_weird),
        _flow("ssh", Col("tls_fingerprint", ("hassh",))),
        _kind("ssh login", EventClass.AUTH, _login("auth_success"), Col("tls_fingerprint", ("hassh",)), activity=1,
              constants={"app_proto": "ssh"}),
        _kind("smtp", EventClass.MAIL, Col("mail_from", ("mailfrom", "from")), Col("mail_to", ("rcptto", "to")),
              Col("mail_subject", ("subject",)), Col("user_agent", ("user_agent",)), activity=1,
              constants={"app_proto": "smtp"}),
        _flow("rdp", Col("dst_user", ("cookie",)), Col("src_host", ("client_name",))),
        _flow("kerberos", Col("dst_user", ("client",))),
        _kind("kerberos login", EventClass.AUTH, _login("success"), Col("dst_user", ("client",)),
              Col("message", ("error_msg",)), activity=1, constants={"app_proto": "kerberos"}),
        _flow("ntlm", _USER, Col("src_host", ("hostname",)), Col("dst_host", ("server_dns_computer_name",))),
        _kind("ntlm login", EventClass.AUTH, _login("success"), _USER, Col("src_host", ("hostname",)),
              Col("dst_host", ("server_dns_computer_name",)), activity=1, constants={"app_proto": "ntlm"}),
        _flow("x509", Col("domain", ("san.dns",)), Col("file_sha256", ("fingerprint",), note="of the certificate"),
              app="tls"),
        _kind("intel", EventClass.INTRUSION, Col("rule_name", ("sources",)),
              *(Col(c, ("seen.indicator",), when=("seen.indicator_type", kind)) for kind, c in _INTEL.items()),
              *(Col("file_hash", ("seen.indicator",), when=("seen.indicator_type", f"Intel::{kind}_HASH"))
                for kind in ("FILE", "CERT")),
              activity=1, constants={"is_alert": True, "severity_id": Severity.HIGH}),
        _flow("dce_rpc"),
        _flow("smb_files", *_FILE[:2], app="smb"),
        _flow("smb_mapping", app="smb"),
        _flow("ftp", Col("dst_user", ("user",)), Col("file_path", ("arg",))),
        _flow("dhcp", Col("src_host", ("host_name",))),
        _flow("mysql"), _flow("sip"), _flow("snmp"), _flow("socks"), _flow("radius", _USER), _flow("rfb"),
        _flow("modbus"), _flow("dnp3"), _flow("tunnel", app="tunnel"), _flow("irc", _USER), _flow("ldap"),
        _flow("quic", Col("domain", ("server_name",))), _flow("websocket"), _flow("ntp"), _flow("syslog"),
        _flow("mqtt_connect", app="mqtt"), _flow("mqtt_publish", app="mqtt"),
    ),
    times=("ts",),
    skips={
        **dict.fromkeys(("stats", "capture_loss", "reporter", "cluster", "broker", "prof", "packet_filter", "telemetry",
                         "loaded_scripts", "config", "print", "stderr", "stdout", "analyzer", "dpd"), "sensor"),
        **dict.fromkeys(("known_hosts", "known_services", "known_certs", "known_modbus", "known_devices", "software"),
                        "inventory"),
        **dict.fromkeys(("pe", "ocsp", "traceroute", "netcontrol", "signatures_raw", "openflow"), "detail"),
    },
)  # fmt: skip
