"""What each member of an EVE record (`http`, `dns`, `tls`, ...) gives to the event.

Rules held here: a member is read the same way wherever it stands (its own record, an alert, a file); a present but
unusable value is named through `drop` and left out. Accounts go to `dst_user`: the account used at the far end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from commonwatch.events.event import Event, clean
from commonwatch.events.labels import EventClass
from commonwatch.ingest.formats import _eve_records as eve
from commonwatch.ingest.values import texts

Drop = Callable[[str], None]
SUCCESS, FAILURE = 1, 2
LOGON: Final = 1
METHODS: Final = {m: i for i, m in enumerate(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE"), start=1)}  # fmt: skip
_DNS_ACTIVITY: Final = {"query": 1, "request": 1, "answer": 2, "response": 2}
_NOBODY: Final = frozenset({"", "?", "<empty>", "<unknown>", "(no user)", "-"})


def read_dns(event: Event, dns: eve.Dns, _drop: Drop) -> None:
    """Versions 1 and 2 carry `rrname`, version 3 `queries`, alerts of version 2 `query`."""
    name = dns.rrname
    if name is None:
        first = (dns.queries or dns.query or (None,))[0]
        name = first.rrname if first is not None else None
    if name:
        event.domain = texts.domain_of(name)
    if event.event_class is EventClass.DNS:
        event.activity_id = _DNS_ACTIVITY.get(dns.type or "")
    if dns.rcode is not None:
        event.status_id = SUCCESS if dns.rcode == "NOERROR" else FAILURE


def read_http(event: Event, http: eve.Http, _drop: Drop) -> None:
    """HTTP 1 keys, else the pseudo headers of HTTP 2."""
    host, path, agent, method = http.hostname, http.url, http.http_user_agent, http.http_method
    if http.request_headers:
        headers = {h.name.lower(): h.value for h in http.request_headers if h.name}
        host = host or headers.get(":authority") or headers.get("host")
        path = path or headers.get(":path")
        agent = agent or headers.get("user-agent")
        method = method or headers.get(":method")
    if host:
        event.domain = texts.domain_of(host)
    if path:
        event.url = texts.link(host, path, http.http_port) if method != "CONNECT" else clean(path)
    if agent:
        event.user_agent = clean(agent)
    if event.event_class is EventClass.WEB:
        event.activity_id = http_activity(http)


def http_activity(http: eve.Http) -> int | None:
    """OCSF's number of the method; 99 for one it does not know."""
    method = http.http_method or next((h.value for h in http.request_headers or () if h.name == ":method"), None)
    return METHODS.get(method, 99) if method else None


def read_tls(event: Event, tls: eve.Tls | eve.Quic, _drop: Drop) -> None:
    """Server name and client fingerprint: JA3 if there is one, else JA4."""
    if tls.sni:
        event.domain = texts.domain_of(tls.sni)
    mark = (tls.ja3.hash if tls.ja3 else None) or tls.ja4
    if mark:
        event.tls_fingerprint = clean(mark, 255)
    if isinstance(tls, eve.Quic) and tls.ua:
        event.user_agent = clean(tls.ua)


def read_file(event: Event, file: eve.File, drop: Drop) -> None:
    """Name, path and hashes."""
    if file.filename:
        _name_file(event, file.filename)
    for name, size in (("sha256", 32), ("sha1", 20), ("md5", 16)):
        text = getattr(file, name)
        if text is None:
            continue
        value = texts.digest(text, size)
        if value is None:
            drop(f"fileinfo.{name}")
        else:
            setattr(event, f"file_{name}", value)


def _name_file(event: Event, path: str) -> None:
    """A bare name goes to `file_name`; a path to both columns."""
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    event.file_name = clean(name)
    if name != path:
        event.file_path = clean(path)


def read_named_file(event: Event, file: eve.NamedFile, _drop: Drop) -> None:
    """Transfers that name their file."""
    if name := file.filename or file.file:
        _name_file(event, name)


def read_smtp(event: Event, smtp: eve.Smtp, drop: Drop) -> None:
    """The envelope; the header's sender and recipients, read later, come first."""
    if smtp.helo:
        event.src_host = clean(smtp.helo.lower(), 255)
    if smtp.mail_from and smtp.mail_from.strip() not in {"", "<>"}:
        event.mail_from = texts.mailbox(smtp.mail_from)
        if event.mail_from is None:
            drop("smtp.mail_from")
    event.mail_to = _mailboxes(texts.listed(smtp.rcpt_to), "smtp.rcpt_to", drop)


def read_email(event: Event, mail: eve.Email, drop: Drop) -> None:
    """The header fields."""
    if mail.sender:
        sender = texts.mailbox(mail.sender)
        if sender is None:
            drop("email.from")
        event.mail_from = sender or event.mail_from
    receivers = _mailboxes(texts.listed(mail.to), "email.to", drop) + _mailboxes(
        texts.listed(mail.cc), "email.cc", drop
    )
    event.mail_to = tuple(dict.fromkeys(receivers)) or event.mail_to
    if mail.subject:
        event.mail_subject = clean(mail.subject)
    if (names := texts.listed(mail.attachment)) and event.file_name is None:
        _name_file(event, names[0])


def _mailboxes(values: tuple[str, ...], name: str, drop: Drop) -> tuple[str, ...]:
    found = tuple(m for v in values if (m := texts.mailbox(v)))
    if len(found) < len(values):
        drop(name)
    return found


