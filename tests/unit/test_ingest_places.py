"""Scope, direction, country: own networks decide, documentation ranges are outside, the narrowest network wins."""

from __future__ import annotations

import ipaddress

import pytest

from commonwatch.errors import InvalidInput
from commonwatch.events.address import Scope, parse, scope_of
from commonwatch.ingest.geo import Origin, read_table
from commonwatch.ingest.values.places import INBOUND, LATERAL, OUTBOUND, Places, direction

OWN = (
    ipaddress.ip_network("192.168.1.0/24"),
    ipaddress.ip_network("203.0.113.64/26"),
    ipaddress.ip_network("2001:db8:5::/48"),
)


@pytest.mark.parametrize(
    "text", ["192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.1", "2001:db8::1", "8.8.8.8"]
)
def test_documentation_and_benchmark_ranges_stand_for_public_hosts(text):
    assert scope_of(parse(text)) == scope_of(parse(text), OWN) == Scope.OUTSIDE


@pytest.mark.parametrize("text", ["10.1.2.3", "172.16.0.1", "192.168.7.7", "100.64.0.1", "fd00::1"])
def test_private_addresses_are_inside_without_own_networks_and_special_with_them(text):
    assert scope_of(parse(text)) == Scope.INSIDE
    assert scope_of(parse(text), OWN) == Scope.SPECIAL


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.251",
        "255.255.255.255",
        "0.0.0.0",
        "240.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "ff02::fb",
    ],
)
def test_addresses_of_nobody_are_special(text):
    assert scope_of(parse(text)) == scope_of(parse(text), OWN) == Scope.SPECIAL


def test_own_networks_are_inside_also_where_they_are_public():
    assert [scope_of(parse(t), OWN) for t in ("192.168.1.9", "203.0.113.65", "2001:db8:5::1")] == [Scope.INSIDE] * 3


def test_direction_follows_from_the_two_scopes():
    inside, outside, special = Scope.INSIDE, Scope.OUTSIDE, Scope.SPECIAL
    assert direction(outside, inside) == INBOUND
    assert direction(inside, outside) == OUTBOUND
    assert direction(inside, inside) == LATERAL
    assert [direction(a, b) for a, b in ((outside, outside), (inside, special), (None, inside), (inside, None))] == [
        None
    ] * 4


def test_a_zone_id_is_dropped_and_junk_is_no_place():
    places = Places(OWN)
    assert str(places["fe80::1%eth0"].address) == "fe80::1"
    assert places["host.example"] is None
    assert places["1.2.3"] is None
    assert places["::ffff:192.168.1.9"].scope == Scope.INSIDE


TABLE = """cidr,country,asn
# a comment
203.0.113.0/24,DE,AS64500
203.0.113.128/25,FR,64501
203.0.113.192/26,nl,

2001:db8::/32,SE,64502
"""


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("203.0.113.1", Origin("DE", 64500)),
        ("203.0.113.127", Origin("DE", 64500)),
        ("203.0.113.128", Origin("FR", 64501)),
        ("203.0.113.191", Origin("FR", 64501)),
        ("203.0.113.192", Origin("NL", None)),
        ("203.0.113.255", Origin("NL", None)),
        ("203.0.114.0", None),
        ("192.0.2.1", None),
        ("2001:db8:ffff::1", Origin("SE", 64502)),
        ("2001:db9::1", None),
    ],
)
def test_the_narrowest_network_gives_the_country(text, origin):
    assert read_table(TABLE.splitlines()).find(parse(text)) == origin


def test_a_network_inside_another_leaves_the_rest_on_both_sides():
    table = read_table(["10.0.0.0/8,DE,1", "10.5.0.0/16,FR,2", "10.9.0.0/16,FR,3", "10.9.9.0/24,SE,4"])
    found = {
        t: table.find(parse(t))
        for t in ("10.4.0.1", "10.5.0.1", "10.6.0.1", "10.9.8.1", "10.9.9.1", "10.9.10.1", "10.10.0.1")
    }
    assert [o.asn for o in found.values()] == [1, 2, 1, 3, 4, 3, 1]


@pytest.mark.parametrize("line", ["203.0.113.0/99,DE,1", "203.0.113.0/24,Germany,1", "203.0.113.0/24,DE,many"])
def test_a_bad_line_of_the_table_is_refused_with_its_number(line):
    with pytest.raises(InvalidInput, match="line 2"):
        read_table(["cidr,country,asn", line])


def test_countries_reach_the_event():
    from strategies.eve import eve, outcomes

    (found,) = outcomes(eve(dest_ip="203.0.113.130"), geo=read_table(TABLE.splitlines()))
    assert (found.event.dst_country, found.event.dst_asn, found.event.src_country) == ("FR", 64501, None)
