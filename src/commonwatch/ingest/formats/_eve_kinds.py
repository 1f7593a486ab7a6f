"""Every `event_type` of Suricata 6 to 8: the event class it becomes, or why it is skipped.

Rules held here: one row per kind; a kind that is in neither table is quarantined as `unknown_kind`, so that a new
Suricata never loses records silently. A login seen inside a protocol (FTP USER, LDAP bind)
turns `flow` into `auth`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from commonwatch.events.labels import OCSF_CLASS, EventClass
from commonwatch.ingest.formats._eve_members import MEMBERS


class Kind(NamedTuple):
    """What one event_type becomes. `members` are read in order; `packet` means that src and dst are the packet's."""

    event_class: EventClass
    class_uid: int
    activity: int | None
    app: str | None
    members: tuple[str, ...]
    packet: bool


_TRAFFIC, _REFUSE, _CREATE = 6, 5, 1
_ALL: Final = tuple(m for m in MEMBERS if m != "engine")


def _kind(event_class: EventClass, app: str | None = None, *members: str, activity: int | None = None,
          packet: bool = False) -> Kind:  # fmt: skip
    if event_class is EventClass.FLOW and activity is None:
        activity = _TRAFFIC
    return Kind(event_class, OCSF_CLASS[event_class], activity, app, members, packet)


def _flow(app: str | None, *members: str) -> Kind:
    return _kind(EventClass.FLOW, app, *members)


KINDS: Final[dict[str, Kind]] = {
    "alert": _kind(EventClass.INTRUSION, None, *_ALL, activity=_CREATE, packet=True),
    "anomaly": _kind(EventClass.LOG, None, "anomaly", activity=_CREATE, packet=True),
    "drop": _kind(EventClass.FIREWALL, None, activity=_REFUSE, packet=True),
    "engine": _kind(EventClass.SYSTEM, None, "engine"),
    "dns": _kind(EventClass.DNS, "dns", "dns"),
    "mdns": _kind(EventClass.DNS, "mdns", "mdns"),
    "doh2": _kind(EventClass.DNS, "doh2", "http", "dns"),
    "http": _kind(EventClass.WEB, "http", "http"),
    "http2": _kind(EventClass.WEB, "http2", "http"),
    "smtp": _kind(EventClass.MAIL, "smtp", "smtp", "email"),
    "email": _kind(EventClass.MAIL, "smtp", "smtp", "email"),
    "imap": _kind(EventClass.MAIL, "imap", "email"),
    "pop3": _flow("pop3", "pop3", "email"),
    "fileinfo": _kind(EventClass.FLOW, None, "http", "smtp", "email", "smb", "ftp_data", "nfs", "fileinfo",
                      packet=True),
    "flow": _flow(None),
    "netflow": _flow(None),
    "tls": _flow("tls", "tls"),
    "quic": _flow("quic", "quic"),
    "ssh": _flow("ssh"),
    "smb": _flow("smb", "smb"),
    "krb5": _flow("krb5", "krb5"),
    "rdp": _flow("rdp", "rdp"),
    "rfb": _flow("rfb", "rfb"),
    "ldap": _flow("ldap", "ldap"),
    "pgsql": _flow("pgsql", "pgsql"),
    "mqtt": _flow("mqtt", "mqtt"),
    "ftp": _flow("ftp", "ftp"),
    "ftp_data": _flow("ftp-data", "ftp_data"),
    "nfs": _flow("nfs", "nfs"),
    "tftp": _flow("tftp", "tftp"),
    "dhcp": _flow("dhcp", "dhcp"),
    "arp": _flow("arp"),
    "snmp": _flow("snmp"),
    "sip": _flow("sip"),
    "ike": _flow("ike"),
    "ikev2": _flow("ike"),
    "dcerpc": _flow("dcerpc"),
    "dnp3": _flow("dnp3"),
    "modbus": _flow("modbus"),
    "enip": _flow("enip"),
    "websocket": _flow("websocket"),
    "bittorrent_dht": _flow("bittorrent-dht"),
    "telnet": _flow("telnet"),
    "ntp": _flow("ntp"),
}  # fmt: skip

SKIPS: Final[dict[str, str]] = {
    "stats": "stats",
    "metadata": "metadata_only",
    "frame": "frame",
    "packetinfo": "packet_only",
    "packet": "packet_only",
    "ethernet": "packet_only",
}

WHY_SKIPPED: Final[dict[str, str]] = {
    "stats": "counters of the sensor itself, no event",
    "metadata": "flow bits of a rule author, no event",
    "frame": "a parser's view inside one connection; the connection has its own record",
    "packetinfo": "packet details of another record",
    "packet": "a captured packet of another record; payload never leaves",
    "ethernet": "link layer details of another record",
}
