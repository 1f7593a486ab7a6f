"""`python -m commonwatch.ingest.report.reference [FOLDER]`: write the reference page of every format from its table."""

from __future__ import annotations

import sys
from pathlib import Path

from commonwatch.ingest.formats import formats
from commonwatch.ingest.report.mapping import page


def write_pages(folder: Path) -> list[Path]:
    """Write one page a format; gives the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for known in formats().values():
        path = folder / f"{known.name.replace('_', '-')}.md"
        path.write_text(page(known.name, known.title, known.mapping, known.most), "utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    write_pages(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference/formats"))
