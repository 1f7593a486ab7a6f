"""A sheet as PDF, A4, with page numbers and the document's name on each page.

Rules held here: every value is escaped before it becomes markup, so a title can neither style nor load anything; fonts
come from this package, and a character that they lack is printed as its code point; equal sheets give equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    HRFlowable,
    KeepTogether,
    ListFlowable,
    ListItem,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from commonwatch.web.print import sheet as s

INK, MUTED, LINE, GOOD = (HexColor(f"#{value}") for value in ("111a22", "51606d", "ccd5dc", "15703a"))
SERIF, BOLD, SANS, MONO = "Commonwatch-Serif", "Commonwatch-Bold", "Commonwatch-Sans", "Commonwatch-Mono"
_FILES = {SERIF: "DejaVuSerif", BOLD: "DejaVuSerif-Bold", SANS: "DejaVuSans", MONO: "DejaVuSansMono"}
MARGIN, FOOT = 24 * mm, 26 * mm
WIDTH = A4[0] - 2 * MARGIN


def to_pdf(sheet: s.Sheet) -> bytes:
    """The document. Equal sheets give equal bytes."""
    _fonts()
    out = io.BytesIO()
    frame = Frame(MARGIN, FOOT, WIDTH, A4[1] - FOOT - 22 * mm, 0, 0, 0, 0)
    name = f"{_shown(sheet.title)[:90]}"
    made = BaseDocTemplate(
        out, pagesize=A4, invariant=1, title=sheet.title, subject=sheet.kind, author="", creator="Commonwatch",
        lang="en", pageTemplates=[PageTemplate("page", [frame])],
    )  # fmt: skip
    made.build(list(_story(sheet)), canvasmaker=lambda *args, **more: _Numbered(name, *args, **more))
    return out.getvalue()


@cache
def _fonts() -> dict[str, TTFont]:
    """The fonts of this package, registered once."""
    folder = files("commonwatch.web.print") / "fonts"
    found = {name: TTFont(name, io.BytesIO((folder / f"{file}.ttf").read_bytes())) for name, file in _FILES.items()}
    for font in found.values():
        pdfmetrics.registerFont(font)
    return found


class _Numbered(Canvas):  # type: ignore[misc]
    """A canvas that knows how many pages there are before it writes their numbers."""

    def __init__(self, name: str, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._name = name
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write every page with its number."""
        for number, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            self.setFont(SANS, 7.2)
            self.setFillColor(MUTED)
            self.drawString(MARGIN, 14 * mm, self._name)
            self.drawRightString(A4[0] - MARGIN, 14 * mm, f"{number} / {len(self._pages)}")
            super().showPage()
        super().save()


# --- parts -----------------------------------------------------------------------------------------------------------


