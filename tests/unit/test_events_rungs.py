"""Rungs by example: what each value looks like at each precision."""

from __future__ import annotations

import datetime as dt

import pytest

from commonwatch.events.address import parse
from commonwatch.events.redact import luhn, redact
from commonwatch.events.rungs import floor_time, magnitude, registered_domain, rung


def micros(text: str) -> int:
    """Microseconds of an instant."""
    return int(dt.datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.mark.parametrize(("family", "precision", "column", "value", "shown"), [
    ("address", "exact", "src_ip", parse("203.0.113.9"), "203.0.113.9"),
    ("address", "network", "src_ip", parse("203.0.113.9"), "203.0.113.0/24"),
    ("address", "network", "dst_ip", parse("2001:db8:1:2::3"), "2001:db8:1::/48"),
    ("address", "country", "src_ip", parse("203.0.113.9"), None),
    ("address", "country", "src_country", "DE", "DE"),
    ("address", "country", "src_asn", 64500, 64500),
    ("address", "subnet", "src_country", "DE", None),
    ("address", "scope", "src_scope", 2, "outside"),
    ("address", "network", "dst_scope", 1, "inside"),
    ("address", "network", "community_id", "1:abc", None),
    ("address", "exact", "community_id", "1:abc", "1:abc"),
    ("time", "minute", "time_quality", 1, None),
    ("time", "exact", "time_quality", 1, 1),
    ("term", "family", "rule_category", "trojan", "trojan"),
    ("term", "family", "rule_name", "ET MALWARE x", None),
    ("term", "family", "attack_tactics", ("TA0001",), ("TA0001",)),
    ("term", "family", "attack_techniques", ("T1059",), None),
    ("term", "family", "malware_family", "emotet", "emotet"),
    ("term", "family", "malware_names", ("Emotet.A",), None),
    ("term", "family", "cve_uids", ("CVE-2024-3094", "CVE-2024-1", "CVE-2023-9", "odd"), ("CVE-2024", "CVE-2023")),
    ("term", "exact", "cve_uids", ("CVE-2024-3094",), ("CVE-2024-3094",)),
    ("text", "redacted", "file_path", r"C:\Users\bob\run.exe", r"<USERPATH>\run.exe"),
    ("link", "site", "url", "https://bob:pw@Example.org:8443/a/b?c=d#e", "https://example.org:8443"),
    ("link", "path", "url", "https://bob:pw@example.org/a/b?c=d#e", "https://example.org/a/b"),
    ("link", "path", "url", "example.org/a?b", "example.org/a"),
    ("link", "site", "url", "http://[2001:db8::1]/x", "http://[2001:db8::1]"),
    ("link", "site", "url", "/only/a/path", None),
    ("link", "site", "url", "http://[bad", None),
    ("domain", "registered", "domain", "a.b.example.co.uk", "example.co.uk"),
    ("port", "range", "dst_port", 443, "0-1023"),
    ("port", "range", "src_port", 49152, "49152-65535"),
    ("number", "magnitude", "bytes_in", 12345, 10000),
    ("number", "magnitude", "count", 0, 0),
    ("sector", "section", "owner_sector", "Q86", "Q"),
    ("place", "country", "owner_region", "GB-LND", "GB"),
    ("mailbox", "domain", "mail_from", "Bob@Example.org", "example.org"),
    ("mailbox", "domain", "mail_to", ("a@x.org", "b@x.org", "nobody", "c@y.org"), ("x.org", "y.org")),
    ("mailbox", "domain", "mail_from", "nobody", None),
    ("identity", "exact", "src_user", "bob", "bob"),
    ("code", "exact", "proto", 6, 6),
    ("hash", "exact", "file_md5", b"0" * 16, b"0" * 16),
])  # fmt: skip
def test_a_value_at_a_rung(family, precision, column, value, shown):
    assert rung(family, precision, column, value) == shown
    assert rung(family, "withheld", column, value) is None
    assert rung(family, precision, column, None) is None


def test_a_precision_the_family_does_not_have_is_an_error():
    with pytest.raises(ValueError, match="not in tuple"):
        rung("hash", "network", "file_md5", b"")


@pytest.mark.parametrize(("precision", "floor"), [
    ("minute", "2026-11-19T13:37:00+00:00"), ("hour", "2026-11-19T13:00:00+00:00"),
    ("day", "2026-11-19T00:00:00+00:00"),
    ("week", "2026-11-16T00:00:00+00:00"), ("window", "2026-10-05T00:00:00+00:00"),
])  # fmt: skip
def test_time_is_floored_to_its_step(precision, floor):
    assert floor_time(micros("2026-11-19T13:37:42+00:00"), precision) == micros(floor)


def test_windows_are_counted_from_the_public_anchor_in_both_directions():
    anchor = micros("2024-01-01T00:00:00+00:00")
    for weeks in (-8, 0, 8, 80, -8 * 400):
        assert floor_time(anchor + weeks * 7 * 86_400_000_000, "window") == anchor + weeks * 7 * 86_400_000_000
    assert floor_time(anchor - 1, "window") == anchor - 56 * 86_400_000_000


@pytest.mark.parametrize(("name", "registered"), [
    ("www.example.com", "example.com"), ("co.uk", None), ("localhost", None), ("203.0.113.9", None),
    ("a.b.test", "b.test"), ("b.test", "b.test"), ("bob.github.io", "github.io"), ("..", None),
])  # fmt: skip
def test_a_registered_domain_follows_the_public_suffix_list(name, registered):
    assert registered_domain(name) == registered


def test_magnitude_is_exact_for_large_numbers():
    assert magnitude(10**15 - 1) == 10**14
    assert magnitude(10**15) == 10**15


@pytest.mark.parametrize(("text", "clean"), [
    ("mail from bob.smith@example.org now", "mail from <EMAIL> now"),
    ("login user=bob; from 10.1.2.3", "login <USER>; from <IPV4>"),
    ("password: hunter2 next", "<SECRET> next"),
    ("peer 2001:db8::1 and fe80::1%eth0", "peer <IPV6> and <IPV6>%eth0"),
    ("at 12:30:45 all was well", "at 12:30:45 all was well"),
    ("mapped ::ffff:10.0.0.1 and mac 00:1B:44:11:3a:b7", "mapped <IPV6> and mac <MAC>"),
    ("/home/bob/.ssh and /var/log", "<USERPATH>/.ssh and /var/log"),
    ("card 4111 1111 1111 1111 paid", "card <CARD> paid"),
    ("number 4111 1111 1111 1112 kept", "number 4111 1111 1111 1112 kept"),
    ("call +49 30 1234567 today", "call <PHONE> today"),
    ("iban DE89 3704 0044 0532 0130 00 here", "iban <IBAN> here"),
    ("host pc-17.corp answered", "host <HOST> answered"),
])  # fmt: skip
def test_names_are_removed_from_text(text, clean):
    assert redact(text) == clean
    assert redact(clean) == clean


def test_luhn_knows_a_card_number():
    assert luhn("4111 1111 1111 1111")
    assert not luhn("4111111111111112")
