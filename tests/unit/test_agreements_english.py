"""The controlled English by example: what people read before they sign."""

from __future__ import annotations

import pytest

from commonwatch.agreements.english import read, say
from commonwatch.errors import InvalidInput
from strategies import signed as make

TO_ALL = {"organisations": ["coast-cert", "delta-mss"], "communities": ["sme-shield"], "roles": ["isp"]}
DOCUMENT = make.agreement(
    version=3, previous="ab" * 32, community="sme-shield", law={"basis": "Art. 6(1)(f) GDPR; NIS 2", "notes": "none"},
    duties={"actions": "internal", "delete_after_days": 90},
    clauses=[
        {"kind": "share", "id": "cert-incidents", "to": TO_ALL, "purposes": ["respond", "operate"],
         "rows": {"events": ["dns", "malware"], "tlp": "amber+strict", "severity": "high", "sites": ["lab", "annex"],
                  "after": 24, "until": 100},
         "fields": {"time": "hour", "src_ip": "exact", "dst_ip": "pseudonym+network", "user": "one-time-pseudonym",
                    "signature": "exact"}, "lookup": {"fields": ["user", "dst_ip"], "per_day": 50}},
        {"kind": "count", "id": "picture", "to": {}, "purposes": ["detect"], "rows": {"events": ["flow"], "tlp": "green"},
         "by": {"time": "day", "src_ip": "country", "owner_sector": "section"}, "measures": ["events", "onsets"]},
        {"kind": "count", "id": "private", "to": {"roles": ["sme"]}, "purposes": ["research"],
         "rows": {"events": ["auth"], "tlp": "amber"}, "by": {"malware": "family"}, "contributors": 20,
         "noise": {"epsilon": 2.2, "total": 7.0}},
        {"kind": "limit", "id": "people", "outside": {"organisations": ["delta-mss"]},
         "fields": {"user": "pseudonym", "mail_to": "withheld", "message": "withheld"}},
        {"kind": "limit", "id": "grave", "purposes": ["detect"], "on": "counts", "contributors": 9, "noise": {"epsilon": 1.0},
         "rows": {"events": ["match"], "from_tlp": "amber", "from_severity": "high", "sites": ["lab"], "until": 48}},
    ],
)  # fmt: skip
TEXT = f"""\
Data Sharing Agreement alpha-shield, version 3: "Outbreak warning".
It replaces the version whose SHA-256 is {"ab" * 32}.
It is made in community sme-shield and bound by the charter of that community.
It is valid from 2026-12-01 to 2027-11-30, both days included.
Owner is organisation alpha-dental, "Alpha Dental Ltd", signing with key {make.OWNER.thumbprint}.
Operator is organisation delta-mss, "Delta", signing with key {make.OPERATOR.thumbprint}.
[cert-incidents] Share malware and DNS events marked TLP:AMBER+STRICT or lower of high severity or above at site annex \
or lab, once they are 1 day old, until they are 100 hours old with organisations coast-cert and delta-mss; community \
sme-shield; all internet providers for running the service or responding to incidents: time to the hour; signature and \
source address exactly; destination address as a pseudonym with its network; user name as a one-time pseudonym; up to \
50 known values a day of destination address and user name may be looked up.
[picture] Share counts of new threat families and events in network flow events marked TLP:GREEN or lower with nobody \
for detecting threats, by time to the day, contributor sector as its main group and source address as its country, \
only for groups of at least 5 contributors.
[private] Share counts of new threat families in login events marked TLP:AMBER or lower with all small and medium \
enterprises for research, by malware name as its family, only in releases that pool at least 20 contributors, with \
noise spending at most epsilon 2.2 in each eight-week window and 7.0 in all.
[people] For all events, never show anyone outside organisation delta-mss more than: user name as a pseudonym; mail \
recipient and message text withheld.
[grave] For attack pattern events marked TLP:AMBER or higher of high severity or above at site lab, until they are 2 \
days old read for detecting threats, in counts, never show anyone more than: counts for groups of at least 9 \
contributors; noise spending at most epsilon 1.0 in each eight-week window.
Whoever receives under this agreement shall: act on what they receive only inside their own organisation; pass nothing \
on; never name the owner; do not notify those affected; never sell it; send it only encrypted; delete it after 90 days; \
report a breach within 1 day.
Law, not interpreted: basis "Art. 6(1)(f) GDPR; NIS 2"; notes "none".
"""


def test_a_document_is_said_in_these_words_and_read_back():
    assert say(DOCUMENT) == TEXT
    assert read(TEXT) == DOCUMENT


def test_a_charter_is_said_in_these_words():
    assert say(make.charter()) == (
        'Charter alpha-charter, version 1: "Standing limits".\n'
        f'Owner is organisation alpha-dental, "Alpha Dental Ltd", signing with key {make.OWNER.thumbprint}.\n'
        "[people] For all events, never show anyone more than: user name withheld.\n"
    )


@pytest.mark.parametrize(("old", "new", "line"), [
    ("1 day old", "24 hours old", 7),
    ("malware and DNS", "DNS and malware", 7),
    ("annex or lab", "lab or annex", 7),
    ("7.0 in all", "7.00 in all", 9),
    ("organisations coast-cert and delta-mss", "organisation coast-cert and delta-mss", 7),
    ("delete it after 90 days", "delete it after 2160 hours", 12),
    ("signature and source address exactly", "source address and signature exactly", 7),
    (".\nOwner", ".\n\nOwner", 5),
    ("never show", "never ever show", 10),
    ("user name as a pseudonym; mail", "user name as a friend; mail", 10),
    ("TLP:GREEN", "TLP:green", 8),
])  # fmt: skip
def test_a_variant_is_refused_with_its_line(old, new, line):
    assert old in TEXT
    with pytest.raises(InvalidInput) as caught:
        read(TEXT.replace(old, new, 1))
    assert caught.value.where == f"line {line}"


@pytest.mark.parametrize(
    "text",
    ["", "\n", "hello", TEXT + TEXT, TEXT.replace("[people]", "[private]"), TEXT[:-1], TEXT.replace("\n", "\r\n")],
)
def test_what_is_not_exactly_a_document_is_refused(text):
    with pytest.raises(InvalidInput):
        read(text)
