"""`./dev docs`: write the reference pages that come from the code. A test checks that what is committed is current."""

from __future__ import annotations

import json
from pathlib import Path

from commonwatch.agreements.decode import json_schema
from commonwatch.agreements.lattice import points
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import FAMILIES, FIELDS
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


def pages() -> dict[str, str]:
    """File name in docs/reference -> its text."""
    return {
        "columns.md": columns(),
        "levels.md": levels(),
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
