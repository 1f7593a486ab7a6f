"""Gateway reading: every format to labelled events per second and core, beside bare decoding of the same bytes.

Suricata EVE beside msgspec decoding into the same typed shapes, no event made; its lines are the real stream if it
lies beside the project, else a simulated day. Every other format by its corpus, many times over, beside untyped JSON
decoding of what was mapped, written as JSON lines: what is the least any reader of these values would take.
"""

from __future__ import annotations

import gzip
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from commonwatch.ingest import Parsed, Reader, Source, read
from commonwatch.ingest.formats import formats
from commonwatch.ingest.formats.suricata_eve import _decoder as decoder
from commonwatch.ingest.formats.suricata_eve import parse
from commonwatch.ingest.framing import Framer
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.rules import default_rules
from commonwatch.ingest.source import Context
from commonwatch.simulate import Params, community

PORTION = 1 << 20
ROUNDS = 7
CORPUS = Path(__file__).resolve().parents[1] / "corpus"
RECORDS = 4_000


def data() -> tuple[str, bytes]:
    """The name and the bytes of what is read."""
    root = Path(__file__).resolve().parent.parent.parent
    shared = Path(os.environ.get("COMMONWATCH_SHARED", root.parent / "shared"))
    real = shared / "data" / "suricata" / "suricatalog_eve_nostats.jsonl.gz"
    if real.is_file():
        return "real stream", gzip.decompress(real.read_bytes())
    made = community(Params(members=1, mssps=0, certs=0, isps=0, days=1, events_per_day=15_000))
    lines = made.records(made.members[0], made.params.begins, made.params.until)
    return "simulated day", b"".join(line for _, line in lines)


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median processor time of a few rounds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Print the figures."""
    name, text = data()
    lines = text.splitlines()
    portions = [text[i : i + PORTION] for i in range(0, len(text), PORTION)]
    source = Source(id="bench", key=bytes(32))
    labeller, context = Labeller(default_rules()), Context(source)
    frames = Framer(layout="lines").feed(text)

    def read_all(label: bool) -> int:
        reader, count = Reader(source), 0
        for portion in portions:
            for outcome in reader.feed(portion):
                if isinstance(outcome, Parsed):
                    count += 1
                    if label:
                        labeller.label(outcome.event)
        return count + len(reader.finish())

    bare = len(lines) / seconds(lambda: [decoder.decode(line) for line in lines])
    rows = {
        "typed decoding alone (baseline)": bare,
        "parse framed records": len(lines) / seconds(lambda: parse(frames, context)),
        "frame, recognise, parse, count": len(lines) / seconds(lambda: read_all(label=False)),
        "the same, labelled": len(lines) / seconds(lambda: read_all(label=True)),
    }
    print(f"ingest: {name}, {len(lines)} records, {len(text) / 1e6:.1f} MB, one core, median of {ROUNDS}")
    for what, rate in rows.items():
        print(f"  {what:<34} {rate:>10,.0f} events/s   {rate / bare:5.2f} of the baseline")
    each_format()


def each_format() -> None:
    """The corpus of each format."""
    print(
        f"\nevery format: its corpus repeated to {RECORDS:,} records, labelled; beside msgspec.json.decode of its events"
    )
    for name in sorted(formats()):
        for file in sorted((CORPUS / name).glob("every-kind.*")):
            if not file.name.endswith(".expected.json"):
                print_format(name, file.read_bytes())


def print_format(name: str, text: bytes) -> None:
    """Events a second of one format."""
    source, labeller = Source(id="bench", key=bytes(32), format=name), Labeller(default_rules())
    found = [o for o in read([text], source) if isinstance(o, Parsed)]
    if not found:
        return
    times = RECORDS // len(found) + 1
    events = [msgspec.json.encode(o.event) for o in found] * times

    def read_all() -> None:
        reader = Reader(source)
        for _ in range(times):
            for outcome in reader.feed(text):
                if isinstance(outcome, Parsed):
                    labeller.label(outcome.event)

    bare = len(events) / seconds(lambda: [msgspec.json.decode(e) for e in events], 3)
    rate = len(events) / seconds(read_all, 3)
    print(f"  {name:<16} {rate:>10,.0f} events/s   {rate / bare:5.2f} of bare   {len(text) / len(found):6.0f} B/event")


if __name__ == "__main__":
    main()
