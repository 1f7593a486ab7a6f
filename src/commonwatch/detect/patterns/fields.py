"""What Sigma's words mean here: fields as values of an event, log sources as event classes.

Rules held here: a field or log source that is not in these tables makes a rule not runnable; nothing is guessed. An
absent value is `None`; a list stands for "any of". Names of canonical columns are fields of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from commonwatch.events.columns import COLUMNS
from commonwatch.events.event import Event
from commonwatch.events.labels import CLASS_WORDS, EventClass

#: A scalar, a list of them, or None.
Value = str | int | bool | tuple[str, ...] | None
Read = Callable[[Event], Value]


class Source(NamedTuple):
    """A log source as Sigma names it; "" is any."""

    category: str = ""
    product: str = ""
    service: str = ""


def _of(column: str) -> Read:
    kind = COLUMNS[column].kind
    if kind == "addr":
        return lambda event: None if (v := getattr(event, column)) is None else str(v)
    if kind == "bytes":
        return lambda event: None if (v := getattr(event, column)) is None else v.hex()
    if kind == "list":
        return lambda event: getattr(event, column) or None
    return lambda event: getattr(event, column)


def _path(*columns: str) -> Read:
    """A path: rules end it with `\\name`, so that a bare file name gets the separator it stands behind."""

    def read(event: Event) -> Value:
        for column in columns:
            if (text := getattr(event, column)) is not None:
                return text if "\\" in text or "/" in text else f"\\{text}"
        return None

    return read


def _hashes(event: Event) -> Value:
    named = (("SHA256", event.file_sha256), ("SHA1", event.file_sha1), ("MD5", event.file_md5))
    return tuple(f"{name}={value.hex()}" for name, value in named if value) or None


_SAME: Mapping[str, str] = {
    "src_ip": "src_ip c-ip SourceIp src IpAddress ClientIP",
    "dst_ip": "dst_ip DestinationIp dst s-ip r-ip",
    "src_port": "src_port SourcePort c-port IpPort",
    "dst_port": "dst_port DestinationPort s-port",
    "src_host": "Computer ComputerName SourceHostname host hostname WorkstationName",
    "dst_host": "DestinationComputer TargetServerName",
    "src_user": "User SubjectUserName cs-username user username AccountName",
    "dst_user": "TargetUserName TargetUser",
    "domain": "query QueryName cs-host r-dns DestinationHostname dns.question.name domain server_name",
    "url": "c-uri cs-uri cs-uri-query url c-uri-query cs-uri-stem",
    "user_agent": "c-useragent cs-user-agent user_agent",
    "file_sha256": "sha256 Sha256",
    "file_sha1": "sha1 Sha1",
    "file_md5": "md5 Md5",
    "process_cmd": "CommandLine ProcessCommandLine",
    "mail_from": "sender From mail.from",
    "mail_to": "recipient To mail.to",
    "mail_subject": "subject Subject",
    "tls_fingerprint": "ja3 ja4 hash_ja3",
    "malware_names": "Signature ThreatName",
    "rule_name": "alert.signature signature",
    "rule_category": "alert.category",
    "attack_techniques": "technique",
    "message": "message Message msg",
    "app_proto": "app_proto service",
    "bytes_in": "sc-bytes bytes_in",
    "bytes_out": "cs-bytes bytes_out",
}
_READ: dict[str, Read] = {
    **{name: _of(name) for name, column in COLUMNS.items() if column.field and name in Event.__struct_fields__},
    **{word: _of(column) for column, words in _SAME.items() for word in words.split()},
    **{word: _path("process_name") for word in ("Image", "NewProcessName", "ProcessName", "ProcessPath")},
    **{word: _path("file_path", "file_name") for word in ("TargetFilename", "FileName", "filename", "Filename")},
    "Hashes": _hashes,
}
_BY_WORD = {word.casefold(): read for word, read in reversed(_READ.items())}
#: Columns that a keyword, which names no field, is looked for in.
TEXTS: tuple[str, ...] = (
    "message", "rule_name", "url", "user_agent", "domain", "file_name", "file_path", "process_name", "process_cmd",
    "mail_subject",
)  # fmt: skip

_C = EventClass
_SOURCES: Mapping[Source, frozenset[EventClass]] = {
    Source("antivirus"): frozenset({_C.MALWARE}),
    Source("dns"): frozenset({_C.DNS}),
    Source("dns_query"): frozenset({_C.DNS}),
    Source("firewall"): frozenset({_C.FIREWALL, _C.FLOW}),
    Source("network_connection"): frozenset({_C.FLOW, _C.FIREWALL}),
    Source("proxy"): frozenset({_C.WEB}),
    Source("webserver"): frozenset({_C.WEB}),
    Source("authentication"): frozenset({_C.AUTH}),
    Source("email"): frozenset({_C.MAIL}),
    Source("file_event"): frozenset({_C.INTEGRITY, _C.MALWARE}),
    Source("file_change"): frozenset({_C.INTEGRITY}),
    Source("process_creation"): frozenset({_C.LOG, _C.APPLICATION, _C.MALWARE}),
    Source("ids"): frozenset({_C.INTRUSION, _C.MALWARE}),
    Source("", "zeek", "dns"): frozenset({_C.DNS}),
    Source("", "zeek", "http"): frozenset({_C.WEB}),
    Source("", "zeek", "conn"): frozenset({_C.FLOW}),
    Source("", "linux", "auth"): frozenset({_C.AUTH, _C.LOG}),
    Source("", "linux", "sshd"): frozenset({_C.AUTH, _C.LOG}),
    Source("", "windows", "security"): frozenset({_C.AUTH, _C.LOG, _C.SYSTEM}),
    Source("", "commonwatch"): frozenset(_C),
}


def reader(field: str) -> Read | None:
    """How the value of a field is read from an event; None: no column stands for it."""
    return _READ.get(field) or _BY_WORD.get(field.casefold())


def classes(source: Source) -> frozenset[EventClass] | None:
    """The event classes in which a log source is found; None: not known here.

    `product: commonwatch` with a category or service that is the word of an event class means that class.
    """
    if source.product == "commonwatch" and (word := source.category or source.service):
        return frozenset({CLASS_WORDS[word]}) if word in CLASS_WORDS else None
    narrower = [source, source._replace(category=""), Source(category=source.category)]
    return next((_SOURCES[s] for s in narrower if s in _SOURCES), None)