def _style(name: str, font: str, size: float, lead: float, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(
        name, fontName=font, fontSize=size, leading=lead, textColor=more.pop("textColor", INK), **more
    )


BODY = _style("body", SERIF, 8.9, 13.6, spaceAfter=3)
ITEM = _style("item", SERIF, 8.9, 13.2)
TITLE = _style("title", SERIF, 19, 25, spaceBefore=3, spaceAfter=12)
HEAD = _style("head", SANS, 10.6, 14, spaceBefore=4, spaceAfter=7, keepWithNext=1)
CLAUSE = _style("clause", BOLD, 9, 13, spaceBefore=9, spaceAfter=2, keepWithNext=1)
LABEL = _style("label", SANS, 7.6, 12.4, textColor=MUTED)
TERM = _style("term", SANS, 7.4, 11.6)
MEANING = _style("meaning", SERIF, 8.2, 11.8)
SMALL = _style("small", SANS, 7.6, 11.4, textColor=MUTED)
HASH = _style("hash", MONO, 7.1, 10.6, textColor=MUTED, splitLongWords=1, wordWrap="CJK")
EXACT = _style("exact", MONO, 7, 10.6, leftIndent=9, firstLineIndent=-9, spaceAfter=3, splitLongWords=1)


def _story(sheet: s.Sheet) -> Iterator[Flowable]:
    state = "draft, not signed by all" if sheet.draft else "signed by all parties"
    yield _text(f"{sheet.kind}, {state}", SMALL)
    yield _text(sheet.title, TITLE)
    yield _pairs(sheet.facts, LABEL, BODY)
    yield from _heading("Parties")
    yield from (_party(party) for party in sheet.parties)
    yield from _heading("What is agreed")
    for clause in sheet.clauses:
        yield _marked(f"{_markup(clause.name)} {_tag(clause.does)}", CLAUSE)
        yield _text(clause.lead, BODY)
        yield from _list(clause.parts)
    if sheet.duties:
        yield from _heading("Duties")
        yield _text("Whoever receives under this agreement shall:", BODY)
        yield from _list(sheet.duties)
    if sheet.law:
        yield from _heading("Purpose and law")
        yield _pairs(sheet.law, LABEL, BODY)
    yield from _heading("Signatures")
    yield from (_signature(party) for party in sheet.parties)
    yield from _definitions(sheet)
    yield from _versions(sheet)
    yield PageBreak()
    yield from _heading("The exact text", rule=False)
    yield _text("These words are signed; their SHA-256 is", SMALL)
    yield _text(sheet.text_digest, HASH)
    yield Spacer(0, 8)
    yield from (_text(line, EXACT) for line in sheet.text.splitlines())


def _definitions(sheet: s.Sheet) -> Iterator[Flowable]:
    """Each group's heading stays with its first lines, and the section's heading with its first group."""
    heading = list(_heading("What the words mean"))
    for name, lines in sheet.definitions:
        yield KeepTogether([*heading, _text(name, CLAUSE), _pairs(lines[:2], TERM, MEANING)])
        yield from [_pairs(lines[2:], TERM, MEANING)] if lines[2:] else []
        heading = []


def _versions(sheet: s.Sheet) -> Iterator[Flowable]:
    yield from _heading("Versions")
    yield _text("Each version names the one before by the SHA-256 of its bytes.", SMALL)
    for name, digest, at, here in sheet.chain or (("This version", sheet.digest, "", True),):
        said = f"{name}{', this one' if here and sheet.chain else ''}{f', registered {at}' if at else ''}"
        yield KeepTogether([Spacer(0, 4), _text(said, BODY), _text(digest, HASH)])


def _heading(title: str, *, rule: bool = True) -> Iterator[Flowable]:
    if rule:
        line = HRFlowable(width="100%", thickness=0.5, color=LINE, spaceBefore=12, spaceAfter=7)
        line.keepWithNext = 1
        yield line
    yield _text(title, HEAD)


def _party(party: s.Signing) -> Flowable:
    lines = [_text(party.name, BODY), _text(f"{party.role}, organisation {party.org}", SMALL)]
    lines += [_text(f"{name}, {reach}", SMALL) for name, reach in party.contacts]
    return KeepTogether([*lines, Spacer(0, 7)])


def _signature(party: s.Signing) -> Flowable:
    """Name and role on the left, signature and key on the right; a line to sign on where there is none."""
    if party.signed:
        said = _marked(f'<font color="{_hex(GOOD)}">Signed</font>{_markup(f", {party.at}" if party.at else "")}', BODY)
    else:
        said = _text("Not signed", BODY)
    key = _text(f"key {party.key}", HASH) if party.key else _text("key not yet known", SMALL)
    right: list[Flowable] = [said, key]
    if not party.signed:
        right += [Spacer(0, 20), HRFlowable(width="100%", thickness=0.5, color=MUTED)]
    left = [_text(party.name, BODY), _text(party.role, SMALL)]
    return KeepTogether([_table([[left, right]], (WIDTH * 0.38, WIDTH * 0.62)), Spacer(0, 12)])


def _pairs(lines: Iterable[s.Line], label: ParagraphStyle, value: ParagraphStyle) -> Flowable:
    rows = [[_text(a, label), _text(b, value)] for a, b in lines]
    return _table(rows, (WIDTH * 0.27, WIDTH * 0.73))


def _table(rows: list[list[Any]], widths: tuple[float, float]) -> Flowable:
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 8), ("BOTTOMPADDING", (0, 0), (-1, -1), 0.5),
        ("TOPPADDING", (0, 0), (0, -1), 1.6), ("TOPPADDING", (1, 0), (-1, -1), 0.5),
    ]  # fmt: skip
    return Table(rows, colWidths=widths, style=style, hAlign="LEFT")


def _list(items: Iterable[str]) -> Iterator[Flowable]:
    listed = [ListItem(_text(item, ITEM), leftIndent=12) for item in items]
    if listed:
        dot: dict[str, Any] = {"bulletFontName": SERIF, "bulletFontSize": 8.9, "bulletColor": MUTED}
        yield ListFlowable(listed, bulletType="bullet", start="\u2022", leftIndent=12, **dot)
        yield Spacer(0, 3)


def _tag(text: str) -> str:
    return f'<font name="{SANS}" size="7.4" color="{_hex(MUTED)}">&nbsp;&nbsp;{_markup(text)}</font>'


def _hex(color: Any) -> str:
    return f"#{color.hexval()[2:]}"


def _text(text: str, style: ParagraphStyle) -> Flowable:
    return Paragraph(_markup(text), style)


def _marked(markup: str, style: ParagraphStyle) -> Flowable:
    return Paragraph(markup, style)


def _markup(text: str) -> str:
    """Text as markup that says exactly this text."""
    return escape(_shown(text), {'"': "&quot;", "'": "&#39;"})


def _shown(text: str) -> str:
    """The text with characters that the fonts lack as their code points."""
    known = _fonts()[SERIF].face.charToGlyph
    return "".join(c if ord(c) in known else f"(U+{ord(c):04X})" for c in text)