def read_smb(event: Event, smb: eve.Smb, _drop: Drop) -> None:
    """A session set-up names an account; everything else a file or share."""
    if smb.filename:
        _name_file(event, smb.filename)
    elif smb.share:
        event.file_path = clean(smb.share)
    if smb.status:
        event.status_id = SUCCESS if smb.status == "STATUS_SUCCESS" else FAILURE
    if smb.ntlmssp is not None:
        _log_on(event, smb.ntlmssp.user)
        if smb.ntlmssp.host:
            event.src_host = clean(smb.ntlmssp.host.lower(), 255)


def read_krb5(event: Event, krb5: eve.Krb5, _drop: Drop) -> None:
    """A ticket request: failed if there is an error code."""
    _log_on(event, krb5.cname)
    event.status_id = FAILURE if krb5.error_code else SUCCESS


def read_rdp(event: Event, rdp: eve.Rdp, _drop: Drop) -> None:
    """The cookie names the account, the client names its computer."""
    if rdp.cookie:
        _log_on(event, rdp.cookie)
    if rdp.client is not None and rdp.client.client_name:
        event.src_host = clean(rdp.client.client_name.lower(), 255)


def read_ftp(event: Event, ftp: eve.Ftp, _drop: Drop) -> None:
    """USER and PASS are a login; a password is never taken."""
    if ftp.command not in {"USER", "PASS"}:
        return
    _log_on(event, ftp.command_data if ftp.command == "USER" else None)
    codes = texts.listed(ftp.completion_code)
    event.status_id = SUCCESS if "230" in codes else FAILURE if "530" in codes else None


def read_rfb(event: Event, rfb: eve.Rfb, _drop: Drop) -> None:
    """A remote screen's login result."""
    result = rfb.authentication.security_result if rfb.authentication else None
    if result:
        _log_on(event, None)
        event.status_id = SUCCESS if result.upper() == "OK" else FAILURE


def read_ldap(event: Event, ldap: eve.Ldap, _drop: Drop) -> None:
    """A bind is a login."""
    bind = ldap.request.bind_request if ldap.request else None
    results = [r.bind_response.result_code for r in ldap.responses or () if r.bind_response]
    if bind is not None or results:
        _log_on(event, bind.name if bind else None)
        if results and results[0]:
            event.status_id = SUCCESS if results[0] == "success" else FAILURE


def read_pgsql(event: Event, pgsql: eve.Pgsql, _drop: Drop) -> None:
    """The start-up message names the account."""
    start = pgsql.request.startup_parameters if pgsql.request else None
    if start is not None:
        _log_on(event, start.user)


def read_mqtt(event: Event, mqtt: eve.Mqtt, _drop: Drop) -> None:
    """A connect with a user name is a login."""
    if mqtt.connect is not None and mqtt.connect.username:
        _log_on(event, mqtt.connect.username)


def read_pop3(event: Event, pop3: eve.Pop3, _drop: Drop) -> None:
    """USER and PASS are a login; a password is never taken."""
    request = pop3.request
    if request is None or request.command not in {"USER", "PASS", "APOP"}:
        return
    _log_on(event, request.args[0] if request.args and request.command != "PASS" else None)
    if pop3.response is not None and pop3.response.success is not None:
        event.status_id = SUCCESS if pop3.response.success else FAILURE


def read_dhcp(event: Event, dhcp: eve.Dhcp, _drop: Drop) -> None:
    """The client's own name."""
    if dhcp.hostname:
        event.src_host = clean(dhcp.hostname.lower(), 255)


def read_anomaly(event: Event, anomaly: eve.Anomaly, _drop: Drop) -> None:
    """Event names are Suricata's own words, so they may be a rule name."""
    if anomaly.event:
        event.rule_uid = texts.static(f"anomaly:{anomaly.event}")
        event.rule_name = texts.static(anomaly.event)
    if anomaly.type:
        event.rule_category = texts.static(anomaly.type)
    if anomaly.app_proto and event.app_proto is None:
        event.app_proto = texts.static(anomaly.app_proto)


def read_engine(event: Event, engine: eve.Engine, _drop: Drop) -> None:
    """A line of Suricata's own log is free text."""
    if engine.message:
        event.message = clean(engine.message, 16_384)


def _log_on(event: Event, account: str | None) -> None:
    """A login; an alert or file that merely carries one keeps its class."""
    if account and account not in _NOBODY:
        event.dst_user = clean(account, 1_024)
    if event.event_class is EventClass.FLOW:
        event.event_class = EventClass.AUTH
        event.class_uid = 3002
    if event.event_class is EventClass.AUTH:
        event.activity_id = LOGON


#: member -> reader, in reading order: later ones add to or override earlier ones (`email` after `smtp`).
MEMBERS: Final[dict[str, Callable[[Event, Any, Drop], None]]] = {
    "dns": read_dns,
    "mdns": read_dns,
    "tls": read_tls,
    "quic": read_tls,
    "http": read_http,
    "fileinfo": read_file,
    "ftp_data": read_named_file,
    "nfs": read_named_file,
    "tftp": read_named_file,
    "smtp": read_smtp,
    "email": read_email,
    "smb": read_smb,
    "krb5": read_krb5,
    "rdp": read_rdp,
    "ftp": read_ftp,
    "rfb": read_rfb,
    "ldap": read_ldap,
    "pgsql": read_pgsql,
    "mqtt": read_mqtt,
    "pop3": read_pop3,
    "dhcp": read_dhcp,
    "anomaly": read_anomaly,
    "engine": read_engine,
}
