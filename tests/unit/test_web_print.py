"""Agreements on paper: every word has its meaning, hostile text stays text, equal sheets are equal bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import msgspec
import pypdfium2
import pytest

from commonwatch.agreements.decode import canonical, digest
from commonwatch.agreements.document import BLANK_KEY, Contact, Law
from commonwatch.agreements.english import phrases, say, say_clause
from commonwatch.agreements.signing import envelope_bytes
from commonwatch.agreements.templates import instantiate, sample
from commonwatch.cli import main
from commonwatch.events.fields import FIELDS
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS
from commonwatch.hub.templates.shipped import shipped
from commonwatch.web.print import CSP, Chain, Mark, meanings, sheet_of, to_html, to_pdf
from commonwatch.web.print.html import STYLE
from strategies import signed as make

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> &amp; </title></style><para>{{x}} `${y}`"
MEMBER = shipped()["sme-member"]


def agreement(**changes):
    """The widest level of a member, with everything that can be printed."""
    made = instantiate(MEMBER, 4, sample(MEMBER) | {"jurisdiction": "England and Wales"}).agreement
    return msgspec.structs.replace(made, **changes)


def hostile():
    """Hostile text wherever a document holds text."""
    made = agreement(title=HOSTILE, law=Law(purpose=HOSTILE, notes=HOSTILE))
    contact = Contact(name=HOSTILE, reach=HOSTILE)
    parties = tuple(msgspec.structs.replace(p, name=HOSTILE, contacts=(contact,)) for p in made.parties)
    return msgspec.structs.replace(made, parties=parties)


class Reading(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    parser = Reading()
    parser.feed(page)
    return parser


def pages(data):
    """The text of every page."""
    document = pypdfium2.PdfDocument(data)
    found = [page.get_textpage().get_text_bounded() for page in document]
    document.close()
    return found


def words(text):
    """Letters alone: lines of a PDF break anywhere."""
    return re.sub(r"[\s\ufffe]+|-(?=\s)", "", text)


def test_every_word_of_the_vocabulary_has_a_meaning():
    assert set(meanings.CLASSES) == set(CLASS_WORDS)
    assert set(meanings.PURPOSES) == set(phrases.PURPOSES)
    assert set(meanings.ROLES) == set(phrases.ROLES)
    assert set(meanings.TLP) == set(TLP_WORDS)
    assert set(meanings.SEVERITIES) == set(SEVERITY_WORDS) - {"unknown"}
    assert set(meanings.MEASURES) == set(phrases.MEASURES)
    assert set(meanings.FIELDS) <= set(FIELDS)
    assert all(meanings.point(name) for name in phrases.levels())


def test_the_sheet_defines_the_words_it_uses_and_no_others():
    defined = {term for _, lines in sheet_of(agreement()).definitions for term, _ in lines}
    assert {
        "TLP:AMBER",
        "TLP:AMBER+STRICT",
        "all CERTs",
        "high",
        "as a pseudonym with its network",
        "noise",
        "login",
    } <= defined
    assert not {"TLP:RED", "all researchers", "attack pattern", "to the week", "sources"} & defined


@pytest.mark.parametrize("level", range(5))
def test_the_sentences_on_paper_are_the_signed_words(level):
    made = instantiate(MEMBER, level, sample(MEMBER)).agreement
    for clause, shown in zip(made.clauses, sheet_of(made).clauses, strict=True):
        assert f"[{clause.id}] {' '.join([shown.lead, *shown.parts])}" == say_clause(clause)


def test_html_and_pdf_say_everything_in_the_document():
    made = agreement()
    sheet = sheet_of(made, (), [Chain(1, digest(canonical(made)), 1_795_348_800_000_000)])
    html, pdf = "".join(read(to_html(sheet)).text), words("".join(pages(to_pdf(sheet))))
    for said in (
        "England and Wales",
        "Early warning of attacks",
        "registered 22 November 2026, 12:00 UTC",
        sheet.digest,
    ):
        assert said in html
        assert words(said) in pdf
    for line in say(made).splitlines():
        assert line in html
        assert words(line) in pdf


def test_hostile_text_stays_text():
    sheet = sheet_of(hostile())
    found = read(to_html(sheet))
    assert not found.tags & {"script", "img", "para"}
    assert found.attributes <= {"class", "lang", "charset", "name", "content"}
    assert HOSTILE in "".join(found.text)
    assert words(HOSTILE) in words("".join(pages(to_pdf(sheet))))


def test_the_page_loads_nothing_and_only_its_own_style_may_apply():
    page = to_html(sheet_of(agreement()))
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style == STYLE
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in CSP
    assert not re.search(r"src=|href=|url\(|@import|http", page)


def test_equal_sheets_are_equal_bytes():
    sheet = sheet_of(agreement())
    assert to_html(sheet) == to_html(sheet)
    assert to_pdf(sheet) == to_pdf(sheet)


def test_every_page_of_the_pdf_is_numbered_and_named():
    found = pages(to_pdf(sheet_of(agreement())))
    assert len(found) > 2
    assert all(f"{n} / {len(found)}" in text and "Full help plus the CERT" in text for n, text in enumerate(found, 1))


def test_letters_of_europe_are_printed_and_others_as_their_code_points():
    made = agreement(title="Bäckerei Łódź Ελλάς Привет 中")
    text = words("".join(pages(to_pdf(sheet_of(made)))))
    assert words("Bäckerei Łódź Ελλάς Привет (U+4E2D)") in text
    assert "中" in to_html(sheet_of(made))


def test_only_verified_signatures_are_shown_and_a_draft_says_so():
    document, (owner, operator) = make.agreement(), make.agreement().parties
    signed = sheet_of(document, [Mark(owner.id, owner.key, 0), Mark(operator.id, "x" * 43)])
    assert [p.signed for p in signed.parties] == [True, False]
    assert "Draft, not signed by all" in to_html(signed)
    whole = sheet_of(document, [Mark(p.id, p.key) for p in document.parties])
    assert "Signed by all parties" in to_html(whole)
    assert "Not signed" not in to_html(whole)
    assert BLANK_KEY not in "".join(read(to_html(sheet_of(agreement()))).text).partition("The exact text")[0]


def test_the_command_prints_documents_and_envelopes(tmp_path, capsys):
    source, out = tmp_path / "a.json", tmp_path / "a.html"
    source.write_bytes(canonical(make.agreement()))
    assert main(["agreement", "print", str(source), "--out", str(out)]) == 0
    assert "Draft" in out.read_text()
    source.write_bytes(envelope_bytes(make.signed(make.agreement(), make.OWNER)))
    assert main(["agreement", "print", str(source), "--out", str(out)]) == 0
    assert out.read_text().count('<span class="ok">Signed</span>') == 1
    assert main(["agreement", "print", str(source), "--out", str(tmp_path / "a.pdf")]) == 0
    assert (tmp_path / "a.pdf").read_bytes()[:5] == b"%PDF-"
    assert main(["agreement", "print", str(source), "--out", str(tmp_path / "a.doc")]) == 2
    assert "end it in .html or .pdf" in capsys.readouterr().err
