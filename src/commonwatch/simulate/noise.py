"""An ordinary hour at a member: names looked up, pages fetched, mail, files, logins, and the scans of the day.

Rules held here: the hour's records depend on (seed, member, hour) only. What people cause follows the working day,
what machines cause less so; scans do not care. Shares by kind are those of small sensors: two thirds flows and names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from commonwatch.simulate import world
from commonwatch.simulate.draws import Draws
from commonwatch.simulate.eve import Conn, Line, Rule, alert, connect, line, stamp, stats
from commonwatch.simulate.members import Member
from commonwatch.simulate.params import DAY, HOUR
from commonwatch.simulate.rhythm import human, machine

_STREAM: Final = 3
_SCAN_DAYS: Final = 2  # a campaign lasts less than a day, so those of today and yesterday can be under way
_BROWSERS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Microsoft-Delivery-Optimization/10.0",
)
_JA3: Final = tuple(world.hexdigest(f"ja3 browser {i}", 32) for i in range(5))
_POLICY: Final = (
    Rule(1_000_201, "CW POLICY Remote Desktop Tool In Use", "Potential Corporate Privacy Violation", 3),
    Rule(1_000_202, "CW INFO Package Manager User-Agent", "Not Suspicious Traffic", 3),
    Rule(1_000_203, "CW INFO DNS Query for Dynamic DNS Domain", "Misc activity", 3),
    Rule(1_000_204, "CW WEB_SERVER Possible SQL Injection Attempt", "Web Application Attack", 1,
         (("mitre_tactic_id", ("TA0001",)), ("mitre_technique_id", ("T1190",)), ("cve", ("CVE_2021_44228",)))),
)  # fmt: skip


class Hour:
    """One hour at one member, with its own random stream."""

    def __init__(self, member: Member, seed: int, hour: int) -> None:
        self.member = member
        self.seed = seed
        self.begins = hour * HOUR
        self.draws = Draws(seed, _STREAM, member.index, hour)

    def moment(self) -> int:
        """A random moment of this hour."""
        return self.begins + int(self.draws.uniform() * HOUR)

    def inside(self) -> str:
        """The address of a computer inside."""
        return self.draws.popular(self.member.hosts)[0]

    def site(self) -> tuple[str, str]:
        """(domain, address) of a site out there."""
        return self.draws.popular(world.sites(self.seed))

    def person(self) -> str:
        """Somebody who works here."""
        return self.draws.pick(self.member.people)


def records_of(member: Member, seed: int, hour: int) -> Iterator[Line]:
    """The ordinary records of an hour, unordered."""
    now = Hour(member, seed, hour)
    rate = member.rate / 24
    people = human(now.begins, member.zone)
    machines = machine(now.begins, member.zone)
    for share, by_people, make in _KINDS:
        for _ in range(now.draws.count(rate * share * (people if by_people else machines))):
            yield from make(now)
    yield from _scans(now)
    for minute in range(0, 60, 20):
        yield stats(member, now.begins + minute * 60_000_000, hour * 3_600 + minute * 60)


def _flow(now: Hour) -> Iterator[Line]:
    time, draws = now.moment(), now.draws
    domain_address = now.site()[1]
    port, proto, app = draws.popular(
        ((443, "TCP", "tls"), (53, "UDP", "dns"), (80, "TCP", "http"), (123, "UDP", "ntp"))
    )
    conn = connect(draws, now.inside(), domain_address if port != 53 else now.member.servers[0][0], port, proto)
    out, back = int(400 * draws.heavy(1.2)), int(2_500 * draws.heavy(1.6))
    flow = {
        "pkts_toserver": 1 + out // 700, "pkts_toclient": 1 + back // 1_200, "bytes_toserver": out,
        "bytes_toclient": back, "start": stamp(time - 30_000_000, now.member.zone),
        "end": stamp(time - 1_000_000, now.member.zone), "age": 29, "state": "closed", "reason": "timeout",
        "alerted": False,
    }  # fmt: skip
    yield line(now.member, time, "flow", conn, app_proto=app, flow=flow)


def _dns(now: Hour) -> Iterator[Line]:
    time, (domain, address) = now.moment(), now.site()
    conn = connect(now.draws, now.inside(), now.member.servers[0][0], 53, "UDP")
    yield from look_up(now.member, time, conn, (domain, address), now.draws)


def look_up(member: Member, time: int, conn: Conn, entry: tuple[str, str | None], draws: Draws) -> Iterator[Line]:
    """A question and its answer; `entry` is a name with its address (none: the name does not exist)."""
    domain, address = entry
    number = draws.below(65_536)
    query = {"type": "query", "id": number, "rrname": domain, "rrtype": "A", "tx_id": 0, "opcode": 0}
    yield line(member, time, "dns", conn, dns=query)
    answer = {
        "version": 2, "type": "answer", "id": number, "flags": "8180", "qr": True, "rd": True, "ra": True, "opcode": 0,
        "rrname": domain, "rrtype": "A", "rcode": "NOERROR" if address else "NXDOMAIN",
    }  # fmt: skip
    if address:
        answer["answers"] = [{"rrname": domain, "rrtype": "A", "ttl": 300, "rdata": address}]
    yield line(member, time + 9_000 + draws.below(40_000), "dns", conn, dns=answer)


def _http(now: Hour) -> Iterator[Line]:
    domain, address = now.site()
    conn = connect(now.draws, now.inside(), address, 80)
    http = {
        "hostname": domain, "url": f"/{now.draws.pick(('news', 'api/v1/items', 'img/logo.png', 'update', 'login'))}",
        "http_user_agent": now.draws.popular(_BROWSERS), "http_content_type": "text/html", "http_method": "GET",
        "protocol": "HTTP/1.1", "status": 200, "length": int(9_000 * now.draws.heavy(1.0)),
    }  # fmt: skip
    yield line(now.member, now.moment(), "http", conn, tx_id=0, http=http)


def _tls(now: Hour) -> Iterator[Line]:
    domain, address = now.site()
    tls = {"sni": domain, "version": "TLS 1.3", "ja3": {"hash": now.draws.popular(_JA3)}}
    yield line(now.member, now.moment(), "tls", connect(now.draws, now.inside(), address, 443), tls=tls)


def _file(now: Hour) -> Iterator[Line]:
    domain, address = now.site()
    name = f"/files/{now.draws.pick(('report', 'setup', 'catalogue', 'photo'))}-{now.draws.below(900)}.pdf"
    conn = connect(now.draws, now.inside(), address, 80)
    back = Conn(conn.dst, conn.dst_port, conn.src, conn.src_port, "TCP", conn.flow_id)
    http = {"hostname": domain, "url": name, "http_method": "GET", "protocol": "HTTP/1.1", "status": 200}
    info = {
        "filename": name,
        "gaps": False,
        "state": "CLOSED",
        "sha256": world.hexdigest(name + domain),
        "size": 81_920,
    }
    yield line(now.member, now.moment(), "fileinfo", back, http=http, app_proto="http", fileinfo=info)


def _mail(now: Hour) -> Iterator[Line]:
    member, draws = now.member, now.draws
    partner = now.site()[0].removeprefix("www.")
    sender = f"{draws.pick(('office', 'orders', 'info', 'no-reply'))}@{partner}"
    receiver = f"{now.person()}@{member.mail_domain}"
    yield mail_line(member, now.moment(), draws, (sender, receiver), ("Your order",))


def mail_line(member: Member, time: int, draws: Draws, ends: tuple[str, str], content: tuple[str, ...]) -> Line:
    """A mail received by the member's server: `ends` sender and receiver, `content` subject and attached files."""
    sender, to = ends
    subject, *files = content
    conn = connect(draws, world.outside_host(draws), member.servers[2][0], 25)
    smtp = {"helo": f"mx.{sender.partition('@')[2]}", "mail_from": f"<{sender}>", "rcpt_to": [f"<{to}>"]}
    mail = {"status": "PARSE_DONE", "from": f"Accounts <{sender}>", "to": [to], "subject": subject}
    if files:
        mail["attachment"] = files
    return line(member, time, "smtp", conn, tx_id=0, smtp=smtp, email=mail)


