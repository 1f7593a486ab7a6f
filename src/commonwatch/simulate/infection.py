"""One infected computer as its sensor sees it: mail, download, beacons, moves inside.

Rules held here: a case is known by (seed, family, member, begin); its beacons of an hour depend on that hour only, so
that any window can be replayed. Severity, families and techniques stand in the rule's metadata, as rule authors do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from commonwatch.simulate import world
from commonwatch.simulate.draws import Draws
from commonwatch.simulate.eve import Conn, Line, Rule, alert, connect, line
from commonwatch.simulate.members import Member
from commonwatch.simulate.noise import look_up, mail_line
from commonwatch.simulate.params import DAY, HOUR, MINUTE

_STREAM: Final = 4
_BEACONS_PER_HOUR: Final = 5.0
#: Chance per member and day of a background infection by each family, most common first.
_INCIDENCE: Final = (0.030, 0.022, 0.016, 0.012, 0.010, 0.008, 0.008, 0.006)


class Case(NamedTuple):
    """An infection at a member, from the mail to the clean-up."""

    family: str
    begins: int
    ends: int
    by_mail: bool


def background(member: Member, seed: int, day: int) -> list[Case]:
    """The background cases that begin at a member on a day."""
    draws = Draws(seed, _STREAM, member.index, day)
    cases = []
    for name, chance in zip(world.BACKGROUND, _INCIDENCE, strict=True):
        begins = day * DAY + int(draws.uniform() * DAY)
        hours = 1 + draws.waiting(4.0)
        if draws.chance(chance):
            cases.append(Case(name, begins, begins + int(min(hours, 20) * HOUR), draws.chance(0.4)))
    return cases


def records_of(case: Case, member: Member, seed: int, hour: int) -> Iterator[Line]:
    """The records that a case causes in an hour, unordered."""
    start, end = hour * HOUR, (hour + 1) * HOUR
    if case.ends <= start or case.begins - HOUR >= end:
        return
    kin = world.family(seed, case.family)
    first = Draws(seed, _STREAM + 100, member.index, case.begins // MINUTE, kin.sid)
    victim = first.pick(member.hosts)[0]
    yield from (made for made in _arrival(case, member, kin, victim, first) if start <= made[0] < end)
    draws = Draws(seed, _STREAM + 200, member.index, case.begins // MINUTE, kin.sid, hour)
    for _ in range(draws.count(_BEACONS_PER_HOUR)):
        time = start + int(draws.uniform() * HOUR)
        chain = list(_beacon(time, member, kin, victim, draws))
        if case.begins + 5 * MINUTE <= time < case.ends:
            yield from chain
    if draws.chance(0.25):
        move = _move(start + int(draws.uniform() * HOUR), member, kin, victim, draws)
        if case.begins + 30 * MINUTE <= move[0] < case.ends:
            yield move


def _rule(kin: world.Family, step: int, what: str, severity: int, attack: tuple[str, str]) -> Rule:
    metadata = (
        ("signature_severity", ("Critical",) if severity == 1 else ("Major",)),
        ("malware_family", (kin.spelling,)), ("mitre_tactic_id", attack[:1]), ("mitre_technique_id", attack[1:]),
    )  # fmt: skip
    category = "A Network Trojan was detected" if severity == 1 else "Potentially Bad Traffic"
    return Rule(kin.sid + step, f"CW MALWARE {kin.spelling} {what}", category, severity, metadata)


def _arrival(case: Case, member: Member, kin: world.Family, victim: str, draws: Draws) -> Iterator[Line]:
    """The mail with the lure, then the payload over HTTP with its file and its alert."""
    person = draws.pick(member.people)
    if case.by_mail:
        time = case.begins - int(draws.between(5, 50) * MINUTE)
        name = f"{kin.lure.lower().replace(' ', '-')}-{draws.below(9_000)}.zip"
        yield mail_line(member, time, draws, (kin.sender, f"{person}@{member.mail_domain}"), (kin.lure, name))
    domain, address = kin.domains[0], kin.addresses[0]
    yield from look_up(member, case.begins, _ask(member, victim, draws), (domain, address), draws)
    conn = connect(draws, victim, address, 80)
    path = f"/dl/{draws.below(1 << 24):06x}.bin"
    http = {"hostname": domain, "url": path, "http_user_agent": kin.user_agent, "http_method": "GET",
            "protocol": "HTTP/1.1", "status": 200, "length": 245_760}  # fmt: skip
    time = case.begins + 400_000
    yield line(member, time, "http", conn, tx_id=0, http=http)
    rule = _rule(kin, 1, "Payload Download", 1, ("TA0011", "T1105"))
    yield alert(member, time + 90_000, conn, rule, tx_id=0, http=http, app_proto="http")
    info = {"filename": path, "gaps": False, "state": "CLOSED", "sha256": draws.pick(kin.sha256),
            "md5": world.hexdigest(f"md5 {kin.name}", 32), "size": 245_760}  # fmt: skip
    back = Conn(conn.dst, conn.dst_port, conn.src, conn.src_port, "TCP", conn.flow_id)
    yield line(member, time + 200_000, "fileinfo", back, http=http, app_proto="http", fileinfo=info)


def _ask(member: Member, victim: str, draws: Draws) -> Conn:
    return connect(draws, victim, member.servers[0][0], 53, "UDP")


def _beacon(time: int, member: Member, kin: world.Family, victim: str, draws: Draws) -> Iterator[Line]:
    """A look-up and a TLS connection to a control server; the rule catches six of ten."""
    at = draws.below(len(kin.addresses))
    domain, address = kin.domains[1 + at % (len(kin.domains) - 1)], kin.addresses[at]
    yield from look_up(member, time, _ask(member, victim, draws), (domain, address), draws)
    conn = connect(draws, victim, address, 443)
    tls = {"sni": domain, "version": "TLS 1.2", "ja3": {"hash": kin.ja3}}
    yield line(member, time + 150_000, "tls", conn, tls=tls)
    if draws.chance(0.6):
        rule = _rule(kin, 2, "CnC Checkin", 1, ("TA0011", "T1071.001"))
        yield alert(member, time + 180_000, conn, rule, tls=tls, app_proto="tls")


def _move(time: int, member: Member, kin: world.Family, victim: str, draws: Draws) -> Line:
    """A try at another computer inside."""
    rule = _rule(kin, 3, "Lateral Movement over SMB", 2, ("TA0008", "T1021.002"))
    conn = connect(draws, victim, draws.pick(member.hosts)[0], 445)
    return alert(member, time, conn, rule, app_proto="smb")
