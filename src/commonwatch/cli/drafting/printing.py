"""`commonwatch agreement print`: a document, envelope or record as HTML or PDF.

Of a record the newest version is drawn; marks of signatures are shown where they verify.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from commonwatch.agreements import signing
from commonwatch.agreements.check import check
from commonwatch.agreements.decode import decode
from commonwatch.agreements.record import record_from
from commonwatch.cli.files import is_envelope, text, write
from commonwatch.cli.life.showing import is_record
from commonwatch.errors import InvalidInput
from commonwatch.web.print import Mark, Sheet, sheet_of, to_html, to_pdf


def draw(args: argparse.Namespace) -> int:
    """Write the page; the kind of file follows from its name."""
    kind = Path(args.out).suffix.lower()
    if kind not in {".html", ".pdf"}:
        raise InvalidInput("the kind of file is not known", where="--out", todo="end it in .html or .pdf")
    sheet = _sheet(text(args.file))
    write(args.out, to_pdf(sheet) if kind == ".pdf" else to_html(sheet).encode())
    return 0


def _sheet(source: str) -> Sheet:
    if is_envelope(source):
        return _signed(signing.envelope_from(source))
    if is_record(source):
        return _signed(record_from(source).documents[-1])
    document = decode(source)
    check(document, draft=True)
    return sheet_of(document)


def _signed(envelope: signing.Envelope) -> Sheet:
    document, signed = signing.read_payload(envelope), signing.signed_by(envelope)
    return sheet_of(document, [Mark(s.id, s.key) for s in signing.signers(document) if s.id in signed])