def _dhcp(now: Hour) -> Iterator[Line]:
    address, name = now.draws.pick(now.member.hosts)
    conn = Conn(address, 68, now.member.servers[0][0], 67, "UDP", now.draws.below(1 << 51))
    body = {"type": "request", "id": now.draws.below(1 << 31), "client_mac": "02:00:00:00:00:01",
            "dhcp_type": "request", "hostname": name}  # fmt: skip
    yield line(now.member, now.moment(), "dhcp", conn, dhcp=body)


def _login(now: Hour) -> Iterator[Line]:
    failed = now.draws.chance(0.06)
    body = {"msg_type": "KRB_AS_REP" if not failed else "KRB_ERROR", "cname": now.person(),
            "realm": now.member.mail_domain.upper(), "sname": "krbtgt"}  # fmt: skip
    if failed:
        body["error_code"] = "KDC_ERR_PREAUTH_FAILED"
    conn = connect(now.draws, now.inside(), now.member.servers[1][0], 88)
    yield line(now.member, now.moment(), "krb5", conn, krb5=body)


def _smb(now: Hour) -> Iterator[Line]:
    body = {"id": 1, "dialect": "3.11", "command": "SMB2_COMMAND_CREATE", "status": "STATUS_SUCCESS",
            "filename": f"shared\\{now.person()}\\plan-{now.draws.below(99)}.xlsx"}  # fmt: skip
    conn = connect(now.draws, now.inside(), now.member.servers[1][0], 445)
    yield line(now.member, now.moment(), "smb", conn, smb=body)


