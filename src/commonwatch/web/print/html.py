"""A sheet as one self-contained HTML page: no script, no file, no address of anything else; dark, light and paper.

Rules held here: every value is escaped where it enters; the style sheet is a constant whose hash the content security
policy names, so nothing else can style, run or load; equal sheets give equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from importlib.resources import files

from commonwatch.web.print.sheet import Paragraph, Sheet, Signing

STYLE = (files("commonwatch.web.print") / "paper.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_META = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
#: What the page may do where it is served: be styled by exactly this style sheet, nothing else.
CSP = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def to_html(sheet: Sheet) -> str:
    """The page. Pure: equal sheets give equal text."""
    said = "Draft, not signed by all" if sheet.draft else "Signed by all parties"
    state = f'<p class="state{"" if sheet.draft else " signed"}">{said}</p>'
    parts = [
        f'<div class="top"><p class="kind">{escape(sheet.kind)}</p>{state}</div>',
        f"<h1>{escape(sheet.title)}</h1>",
        _pairs(sheet.facts),
        _section("Parties", "".join(_party(party) for party in sheet.parties)),
        _section("What is agreed", "".join(_clause(c) for c in sheet.clauses) or "<p>Nothing.</p>"),
    ]
    if sheet.duties:
        shall = "<p>Whoever receives under this agreement shall:</p>"
        parts.append(_section("Duties", shall + _list(sheet.duties)))
    if sheet.law:
        parts.append(_section("Purpose and law", _pairs(sheet.law)))
    parts.append(_section("Signatures", "".join(_signature(party) for party in sheet.parties)))
    if sheet.definitions:
        words = "".join(f"<h3>{escape(n)}</h3>{_pairs(lines, 'words')}" for n, lines in sheet.definitions)
        parts.append(_section("What the words mean", words))
    parts += [_section("Versions", _versions(sheet)), _annex(sheet)]
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(sheet.title)}</title>'
    )
    foot = f'<footer>SHA-256 <span class="hash">{sheet.digest}</span></footer>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n'
        f"<body><main>{''.join(parts)}</main>{foot}</body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"\n<section><h2>{escape(title)}</h2>{body}</section>"


def _pairs(lines: Iterable[tuple[str, str]], kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f"<dl{named}>{''.join(f'<dt>{escape(a)}</dt><dd>{escape(b)}</dd>' for a, b in lines)}</dl>"


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _party(party: Signing) -> str:
    contacts = "".join(f'<p class="small">{escape(name)}, {escape(reach)}</p>' for name, reach in party.contacts)
    who = f"<p>{escape(party.name)}</p>"
    return (
        f'<div class="party">{who}<p class="small">{party.role}, organisation {escape(party.org)}</p>{contacts}</div>'
    )


def _clause(clause: Paragraph) -> str:
    head = f'<h3>{escape(clause.name)}<span class="tag">{clause.does}</span></h3>'
    return f"{head}<p>{escape(clause.lead)}</p>{_list(clause.parts) if clause.parts else ''}"


def _signature(party: Signing) -> str:
    at = f", {party.at}" if party.at else ""
    said = f'<span class="ok">Signed</span>{at}' if party.signed else "Not signed"
    key = f'<p class="hash">key {escape(party.key)}</p>' if party.key else '<p class="small">key not yet known</p>'
    line = "" if party.signed else '<div class="line"></div>'
    who = f'<div><p>{escape(party.name)}</p><p class="small">{party.role}</p></div>'
    return f'<div class="sign">{who}<div><p>{said}</p>{key}{line}</div></div>'


def _versions(sheet: Sheet) -> str:
    rows = sheet.chain or (("This version", sheet.digest, "", True),)
    items = [
        f"<li>{escape(name)}{', this one' if here and sheet.chain else ''}"
        f'{f", registered {at}" if at else ""}<br><span class="hash">{escape(digest)}</span></li>'
        for name, digest, at, here in rows
    ]
    said = '<p class="small">Each version names the one before by the SHA-256 of its bytes.</p>'
    return f'{said}<ol class="versions">{"".join(items)}</ol>'


def _annex(sheet: Sheet) -> str:
    lines = "".join(f"<span>{escape(line)}</span>" for line in sheet.text.splitlines())
    said = f'<p class="small">These words are signed; their SHA-256 is</p><p class="hash">{sheet.text_digest}</p>'
    return f'\n<section class="annex"><h2>The exact text</h2>{said}<pre>{lines}</pre></section>'
