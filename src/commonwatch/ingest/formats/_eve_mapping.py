"""The mapping table of Suricata EVE: which key feeds which column.

Rules held here: the table says what the parser does, and a test takes every key out of every corpus record to hold
both together. An alert carries the members of its protocol, so most rows hold for every kind.
"""

from __future__ import annotations

from typing import Final

from commonwatch.ingest.formats._eve_kinds import KINDS, SKIPS, WHY_SKIPPED
from commonwatch.ingest.report.mapping import KindRow, Map, Mapping

_SRC = ("src_ip", "src_scope", "src_country", "src_asn")
_DST = ("dst_ip", "dst_scope", "dst_country", "dst_asn")
_ENDS = (*_SRC, "src_port", *_DST, "dst_port", "direction_id", "activity_id")
_FILE = ("file_name", "file_path")
_LOGIN = ("event_class", "class_uid", "activity_id", "status_id")
_CLASS = ("event_class", "class_uid", "activity_id")
_PACKET = tuple(k for k, kind in KINDS.items() if kind.packet)
_TURN = "an alert, drop, anomaly or file on a reply is turned round: the ends are the flow's"

_MAPS: Final = (
    Map("timestamp", ("time", "time_quality"), "quality 1 where the source gives no zone"),
    Map("event_type", _CLASS, "", (), ("app_proto", "is_alert", "action_id", "disposition_id")),
    Map("src_ip", ("src_ip",), _TURN, (), _ENDS),
    Map("src_port", ("src_port",), "", (), _ENDS),
    Map("dest_ip", ("dst_ip",), _TURN, (), _ENDS),
    Map("dest_port", ("dst_port",), "", (), _ENDS),
    Map("direction", ("src_ip", "dst_ip"), "`to_client` turns the ends round", _PACKET, _ENDS),
    Map("flow.src_ip", ("src_ip", "dst_ip"), "says which end opened the connection", _PACKET, _ENDS),
    Map("flow.src_port", ("src_ip", "dst_ip"), "says which end opened the connection", _PACKET, _ENDS),
    Map("flow.pkts_toclient", ("src_ip", "dst_ip"), "0 says that the packet went to the server", _PACKET, _ENDS),
    Map("arp.src_ip", ("src_ip",), "", ("arp",), _ENDS),
    Map("arp.dest_ip", ("dst_ip",), "", ("arp",), _ENDS),
    Map("proto", ("proto",), "name to IANA number"),
    Map("app_proto", ("app_proto",), "`failed` is none"),
    Map("community_id", ("community_id",)),
    Map("host", ("sensor_uid",)),
    Map("suricata_version", ("product_version",)),
    Map("flow.bytes_toserver", ("bytes_out",)),
    Map("flow.bytes_toclient", ("bytes_in",)),
    Map("netflow.bytes", ("bytes_out",), "one direction only", ("netflow",)),
    Map("alert.action", ("action_id", "disposition_id"), "allowed 1/15, blocked 2/6", ("alert",)),
    Map("verdict.reject[]", ("action_id", "disposition_id"), "2/21", ("alert",)),
    Map("alert.gid", ("rule_uid",), "`gid:signature_id`"),
    Map("alert.signature_id", ("rule_uid",), "`gid:signature_id`"),
    Map("alert.rev", ("rule_rev",)),
    Map("alert.signature", ("rule_name",), "static text"),
    Map("alert.category", ("rule_category",)),
    Map("alert.severity", ("severity_id", "severity_raw"), "1 high, 2 medium, 3 low, 4 informational"),
    Map("alert.metadata.signature_severity[]", ("severity_id",), "`Critical` only"),
    Map("alert.metadata.mitre_tactic_id[]", ("attack_tactics",)),
    Map("alert.metadata.mitre_technique_id[]", ("attack_techniques",)),
    Map(
        "alert.metadata.malware_family[]", ("malware_names", "malware_family"), "family from a public list, or `other`"
    ),
    Map("alert.metadata.cve[]", ("cve_uids",), "`CVE-yyyy-n`"),
    Map("anomaly.event", ("rule_uid", "rule_name")),
    Map("anomaly.type", ("rule_category",)),
    Map("anomaly.app_proto", ("app_proto",)),
    Map("dns.type", ("activity_id",), "query or request 1, answer or response 2"),
    Map("dns.rrname", ("domain",)),
    Map("dns.queries[].rrname", ("domain",), "the first (version 3)"),
    Map("dns.query[].rrname", ("domain",), "the first (alerts of version 2)"),
    Map("dns.rcode", ("status_id",), "NOERROR 1, else 2"),
    Map("mdns.type", ("activity_id",)),
    Map("mdns.rrname", ("domain",)),
    Map("mdns.queries[].rrname", ("domain",)),
    Map("mdns.rcode", ("status_id",)),
    Map("http.hostname", ("domain", "url"), "an address is no domain"),
    Map("http.http_port", ("url",), "where the link has none"),
    Map("http.url", ("url",), "made whole with the host name"),
    Map("http.http_user_agent", ("user_agent",)),
    Map("http.http_method", ("activity_id",), "", (), ("url",)),
    Map("http.request_headers[].name", ("domain", "url", "user_agent", "activity_id"), "HTTP/2 pseudo headers"),
    Map("http.request_headers[].value", ("domain", "url", "user_agent", "activity_id"), "HTTP/2 pseudo headers"),
    Map("tls.sni", ("domain",)),
    Map("tls.ja3.hash", ("tls_fingerprint",)),
    Map("tls.ja4", ("tls_fingerprint",), "where there is no JA3"),
    Map("quic.sni", ("domain",)),
    Map("quic.ua", ("user_agent",)),
    Map("quic.ja3.hash", ("tls_fingerprint",)),
    Map("quic.ja4", ("tls_fingerprint",), "where there is no JA3"),
    Map("fileinfo.filename", _FILE),
    Map("fileinfo.sha256", ("file_sha256",)),
    Map("fileinfo.sha1", ("file_sha1",)),
    Map("fileinfo.md5", ("file_md5",)),
    Map("files[].filename", _FILE, "the first", ("alert",)),
    Map("files[].sha256", ("file_sha256",), "the first", ("alert",)),
    Map("files[].sha1", ("file_sha1",), "the first", ("alert",)),
    Map("files[].md5", ("file_md5",), "the first", ("alert",)),
    Map("smtp.helo", ("src_host",)),
    Map("smtp.mail_from", ("mail_from",), "where the header names none"),
    Map("smtp.rcpt_to[]", ("mail_to",), "where the header names none"),
    Map("email.from", ("mail_from",)),
    Map("email.to[]", ("mail_to",)),
    Map("email.cc[]", ("mail_to",)),
    Map("email.subject", ("mail_subject",)),
    Map("email.attachment[]", _FILE, "the first"),
    Map("ftp_data.filename", _FILE),
    Map("nfs.filename", _FILE),
    Map("tftp.file", _FILE),
    Map("smb.filename", _FILE),
    Map("smb.share", ("file_path",), "where no file is named"),
    Map("smb.status", ("status_id",)),
    Map("smb.ntlmssp.user", ("dst_user",), "a login", (), _LOGIN),
    Map("smb.ntlmssp.host", ("src_host",), "a login", (), _LOGIN),
    Map("krb5.cname", ("dst_user",), "a login", (), _LOGIN),
    Map("krb5.error_code", ("status_id",)),
    Map("rdp.cookie", ("dst_user",), "a login", (), _LOGIN),
    Map("rdp.client.client_name", ("src_host",)),
    Map("ftp.command", _CLASS, "USER and PASS are a login", (), ("dst_user", "status_id")),
    Map("ftp.command_data", ("dst_user",), "of USER; a password is never taken"),
    Map("ftp.completion_code[]", ("status_id",), "230 success, 530 failure"),
    Map("rfb.authentication.security_result", ("status_id",), "a login", (), _LOGIN),
    Map("ldap.request.bind_request.name", ("dst_user",), "a login", (), _LOGIN),
    Map("ldap.responses[].bind_response.result_code", ("status_id",), "a login", (), _LOGIN),
    Map("pgsql.request.startup_parameters.user", ("dst_user",), "a login", (), _LOGIN),
    Map("mqtt.connect.username", ("dst_user",), "a login", (), _LOGIN),
    Map("pop3.request.command", _CLASS, "USER, PASS and APOP are a login", (), ("dst_user", "status_id")),
    Map("pop3.request.args[]", ("dst_user",), "of USER and APOP; a password is never taken"),
    Map("pop3.response.success", ("status_id",)),
    Map("dhcp.hostname", ("src_host",)),
    Map("engine.message", ("message",), "", ("engine",)),
    Map("log_level", ("severity_id",), "", ("engine",)),
)

_A_LOGIN = "auth where it is a login"
_KIND_NOTES: Final = {
    "anomaly": "the event name is the rule", "drop": "denied", "netflow": "one direction",
    "fileinfo": "web or mail where HTTP or SMTP carried it", "smb": _A_LOGIN, "krb5": _A_LOGIN, "rdp": _A_LOGIN,
    "rfb": _A_LOGIN, "ldap": _A_LOGIN, "pgsql": _A_LOGIN, "mqtt": _A_LOGIN, "ftp": _A_LOGIN, "pop3": _A_LOGIN,
}  # fmt: skip

MAPPING: Final = Mapping(
    maps=_MAPS,
    kinds=tuple(KindRow(name, kind.event_class.word, _KIND_NOTES.get(name, "")) for name, kind in KINDS.items()),
    skips=tuple(KindRow(name, "", f"{reason}: {WHY_SKIPPED[name]}") for name, reason in SKIPS.items()),
)
