"""What is fuzzed: everything that strangers' bytes reach. A target takes bytes; whatever it raises is a finding.

Refusals by our own error tree are answers, not findings. Every format of the corpus is a target by itself.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.agreements import signing
from commonwatch.agreements.decode import canonical, decode
from commonwatch.agreements.english import read, say
from commonwatch.agreements.snapshot import verify_snapshot
from commonwatch.agreements.statement import verify_statement
from commonwatch.errors import CommonwatchError
from commonwatch.gateway.listening.routing import Router, records
from commonwatch.ingest import Counters, Parsed, Source
from commonwatch.ingest import read as read_source
from commonwatch.ingest.declared import read_declared
from commonwatch.ingest.formats import formats
from commonwatch.ingest.framing.octets import SyslogStream
from commonwatch.ingest.rules import read_rules
from commonwatch.share.taxii_query import parse_ask
from commonwatch.wire import batch
from commonwatch.wire.enrolment import open_request
from commonwatch.wire.messages import decode_line
from strategies.eve import CORPUS, golden, source

FOUND = Path(__file__).resolve().parent / "found"
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


class Target(NamedTuple):
    """One entry point with inputs to begin from."""

    name: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


@cache
def targets() -> dict[str, Target]:
    """Every target by name."""
    return {t.name: t for t in (*_ingest(), *_wire(), *_documents())}


def _ingest() -> Iterator[Target]:
    files = {f.name: tuple(_corpus(f.name)) for f in formats().values()}
    yield Target("recognition", partial(_read, None), tuple(seed for some in files.values() for seed in some))
    for name, seeds in files.items():
        yield Target(name, partial(_read, name), seeds)
    every = tuple(line for some in files.values() for seed in some for line in seed.splitlines()[:40])
    yield Target("routing", _route, every)
    yield Target("syslog stream", _stream, tuple(b"%d %s" % (len(s), s) for s in every[:50]) + every[:50])
    yield Target(
        "declared mapping", _refusing(read_declared), ((CORPUS / "declared_rows" / "router.toml").read_bytes(),)
    )
    yield Target(
        "labelling rules", _refusing(read_rules), (b'labelling: "1"\nversion: 3\nrules: [{set: {tlp: green}}]',)
    )


def _corpus(name: str) -> Iterator[bytes]:
    for path in sorted((CORPUS / name).iterdir()):
        if path.name == "golden.jsonl":
            yield from (json.dumps(case["record"]).encode() for case in golden())
        elif ".expected." not in path.name:
            yield path.read_bytes()


def _wire() -> Iterator[Target]:
    columns = {
        "event_uid": [b"u" * 16],
        "time": [1],
        "event_class": [1],
        "tlp": [1],
        "severity_id": [1],
        "profile": [0],
    }
    header = batch.BatchHeader(
        batch_uid=1,
        gateway="gw",
        org="o",
        seq=1,
        snapshot=1,
        rows=1,
        profiles=[{"time": "exact"}],
        rules_version=1,
        made_at=1,
    )
    sealed = batch.seal(header, columns, _KEY)
    yield Target("batch", _refusing(lambda data: batch.unseal(data, _KEY.public_key())), (sealed,))
    inside = b"\x00".join((batch._encoder.encode(header), batch._encoder.encode(columns)))
    yield Target("batch inside its seal", _refusing(_inside), (inside,))
    yield Target("downlink", _refusing(decode_line), (b'{"kind":"ping","hub_time":1}',))
    yield Target("enrolment", _refusing(open_request), (b'{"payload":"","signature":""}',))
    yield Target(
        "TAXII filters", _refusing(_ask), (b"limit=5&match[type]=indicator&added_after=2026-11-19T06:00:00Z&next=AAAA",)
    )


def _documents() -> Iterator[Target]:
    texts = tuple(p.read_bytes() for p in (Path(__file__).resolve().parents[2] / "docs").rglob("*.yaml"))
    agreement = (
        b'dsa: "1"\nid: a-b\nversion: 1\ntitle: T\nparties: []\nstarts: 2026-01-01\nends: 2027-01-01\nclauses:\n'
        b"  - {kind: share, id: s-s, to: {roles: [cert]}, purposes: [detect], rows: {events: [dns], tlp: green}, fields: {time: hour}}\n"
    )
    yield Target("agreement", _refusing(_document), (agreement, *texts))
    yield Target(
        "agreement in English", _refusing(_english), (b"[s] Share DNS events marked TLP:GREEN or lower with all CERTs",)
    )
    yield Target("envelope", _refusing(_envelope), (b'{"payload":"e30","signatures":[],"keys":[]}',))


def _refusing(run: Callable[..., object]) -> Callable[[bytes], None]:
    """A refusal by our own error tree is an answer."""

    def check(data: bytes) -> None:
        with contextlib.suppress(CommonwatchError):
            run(data)

    return check


def _read(name: str | None, data: bytes) -> None:
    """Counts add up, and portions do not matter."""
    settings = {"format": name} if name else {}
    if name == "declared_rows":
        settings["declared"] = read_declared((CORPUS / "declared_rows" / "router.toml").read_bytes())
    whole = _summary(data, len(data) or 1, source(**settings))
    if name is not None:
        assert _summary(data, max(1, len(data) // 3), source(**settings)) == whole, "portions matter"


def _summary(data: bytes, portion: int, of: Source) -> list[tuple[int, str]]:
    counters = Counters()
    found = list(read_source((data[i : i + portion] for i in range(0, len(data), portion)), of, counters))
    assert counters.records == len(found), "counts do not add up"
    return sorted((o.position, o.kind if isinstance(o, Parsed) else o.reason) for o in found)


def _route(data: bytes) -> None:
    for record in records(data):
        name, body = Router().route(record)
        assert name == "other" or name in formats()
        assert b"\n" not in body or b"\n" in record


def _stream(data: bytes) -> None:
    stream = SyslogStream(200)
    found = [m for i in range(0, len(data), 7) for m in stream.feed(data[i : i + 7])] + stream.finish()
    assert all(len(m) <= 200 for m in found)


def _inside(data: bytes) -> None:
    head, _, body = data.partition(b"\x00")
    packed = zlib.compress(body, 1)
    signature = _KEY.sign(batch._digest(head, len(body), packed))
    frame = batch._encoder.encode(batch._Frame(batch.MAGIC, head, len(body), packed, signature))
    batch.unseal(frame, _KEY.public_key())


def _ask(data: bytes) -> None:
    parse_ask(dict(parse_qsl(data.decode("latin-1"))))


def _document(data: bytes) -> None:
    document = decode(data)
    assert decode(canonical(document)) == document


def _english(data: bytes) -> None:
    text = data.decode(errors="replace")
    assert say(read(text)) == text


def _envelope(data: bytes) -> None:
    envelope = signing.envelope_from(data)
    for check in (signing.verify_document, verify_statement):
        try:
            check(envelope)
        except CommonwatchError:
            continue
    verify_snapshot(data, bytes(32), bytes(32), 0, 0)