def _policy(now: Hour) -> Iterator[Line]:
    rule = now.draws.popular(_POLICY)
    if rule.sid == 1_000_204:
        conn = connect(now.draws, world.outside_host(now.draws), now.member.servers[3][0], 80)
    else:
        conn = connect(now.draws, now.inside(), now.site()[1], 443)
    yield alert(now.member, now.moment(), conn, rule)


def _anomaly(now: Hour) -> Iterator[Line]:
    body = {"app_proto": "tls", "type": "applayer", "event": "APPLAYER_DETECT_PROTOCOL_ONLY_ONE_DIRECTION",
            "layer": "proto_detect"}  # fmt: skip
    conn = connect(now.draws, world.outside_host(now.draws), now.member.servers[3][0], 443)
    yield line(now.member, now.moment(), "anomaly", conn, anomaly=body)


#: share of a member's rate, whether people cause it, writer
_KINDS: Final[tuple[tuple[float, bool, Callable[[Hour], Iterator[Line]]], ...]] = (
    (0.42, False, _flow),
    (0.14, True, _dns),
    (0.12, True, _tls),
    (0.05, True, _http),
    (0.01, True, _file),
    (0.02, True, _mail),
    (0.02, True, _login),
    (0.02, True, _smb),
    (0.01, False, _dhcp),
    (0.008, False, _policy),
    (0.006, False, _anomaly),
)


def _scans(now: Hour) -> Iterator[Line]:
    """What the world's scanning campaigns do here in this hour."""
    today = now.begins // DAY
    for day in range(today - _SCAN_DAYS + 1, today + 1):
        for scan in world.scans_of_day(now.seed, day):
            begins, ends = max(scan.begins, now.begins), min(scan.ends, now.begins + HOUR)
            if begins < ends and _hits(now, scan, day):
                for _ in range(now.draws.count(scan.rate * (ends - begins) / HOUR)):
                    yield _probe(now, scan, begins + int(now.draws.uniform() * (ends - begins)))


def _hits(now: Hour, scan: world.Scan, day: int) -> bool:
    """Whether a campaign reaches this member at all: the same answer in every hour."""
    return Draws(now.seed, _STREAM + 100, day, scan.number, now.member.index).chance(scan.share)


def _probe(now: Hour, scan: world.Scan, time: int) -> Line:
    conn = connect(now.draws, scan.source, now.member.servers[3][0], scan.port)
    rule = Rule(scan.sid, scan.signature, "Attempted Information Leak", 2,
                (("mitre_tactic_id", ("TA0043",)), ("mitre_technique_id", ("T1595",))))  # fmt: skip
    parts = {"app_proto": scan.service} if scan.service else {}
    return alert(now.member, time, conn, rule, "blocked" if now.member.index % 3 == 0 else "allowed", **parts)
