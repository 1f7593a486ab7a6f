"""`commonwatch gateway try FILE`: what a gateway would make of a file, without connecting to anything.

Rules held here: nothing is sent and nothing is written; counts and names only unless `--show-values` is given; without
an agreement everything stays. Exit 0 when the format was recognised, 1 when it was not.
"""

from __future__ import annotations

import argparse
import base64
import ipaddress
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from commonwatch.cli.gateway_labels import rules_in
from commonwatch.errors import InvalidInput, NotFound
from commonwatch.events.address import IpNetwork
from commonwatch.ingest.declared import read_declared
from commonwatch.ingest.geo import read_table
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.report.trial import Ceiling, FieldRow, Trial, try_file
from commonwatch.ingest.rules import default_rules
from commonwatch.ingest.source import Source
from commonwatch.ingest.values.times import zone_of

if TYPE_CHECKING:
    from commonwatch.agreements.effective import OwnerDocuments

T = TypeVar("T")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `try` subcommand."""
    text = "say how a file would be read and what of it would leave under given agreements"
    parser = subparsers.add_parser("try", help=text, description=text)
    parser.add_argument("file", type=Path, metavar="FILE", help="a log of a security tool, gzip or not")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--own", action="append", default=[], metavar="CIDR", help="a network of your own (repeatable)")
    parser.add_argument("--agreements", action="append", default=[], type=Path, metavar="PATH",
                        help="an agreement or charter, or a folder of them (repeatable)")  # fmt: skip
    parser.add_argument("--rules", type=Path, metavar="FILE", help="labelling rules; default: everything TLP:AMBER")
    parser.add_argument("--mapping", type=Path, metavar="TOML", help="declared mapping of a CSV, JSON or Parquet file")
    parser.add_argument("--zone", default="UTC", help="time zone of times that give none")
    parser.add_argument("--geo", type=Path, metavar="CSV", help="table of cidr,country,asn")
    parser.add_argument("--show-values", action="store_true", help="print one example value of each source field")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the file and print the report."""
    path: Path = args.file
    if not path.is_file():
        raise NotFound("no such file", where=str(path), todo="give the path of a log file")
    documents = documents_in(args.agreements)
    rules = rules_in(args.rules.read_bytes()) if args.rules else default_rules()
    zone_of(args.zone)
    declared = read_declared(args.mapping.read_bytes()) if args.mapping else None
    source = Source(
        id="try", key=bytes(32), zone=args.zone, own=_networks(args.own), geo=_geo(args.geo), declared=declared,
        format="declared_rows" if declared else None,
    )  # fmt: skip
    labeller = Labeller(rules)
    agreements = [d for d in documents if hasattr(d, "dsa")]
    report = try_file(path, source, labeller.label, _ceiling(documents), len(agreements), values=args.show_values)
    print(json.dumps(msgspec.to_builtins(report), indent=2) if args.json else "\n".join(say(report, path.name)))
    return 0 if report.format else 1


def _networks(texts: list[str]) -> tuple[IpNetwork, ...]:
    try:
        return tuple(ipaddress.ip_network(t, strict=False) for t in texts)
    except ValueError as error:
        raise InvalidInput("not a network", where="--own", todo="write it like 192.168.1.0/24") from error


def _geo(path: Path | None) -> Any:
    if path is None:
        return None
    with path.open(encoding="utf-8") as lines:
        return read_table(lines)


def documents_in(given: list[Path]) -> list[Any]:
    """The documents of these files and folders."""
    return [_document(path) for path in _paths(given)]


def _paths(given: list[Path]) -> list[Path]:
    """Files, and the documents in folders, in order of name."""
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.suffix in {".yaml", ".yml", ".json"})
        elif path.is_file():
            found.append(path)
        else:
            raise NotFound("no such file or folder", where=str(path))
    return found


def _document(path: Path) -> Any:
    """An agreement or charter; of a signed envelope the payload (signatures are not looked at in a trial)."""
    from commonwatch.agreements.decode import convert

    return at(path, lambda: convert(plain_in(path)))


def plain_in(path: Path) -> Any:
    """A document of a file as plain data, signed or not."""
    from commonwatch.agreements.decode import from_json, from_yaml

    text = path.read_bytes().decode()
    plain = from_json(text) if text.lstrip()[:1] == "{" else from_yaml(text)
    if isinstance(plain, dict) and "payload" in plain:
        payload = str(plain["payload"])
        plain = from_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode())
    return plain


