"""Rungs in general: a higher rung shows everything lower rungs show, and a rung never shows what it hides."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from commonwatch.events.address import Address, from_packed, network_of, parse
from commonwatch.events.columns import COLUMNS, columns_of, disclosable
from commonwatch.events.event import MAX_TEXT, Event, clean
from commonwatch.events.fields import FAMILIES, FIELDS, family_of
from commonwatch.events.labels import CLASS_WORDS, OCSF_CLASS, EventClass, Label, Severity, Tlp
from commonwatch.events.redact import redact
from commonwatch.events.rungs import STEPS, floor_time, magnitude, rung

MICROS = st.integers(-(10**17), 10**17)
ADDRESSES = st.ip_addresses().map(str).map(parse)
STEP_ORDER = ["window", "week", "day", "hour", "minute", "exact"]


@given(MICROS, st.sampled_from(STEP_ORDER), st.sampled_from(STEP_ORDER))
def test_a_finer_time_shows_everything_a_coarser_one_shows(micros, one, other):
    coarse, fine = sorted((one, other), key=STEP_ORDER.index)
    assert floor_time(floor_time(micros, fine), coarse) == floor_time(micros, coarse)
    assert 0 <= micros - floor_time(micros, coarse) < STEPS.get(coarse, 1)


@given(ADDRESSES, st.integers(0, 255))
def test_a_network_hides_the_host(address, host):
    other = Address(address.hi, (address.lo & ~0xFF) | host)
    assert rung("address", "network", "src_ip", address) == rung("address", "network", "src_ip", other)
    assert network_of(network_of(address)) == network_of(address)


@given(ADDRESSES)
def test_an_address_survives_text_and_bytes(address):
    assert parse(str(address)) == address
    assert from_packed(address.packed) == address


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing(text):
    assert redact(redact(text)) == redact(text)


@given(
    st.from_regex(
        r"(https?://)?[a-z]{1,8}(\.[a-z]{2,5})?(:[1-9][0-9]{0,3})?(/[a-z]{0,4}){0,3}(\?[a-z=]{0,5})?(#[a-z]{0,3})?",
        fullmatch=True,
    )
)
def test_the_path_of_a_web_address_shows_its_site_and_hides_its_query(url):
    path = rung("link", "path", "url", url)
    assert rung("link", "site", "url", path) == rung("link", "site", "url", url)
    assert path is None or ("?" not in path and "#" not in path)


@given(st.integers(0, 2**64))
def test_a_magnitude_is_the_power_of_ten_below(number):
    shown = magnitude(number)
    assert shown <= number < max(shown, 1) * 10
    assert magnitude(shown) == shown


@given(
    st.text(max_size=60) | st.builds(lambda c, n: c * n, st.characters(codec="utf-8"), st.integers(1_000, MAX_TEXT + 2))
)
def test_cleaned_text_is_printable_bounded_and_stays_as_it_is(text):
    cleaned = clean(text)
    if cleaned is not None:
        assert len(cleaned.encode()) <= MAX_TEXT
        assert clean(cleaned) == cleaned
        assert "\n" not in cleaned


def test_every_column_follows_a_precision_of_its_own_family():
    for column in disclosable():
        assert column.follows in family_of(column.field).precisions
        assert column in columns_of(column.field)
    assert all(c.role != "value" for c in COLUMNS.values() if c.field is None)


def test_every_field_of_an_event_is_a_column_with_the_same_name():
    assert set(Event.__struct_fields__) <= set(COLUMNS)


def test_every_clause_field_but_the_organisations_attributes_covers_a_column():
    without = {f for f in FIELDS if not columns_of(f)}
    assert without == {"owner_sector", "owner_region", "owner_size"}


def test_every_family_ends_in_exact_and_begins_with_withheld():
    assert all(f.precisions[0] == "withheld" and f.precisions[-1] == "exact" for f in FAMILIES.values())
    assert {f.family for f in FIELDS.values()} == set(FAMILIES)


def test_every_class_has_a_word_and_an_ocsf_class():
    assert set(OCSF_CLASS) == set(EventClass) == set(CLASS_WORDS.values())
    assert len(EventClass) == 14


def test_the_worst_label_is_red_of_unknown_severity_and_site():
    assert Label.worst(EventClass.WEB) == Label(EventClass.WEB, Tlp.RED, Severity.UNKNOWN, "")
    assert max(Tlp) == Tlp.RED
    assert Tlp.AMBER_STRICT.word == "amber+strict"
