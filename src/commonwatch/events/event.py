"""One normalised event, as a parser makes it and the gateway labels it: the canonical row before it is numbered.

An `Event` carries values only; labels, handling and provenance are added on the way. Absent is None (lists: empty).
Times are microseconds since 1970 UTC, of the *event*, never of conversion. Hashes are raw bytes. Strings are NFC,
without control characters, cut to `MAX_TEXT` (`clean`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import msgspec

from commonwatch.events.address import Address
from commonwatch.events.labels import EventClass, Severity

MAX_TEXT = 4_096
MAX_LONG_TEXT = 16_384
CUT_MARK = "…"


class Event(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Canonical values of one detection or observation (`columns.py` has their meaning and OCSF paths)."""

    event_class: EventClass
    time: int
    class_uid: int
    event_uid: bytes = b""
    end_time: int | None = None
    time_quality: int = 0
    count: int = 1
    activity_id: int | None = None
    status_id: int | None = None
    severity_id: Severity = Severity.UNKNOWN
    severity_raw: str | None = None
    is_alert: bool = False
    confidence_score: int | None = None
    action_id: int | None = None
    disposition_id: int | None = None
    sensor_uid: str | None = None
    product_vendor: str | None = None
    product_name: str | None = None
    product_version: str | None = None
    source_format: int = 0
    rule_uid: str | None = None
    rule_rev: str | None = None
    rule_name: str | None = None
    rule_category: str | None = None
    attack_tactics: tuple[str, ...] = ()
    attack_techniques: tuple[str, ...] = ()
    malware_names: tuple[str, ...] = ()
    malware_family: str | None = None
    cve_uids: tuple[str, ...] = ()
    src_ip: Address | None = None
    dst_ip: Address | None = None
    src_scope: int | None = None
    dst_scope: int | None = None
    src_country: str | None = None
    dst_country: str | None = None
    src_asn: int | None = None
    dst_asn: int | None = None
    src_port: int | None = None
    dst_port: int | None = None
    src_host: str | None = None
    dst_host: str | None = None
    src_user: str | None = None
    dst_user: str | None = None
    direction_id: int | None = None
    proto: int | None = None
    app_proto: str | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    community_id: str | None = None
    domain: str | None = None
    url: str | None = None
    user_agent: str | None = None
    file_name: str | None = None
    file_path: str | None = None
    file_sha256: bytes | None = None
    file_sha1: bytes | None = None
    file_md5: bytes | None = None
    process_name: str | None = None
    process_cmd: str | None = None
    mail_from: str | None = None
    mail_to: tuple[str, ...] = ()
    mail_subject: str | None = None
    tls_fingerprint: str | None = None
    message: str | None = None


#: A copy of an event to be filled further (its values are never changed in place); `copy.copy` without the detour.
copy_event: Callable[[Event], Event] = Event.__copy__  # type: ignore[attr-defined] # msgspec gives it, unannounced


def clean(text: str, limit: int = MAX_TEXT) -> str | None:
    """NFC, control characters removed, cut with a mark at `limit` UTF-8 bytes; empty becomes None."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable() or c == "\u00a0")
    if len(text) * 4 > limit and len(raw := text.encode()) > limit:
        text = raw[: limit - len(CUT_MARK.encode())].decode(errors="ignore") + CUT_MARK
    return text or None


def clean_domain(text: str) -> str | None:
    """Lower case, no trailing dot; IDNA is kept as given."""
    return clean(text.strip().rstrip(".").lower(), 255)