def at(path: Path, made: Callable[[], T]) -> T:
    """What is made of a file, with its name in every error."""
    try:
        return made()
    except InvalidInput as error:
        raise InvalidInput(error.what, where=f"{path.name} {error.where}".strip(), todo=error.todo) from error
    except OSError as error:
        raise NotFound(f"cannot be read: {error.strerror}", where=str(path)) from None
    except ValueError as error:
        raise InvalidInput("neither a document nor an envelope", where=path.name) from error


def _ceiling(documents: list[Any]) -> Ceiling:
    """What may leave by label under these documents, taken as live and accepted by all their parties."""
    if not documents:
        return lambda _label: None
    from commonwatch.agreements.edge import Ceilings

    return Ceilings(owner_documents(documents)).of


def owner_documents(documents: list[Any], owner: str = "") -> OwnerDocuments:
    """Documents of one owner, taken as live and accepted by all their parties."""
    from commonwatch.agreements.decode import canonical, digest
    from commonwatch.agreements.document import Agreement, Charter, CommunityCharter
    from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments

    agreements = [d for d in documents if isinstance(d, Agreement)]
    charters = [d for d in documents if isinstance(d, Charter)]
    owners = {d.owner for d in agreements} | ({owner} if owner else set())
    if len(owners) > 1:
        raise InvalidInput("the agreements have several owners", where="--agreements", todo="give those of one owner")
    live = tuple(LiveAgreement(d, digest(canonical(d)), d.party_ids) for d in agreements)
    community = {d.community: d for d in documents if isinstance(d, CommunityCharter)}
    return OwnerDocuments(next(iter(owners), ""), live, charters[-1] if charters else None, community)


def say(report: Trial, name: str) -> list[str]:
    """The report as lines for people."""
    lines = [f"{name}: {report.format or 'no known format'}", "", *_counts(report)]
    if not report.own_networks_given:
        lines += ["", "Own networks were not given (--own): private addresses count as inside, a guess."]
    lines += ["", "Mapped fields"] + [_mapped(row) for row in report.mapped]
    lines += ["", "Stays at the gateway: in no mapping"] + [_plain(row) for row in report.unmapped]
    return [*lines, "", *_leaving(report)]


def _counts(report: Trial) -> list[str]:
    counts = report.counters
    lines = [f"records {counts['records']} = mapped {counts['mapped']}"]
    for what in ("skipped", "quarantined"):
        by_reason = counts[what]
        assert isinstance(by_reason, dict)
        detail = ", ".join(f"{reason} {n}" for reason, n in by_reason.items())
        lines[0] += f" + {what} {sum(by_reason.values())}" + (f" ({detail})" if detail else "")
    for what, title in (("kinds", "kinds"), ("dropped_fields", "unusable values dropped"), ("damage", "damage")):
        found = counts[what]
        if isinstance(found, dict) and found:
            lines.append(f"{title}: " + ", ".join(f"{k} {n}" for k, n in found.items()))
    lines.append("classes: " + (", ".join(f"{k} {n}" for k, n in report.classes.items()) or "none"))
    return lines + [f"labels: {label}: {n}" for label, n in report.labels.items()]


def _mapped(row: FieldRow) -> str:
    example = f"   e.g. {row.example}" if row.example is not None else ""
    return f"  {row.count:>8}  {row.source} -> {', '.join(row.columns)} -> {', '.join(row.fields)}{example}"


def _plain(row: FieldRow) -> str:
    example = f"   e.g. {row.example}" if row.example is not None else ""
    return f"  {row.count:>8}  {row.source}{example}"


def _leaving(report: Trial) -> list[str]:
    if not report.agreements:
        return ["No agreement was given (--agreements): nothing agreed, nothing shared. Every event stays."]
    head = f"Under {report.agreements} agreement(s): {report.rows_leaving} events would leave, "
    lines = [head + f"{report.rows_staying} would stay.", "What would leave, by field"]
    for row in report.leaving:
        points = ", ".join(f"{point} {n}" for point, n in row.points.items())
        lines.append(f"  {row.events:>8}  {row.field}: {points}")
    return lines
