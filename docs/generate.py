"""`./dev docs`: write the reference pages that come from the code. A test checks that what is committed is current."""

from __future__ import annotations

import json
from pathlib import Path

from commonwatch.agreements.decode import json_schema
from commonwatch.agreements.english import say_clause
from commonwatch.agreements.english.phrases import say_duties
from commonwatch.agreements.impact.findings import KINDS
from commonwatch.agreements.lattice import points
from commonwatch.agreements.templates import instantiate, sample
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import FAMILIES, FIELDS
from commonwatch.hub.templates.shipped import shipped
from commonwatch.ingest.report.reference import write_pages
from commonwatch.web.openapi import document

REFERENCE = Path(__file__).resolve().parent / "reference"


def columns() -> str:
    """The canonical table as Markdown."""
    lines = [
        "# Columns of an event",
        "",
        "One flat row per detection or observation, by OCSF 1.6.0. Made from `commonwatch.events.columns`.",
        "",
        "| column | kind | OCSF 1.6 | clause field | shown from |",
        "| --- | --- | --- | --- | --- |",
    ]
    for c in COLUMNS.values():
        field = f"`{c.field}`" if c.field else f"never ({c.role})"
        shown = f"`{c.follows}`" if c.field else ""
        lines.append(f"| `{c.name}` | {c.kind} | `{c.ocsf}` | {field}{', free text' if c.text else ''} | {shown} |")
    return "\n".join(lines) + "\n"


def levels() -> str:
    """Clause fields with the named points of their families as Markdown."""
    lines = [
        "# Fields and levels of a clause",
        "",
        "What a clause can disclose, and how precisely. Made from `commonwatch.events.fields` and the lattice.",
        "",
        "| family | named points | clause fields |",
        "| --- | --- | --- |",
    ]
    for family in FAMILIES:
        names = ", ".join(f"`{name}`" for name in points(family))
        fields = ", ".join(f"`{f.name}`" for f in FIELDS.values() if f.family == family)
        lines.append(f"| {family} | {names} | {fields} |")
    return "\n".join(lines) + "\n"


CHOOSE = """# Choose a level

A template is an agreement with a few blanks. It comes in levels, and each level shows at least what the one before
shows, never less. Pick one; you can refine the draft clause by clause, and go up or down later with a new version.

```sh
commonwatch agreement templates                                   # what there is, in a few words
commonwatch agreement new --out northgate.yaml                    # questions in plain words, then a draft
commonwatch agreement new --template sme-member --level 2 --set owner=northgate-dental --set community=sme-shield \\
    --set starts=2026-12-01 --set ends=2027-11-30 --out northgate.yaml
commonwatch agreement print northgate.yaml --out northgate.pdf    # a clean page, with what every word means
```

What you can do without, leave out (`--without warn-peers`); what must never be shown, cap with a limit. Such
exceptions only ever narrow. The draft says which template, version and level it came from, and which clauses were
changed, and this is signed with the rest.

**For a whole fleet** there is `commonwatch agreement batch sme-member members.csv --level 3 --set
operator=harbour-mss --out drafts`: a draft for each row, the rows that gave none with their reasons, and one page of
exceptions by what they do. A misspelt column refuses the whole file: an exception in it would be lost, and show more
than was meant.

**A community's steward** publishes templates of its own (`commonwatch agreement templates --publish FILE`, or
`POST /api/templates`). When a new version is there, `agreement templates --older ID --out drafts` lists the
agreements on an older one, each with a draft of its next version; who does not sign stays as it is.

This page is made from the templates; the words below are those that are signed, with `the-NAME` where a value will
stand.
"""


def choose_a_level() -> str:
    """The guide to templates, with the text of each level."""
    lines = [CHOOSE]
    for template in shipped().values():
        lines += [f"## {template.title}", "", f"`{template.id}`, version {template.version}. {template.summary}", ""]
        for one in template.levels:
            agreement = instantiate(template, one.level, sample(template)).agreement
            lines += [f"### {one.level}. {one.title}", "", one.summary, ""]
            lines += [f"- You give: {text}" for text in one.give] + [f"- You get: {text}" for text in one.get]
            lines += ["", *(f"> {say_clause(clause)}\n>" for clause in agreement.clauses)]
            lines[-1] = lines[-1].removesuffix("\n>")
            lines.append("")
        lines += [f"Duties at every level: {say_duties(template.duties)}.", ""]
    return "\n".join(lines)


def findings() -> str:
    """The kinds of findings about documents as Markdown."""
    lines = [
        "# Findings about agreements",
        "",
        "What `commonwatch agreement lint` and `POST /api/agreements/impact` can find in a document, among the others",
        "of its owner. A warning is most likely a mistake; a note may be meant. Each finding names a path, and where",
        "there is one, a case in which it is so. Made from `commonwatch.agreements.impact.findings`.",
        "",
        "| kind | weight | what it means | what to do |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| `{name}` | {kind.weight} | {kind.meaning} | {kind.todo} |" for name, kind in KINDS.items()]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name in docs/reference -> its text."""
    return {
        "columns.md": columns(),
        "levels.md": levels(),
        "../guides/choose-a-level.md": choose_a_level(),
        "findings.md": findings(),
        "agreement.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        "openapi.json": document().decode(),
    }


def main() -> None:
    """Write every page; those of the formats have their own generator."""
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, "utf-8")
    write_pages(REFERENCE / "formats")


if __name__ == "__main__":
    main()
