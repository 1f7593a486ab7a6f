"""Writes records as Suricata 7 does: native EVE JSON, one object a line.

Rules held here: key order and formats are Suricata's (local offset without colon, lists in rule metadata, flow object
with the connection's ends on alerts); the line of a record depends on its arguments only.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from commonwatch.simulate.draws import Draws
from commonwatch.simulate.members import Member

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS: Final = {"TCP": 6, "UDP": 17, "ICMP": 1}
_encode = msgspec.json.Encoder().encode
Body = dict[str, Any]
Line = tuple[int, bytes]


class Conn(NamedTuple):
    """A connection: client, server, transport."""

    src: str
    src_port: int
    dst: str
    dst_port: int
    proto: str
    flow_id: int


class Rule(NamedTuple):
    """A signature: number, text, category, severity and what its author says about it."""

    sid: int
    text: str
    category: str
    severity: int
    metadata: tuple[tuple[str, tuple[str, ...]], ...] = ()


def connect(draws: Draws, src: str, dst: str, port: int, proto: str = "TCP") -> Conn:
    """A new connection from a random client port."""
    return Conn(src, 32_768 + draws.below(28_000), dst, port, proto, draws.below(1 << 51))


def line(member: Member, time: int, kind: str, conn: Conn, **parts: Any) -> Line:
    """One record; `parts` are its members in order."""
    found: Body = {
        "timestamp": stamp(time, member.zone),
        "flow_id": conn.flow_id,
        "in_iface": "eth0",
        "event_type": kind,
        "src_ip": conn.src,
        "src_port": conn.src_port,
        "dest_ip": conn.dst,
        "dest_port": conn.dst_port,
        "proto": conn.proto,
        "host": member.sensor,
        "community_id": community_id(conn),
    }
    found.update(parts)
    return time, _encode(found) + b"\n"


def alert(member: Member, time: int, conn: Conn, rule: Rule, action: str = "allowed", **parts: Any) -> Line:
    """An alert of a rule on a connection; the flow's ends are given as Suricata 7 does."""
    body: Body = {
        "action": action, "gid": 1, "signature_id": rule.sid, "rev": 1 + rule.sid % 7, "signature": rule.text,
        "category": rule.category, "severity": rule.severity,
    }  # fmt: skip
    if rule.metadata:
        body["metadata"] = {name: list(values) for name, values in rule.metadata}
    flow: Body = {
        "pkts_toserver": 4, "pkts_toclient": 3, "bytes_toserver": 412 + rule.sid % 97, "bytes_toclient": 618,
        "start": stamp(time - 40_000, member.zone), "src_ip": conn.src, "dest_ip": conn.dst,
        "src_port": conn.src_port, "dest_port": conn.dst_port,
    }  # fmt: skip
    return line(member, time, "alert", conn, alert=body, **parts, direction="to_server", flow=flow)


def stats(member: Member, time: int, uptime: int) -> Line:
    """The sensor's own counters: no event."""
    found = {"timestamp": stamp(time, member.zone), "event_type": "stats", "host": member.sensor,
             "stats": {"uptime": uptime, "capture": {"kernel_packets": uptime * 900, "kernel_drops": 0}}}  # fmt: skip
    return time, _encode(found) + b"\n"


@lru_cache(maxsize=65_536)
def _minute(minute: int, zone: int) -> str:
    local = _EPOCH + timedelta(minutes=minute + zone)
    return local.strftime("%Y-%m-%dT%H:%M:")


def stamp(time: int, zone: int) -> str:
    """A timestamp as Suricata writes it: local time, microseconds, offset without colon."""
    minute, rest = divmod(time, 60_000_000)
    second, micros = divmod(rest, 1_000_000)
    sign, away = ("-", -zone) if zone < 0 else ("+", zone)
    return f"{_minute(minute, zone)}{second:02d}.{micros:06d}{sign}{away // 60:02d}{away % 60:02d}"


@lru_cache(maxsize=65_536)
def _packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def community_id(conn: Conn) -> str:
    """Community ID version 1 with seed 0."""
    first = (_packed(conn.src), conn.src_port)
    second = (_packed(conn.dst), conn.dst_port)
    if second < first:
        first, second = second, first
    data = b"\0\0" + first[0] + second[0] + bytes((_NUMBERS[conn.proto], 0))
    data += first[1].to_bytes(2, "big") + second[1].to_bytes(2, "big")
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return "1:" + base64.b64encode(digest).decode()
