"""An event back in EVE's own vocabulary: every mapped field, so that reading it again gives the same event.

Rules held here: what the mapping table reads can be written; what stayed at the gateway cannot come back. A value goes
where the current Suricata writes it, also if an older one wrote it elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass, Severity
from commonwatch.ingest.formats._eve_kinds import KINDS
from commonwatch.ingest.formats._eve_members import METHODS
from commonwatch.ingest.values.texts import PROTOCOLS

Body = dict[str, Any]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES: Final = {number: name.upper() for name, number in reversed(PROTOCOLS.items())}
_METHODS: Final = {number: name for name, number in METHODS.items()} | {99: "OTHER"}
_LEVELS: Final = {Severity.MEDIUM: "Error", Severity.LOW: "Warning"}
_JA3: Final = 32


def record_of(event: Event, kind: str) -> Body:
    """The record of an event of a kind, without what is not mapped."""
    found = _frame(event, kind)
    if kind in {"alert", "drop"}:
        _write_rule(event, kind, found)
    writers = _ALERT if kind == "alert" else _BY_KIND.get(kind, ())
    for member, make in writers:
        if body := _present(make(event)):
            found.setdefault(member, {}).update(body)
    return found


def _present(body: Body) -> Body:
    """Without what is absent."""
    return {name: value for name, value in body.items() if value not in (None, [], {})}


def _frame(event: Event, kind: str) -> Body:
    """What every record has."""
    when = (_EPOCH + timedelta(microseconds=event.time)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    ends = _present({"src_ip": event.src_ip and str(event.src_ip), "dest_ip": event.dst_ip and str(event.dst_ip)})
    number = event.proto
    found: Body = {"timestamp": when + ("" if event.time_quality else "+0000"), "event_type": kind}
    found |= {"arp": ends} if kind == "arp" else ends
    found |= _present({
        "src_port": event.src_port, "dest_port": event.dst_port,
        "proto": None if number is None else _NAMES.get(number, str(number)),
        "app_proto": event.app_proto or ("failed" if KINDS[kind].app or kind == "anomaly" else None),
        "community_id": event.community_id, "host": event.sensor_uid, "suricata_version": event.product_version,
        "direction": "to_server" if KINDS[kind].packet else None,
    })  # fmt: skip
    if kind == "engine":
        found["log_level"] = _LEVELS.get(event.severity_id, "Info")
    if kind == "netflow":
        found["netflow"] = _present({"bytes": event.bytes_out})
    elif event.bytes_out is not None or event.bytes_in is not None:
        found["flow"] = _present({"bytes_toserver": event.bytes_out, "bytes_toclient": event.bytes_in})
    return found


def _write_rule(event: Event, kind: str, found: Body) -> None:
    """`alert` with its metadata, and the verdict of a reset."""
    generator, _, number = (event.rule_uid or ":").partition(":")
    metadata = {
        "signature_severity": ["Critical"] if event.severity_id is Severity.CRITICAL else [],
        "mitre_tactic_id": list(event.attack_tactics), "mitre_technique_id": list(event.attack_techniques),
        "malware_family": list(event.malware_names), "cve": list(event.cve_uids),
    }  # fmt: skip
    action = {1: "allowed", 2: "blocked"}.get(event.action_id or 0) if kind == "alert" else None
    body = _present({
        "action": action, "gid": int(generator) if generator else None, "signature_id": int(number) if number else None,
        "rev": int(event.rule_rev) if event.rule_rev else None, "signature": event.rule_name,
        "category": event.rule_category, "severity": int(event.severity_raw) if event.severity_raw else None,
        "metadata": _present(metadata),
    })  # fmt: skip
    if body or kind == "alert":
        found["alert"] = body
    if kind == "alert" and event.disposition_id == 21:
        found["verdict"] = {"reject": ["tcp-reset"]}


def _dns(event: Event) -> Body:
    named = event.event_class is EventClass.DNS or not (event.url or event.tls_fingerprint)
    status = {1: "NOERROR", 2: "NXDOMAIN"}.get(event.status_id or 0)
    return {
        "type": {1: "request", 2: "response"}.get(event.activity_id or 0),
        "rcode": status if event.event_class is EventClass.DNS else None,
        "queries": [{"rrname": event.domain}] if event.domain and named else None,
    }


def _http(event: Event) -> Body:
    web = event.event_class in {EventClass.WEB, EventClass.INTRUSION}
    return {
        "hostname": event.domain if web and (event.url or event.event_class is EventClass.WEB) else None,
        "url": event.url, "http_user_agent": event.user_agent,
        "http_method": _METHODS.get(event.activity_id or 0) if event.event_class is EventClass.WEB else None,
    }  # fmt: skip


def _tls(event: Event) -> Body:
    mark = event.tls_fingerprint
    ja3 = mark is not None and len(mark) == _JA3
    alone = event.event_class is not EventClass.INTRUSION or (mark and not event.url)
    return {
        "sni": event.domain if alone else None,
        "ja3": {"hash": mark} if ja3 else None,
        "ja4": None if ja3 else mark,
    }


def _quic(event: Event) -> Body:
    return _tls(event) | {"ua": event.user_agent}


def _file(event: Event) -> Body:
    hashes = {name: getattr(event, f"file_{name}") for name in ("sha256", "sha1", "md5")}
    return {"filename": _filename(event)} | {name: value.hex() for name, value in hashes.items() if value}


def _filename(event: Event) -> str | None:
    return event.file_path or event.file_name


def _smtp(event: Event) -> Body:
    return {"helo": event.src_host}


def _mail(event: Event) -> Body:
    return {"from": event.mail_from, "to": list(event.mail_to), "subject": event.mail_subject}


def _mail_with_file(event: Event) -> Body:
    return _mail(event) | {"attachment": [name] if (name := _filename(event)) else None}


def _smb(event: Event) -> Body:
    status = {1: "STATUS_SUCCESS", 2: "STATUS_LOGON_FAILURE"}.get(event.status_id or 0)
    login = {"user": event.dst_user, "host": event.src_host} if event.event_class is EventClass.AUTH else {}
    named = {"filename" if event.file_name else "share": event.file_path or event.file_name}
    return {"status": status, "ntlmssp": _present(login)} | named


def _krb5(event: Event) -> Body:
    return {"cname": event.dst_user or "<empty>", "error_code": "KDC_ERR_GENERIC" if event.status_id == 2 else None}


def _rdp(event: Event) -> Body:
    return {"cookie": event.dst_user, "client": _present({"client_name": event.src_host})}


def _ftp(event: Event) -> Body:
    if event.event_class is not EventClass.AUTH:
        return {"command": "LIST"}
    login = {"command": "USER", "command_data": event.dst_user} if event.dst_user else {"command": "PASS"}
    return login | {"completion_code": {1: ["230"], 2: ["530"]}.get(event.status_id or 0)}


def _rfb(event: Event) -> Body:
    return {"authentication": _present({"security_result": {1: "OK", 2: "FAIL"}.get(event.status_id or 0)})}


def _ldap(event: Event) -> Body:
    if event.event_class is not EventClass.AUTH:
        return {}
    code = {1: "success", 2: "invalid_credentials"}.get(event.status_id or 0)
    return {
        "request": {"bind_request": _present({"name": event.dst_user})},
        "responses": [{"bind_response": {"result_code": code}}] if code else None,
    }


def _pgsql(event: Event) -> Body:
    return {"request": {"startup_parameters": {"user": event.dst_user}} if event.dst_user else None}


def _mqtt(event: Event) -> Body:
    return {"connect": {"username": event.dst_user} if event.dst_user else None}


def _pop3(event: Event) -> Body:
    if event.event_class is not EventClass.AUTH:
        return {}
    request = {"command": "USER", "args": [event.dst_user]} if event.dst_user else {"command": "PASS"}
    return {"request": request, "response": {"success": event.status_id == 1} if event.status_id else None}


def _anomaly(event: Event) -> Body:
    return {"event": event.rule_name, "type": event.rule_category}


Writers = tuple[tuple[str, Callable[[Event], Body]], ...]
_ALERT: Final[Writers] = (
    ("dns", _dns), ("tls", _tls), ("http", _http), ("fileinfo", _file), ("smtp", _smtp), ("email", _mail),
)  # fmt: skip
_BY_KIND: Final[dict[str, Writers]] = {
    "dns": (("dns", _dns),), "mdns": (("mdns", _dns),), "doh2": (("dns", _dns), ("http", _http)),
    "http": (("http", _http),), "http2": (("http", _http),), "tls": (("tls", _tls),), "quic": (("quic", _quic),),
    "fileinfo": (("http", _http), ("smtp", _smtp), ("email", _mail), ("fileinfo", _file)),
    "smtp": (("smtp", _smtp), ("email", _mail_with_file)), "email": (("smtp", _smtp), ("email", _mail_with_file)),
    "imap": (("email", _mail_with_file),), "ftp_data": (("ftp_data", _file),), "nfs": (("nfs", _file),),
    "tftp": (("tftp", lambda event: {"file": _filename(event)}),), "smb": (("smb", _smb),), "krb5": (("krb5", _krb5),),
    "rdp": (("rdp", _rdp),), "ftp": (("ftp", _ftp),), "rfb": (("rfb", _rfb),), "ldap": (("ldap", _ldap),),
    "pgsql": (("pgsql", _pgsql),), "mqtt": (("mqtt", _mqtt),), "pop3": (("pop3", _pop3),),
    "dhcp": (("dhcp", lambda event: {"hostname": event.src_host}),), "anomaly": (("anomaly", _anomaly),),
    "engine": (("engine", lambda event: {"message": event.message}),),
}  # fmt: skip
