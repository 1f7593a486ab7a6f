"""The way from bytes to outcomes: frame, recognise, parse, count. Works on portions, so that a tail can use it.

Rules held here: no input raises; every record is exactly one outcome; the format, once recognised, stays until 20
records in a row fail, then the next portion is looked at anew; `position` only moves behind what has been given out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from commonwatch.errors import InvalidInput
from commonwatch.ingest.archives import Chunks
from commonwatch.ingest.counters import Counters
from commonwatch.ingest.formats import Format, declared_rows, formats
from commonwatch.ingest.framing import Framer, Frames, Layout
from commonwatch.ingest.outcome import MAX_RECORD, Outcome, Parsed, Quarantined, Skipped, quarantine
from commonwatch.ingest.recognise import HEAD_BYTES, recognise
from commonwatch.ingest.report.leaves import json_leaves, said
from commonwatch.ingest.report.mapping import Mapping
from commonwatch.ingest.source import Context, Source
from commonwatch.ingest.tables import Found

RETEST_AFTER: Final = 20
#: Failures that speak against the format as such, not against one record's content.
_FOREIGN: Final = frozenset({"malformed", "unknown_kind", "unknown_format", "not_utf8"})


class Resume(msgspec.Struct, frozen=True):
    """Where and how to go on reading a source after a restart: offset, layout, format, what the format remembers."""

    position: int = 0
    layout: Layout | None = None
    format: str | None = None
    memory: bytes = b""


class Reader:
    """Reads one source portion by portion."""

    def __init__(self, source: Source, resume: Resume | None = None) -> None:
        resume = resume or Resume()
        self.counters = Counters()
        self._context = Context(source)
        self._context.memory = resume.memory
        self._format = _named(source.format or resume.format)
        self._fixed = source.format is not None
        self._framer = self._make_framer(resume.position, resume.layout)
        self._head = b""
        self._failures = 0
        self._given: list[Frames] = []
        self._again: Context | None = None  # for records that are looked at once more, with a memory of its own

    @property
    def source(self) -> Source:
        """The settings it reads with."""
        return self._context.source

    @property
    def format(self) -> Format | None:
        """The format, once it is recognised."""
        return self._format

    @property
    def mapping(self) -> Mapping | None:
        """What the format does with its fields: of declared rows, what their mapping declares."""
        declared = self._context.source.declared
        if self._format is None or declared is None or self._format.name != declared_rows.NAME:
            return self._format.mapping if self._format else None
        return declared_rows.tables_of(declared).reference()

    @property
    def position(self) -> int:
        """Every record before this offset has been given out."""
        return self._framer.position

    @property
    def resume(self) -> Resume:
        """What to keep on disk to go on from here."""
        name = self._format.name if self._format else None
        return Resume(self.position, self._framer.layout, name, self._context.memory)

    def leaves(self, record: bytes, kind: str | None) -> Iterator[tuple[str, Iterable[tuple[str, str]]]]:
        """What a record holds, as its format sees it: of each event it tells of the kind, (path, text) of every value.

        Records are given in order, each once, with the kind of their event (None: it has none).
        """
        known = self._format
        if known is None or known.find is None:
            yield from [(kind, json_leaves(record))] if kind else []
            return
        self._again = self._again or Context(self.source)
        found = known.find(record, self._again)
        for one in found if isinstance(found, list) else [found]:
            if isinstance(one, Found) and one.when is not None:
                yield one.kind, ((path, said(value)) for path, value in one.values.items() if value is not None)

    def records(self) -> Iterator[tuple[int, bytes]]:
        """(position, bytes) of every whole record that the last outcomes are about."""
        for frames in self._given:
            yield from zip(frames.offsets, frames.records, strict=True)

    def uid(self, position: int) -> bytes:
        """The event id of the record at a byte offset."""
        return self._context.uid(position)

    def feed(self, data: bytes) -> list[Outcome]:
        """Outcomes of the records that these bytes complete."""
        self._given = []
        if self._format is None:
            data = self._recognise(data)
        if not data:
            return []
        self._context.tick()
        return self._outcomes(self._framer.feed(data))

    def finish(self) -> list[Outcome]:
        """The source has ended: outcomes of what is left."""
        head, self._head, self._given = self._head, b"", []
        if self._format is None and head:
            self._settle(recognise(head))
        before = self._outcomes(self._framer.feed(head)) if head else []
        return before + self._outcomes(self._framer.finish())

    def _recognise(self, data: bytes) -> bytes:
        """Wait for a whole record (a comment is none) or enough bytes, then decide; gives the bytes to read now."""
        head = self._head + data
        if len(head) < HEAD_BYTES and not Framer().feed(head).records:
            self._head = head
            return b""
        self._head = b""
        self._settle(recognise(head))
        return head

    def _settle(self, found: Format | None) -> None:
        """Take a format; framing starts with it where nothing has been read yet."""
        self._format = found
        self._failures = 0
        if found is not None and self._framer.layout is None:
            self._framer = self._make_framer(self._framer.position, None)

    def _make_framer(self, position: int, layout: Layout | None) -> Framer:
        fixed: Layout | None = "lines" if self._format is not None and self._format.framing == "lines" else layout
        comments = self._format.comments if self._format is not None else True
        most = self._format.most if self._format is not None else MAX_RECORD
        return Framer(position=position, layout=fixed, comments=comments, most=most)

    def _outcomes(self, frames: Frames) -> list[Outcome]:
        self.counters.blank_lines += frames.blank
        self.counters.comment_lines += frames.comments
        self._given.append(frames)
        if self._format is None:
            outcomes = list(_unknown(frames))
        else:
            outcomes = self._format.parse(frames, self._context)
            self._watch(outcomes)
        self.counters.add(outcomes)
        return outcomes

    def _watch(self, outcomes: list[Outcome]) -> None:
        """Forget a recognised format after too many failures in a row."""
        for outcome in outcomes:
            if type(outcome) is not Quarantined:
                self._failures = 0
            elif outcome.reason in _FOREIGN:
                self._failures += 1
        if self._failures >= RETEST_AFTER and not self._fixed:
            self._format = None
            self._failures = 0
            self._context.memory = b""
            self._again = None


def _unknown(frames: Frames) -> Iterator[Outcome]:
    """Every record of a source that no format claims; only an over-long one keeps its own reason."""
    for broken in frames.broken:
        kept = broken.reason in {"too_large", "truncated"}
        yield broken if kept else Quarantined("unknown_format", broken.position, broken.head)
    for position, record in zip(frames.offsets, frames.records, strict=True):
        yield quarantine("unknown_format", position, record)


def _named(name: str | None) -> Format | None:
    if name is None:
        return None
    found = formats().get(name)
    if found is None:
        raise InvalidInput(f"no format {name!r}", where="format", todo=f"use one of {', '.join(formats())}")
    return found


def read(chunks: Iterable[bytes], source: Source, counters: Counters | None = None) -> Iterator[Outcome]:
    """Outcomes of a whole source given as portions of bytes; counts are merged into `counters`."""
    reader = Reader(source)
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.finish()
    if counters is not None:
        counters.merge(reader.counters)


def read_file(path: Path, source: Source, counters: Counters | None = None) -> Iterator[Outcome]:
    """Outcomes of a file, gzip archive or not; damage to the archive is counted, what was readable lands."""
    chunks = Chunks(path)
    yield from read(chunks, source, counters)
    if counters is not None and chunks.damage is not None:
        counters.damage[chunks.damage] += 1


__all__ = ["Outcome", "Parsed", "Quarantined", "Reader", "Resume", "Skipped", "read", "read_file"]
