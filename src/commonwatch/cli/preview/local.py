"""`commonwatch gateway preview DRAFT`: what a draft would send from here and show to whom, before anything leaves.

Rules held here: works without a hub; nothing is sent and nothing is written; raw values go to this terminal only.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from commonwatch.agreements.document import CommunityCharter, Document
from commonwatch.agreements.drafted import author_of, draft_from
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.cli.gateway_labels import rules_in
from commonwatch.cli.gateway_try import at, documents_in, owner_documents, plain_in
from commonwatch.cli.preview.words import Ink, say, table
from commonwatch.errors import InvalidInput, NotFound
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.downlink.policy import PolicyKeeper
from commonwatch.gateway.edge import Keys, edge_keys
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.preview import Local, LocalPreview, local_preview
from commonwatch.gateway.report import geo_table, labelling_file, own_networks
from commonwatch.gateway.state import Identity, Settings, StateFolder
from commonwatch.govern.preview.shapes import Drafted
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.rules import default_rules
from commonwatch.ingest.source import Source


def preview_here(args: argparse.Namespace) -> int:
    """Read, look, print."""
    draft, documents = _draft(args.draft), documents_in(args.agreements)
    local = _local(args, draft, documents)
    communities = {d.community: d for d in documents if isinstance(d, CommunityCharter)}
    asked = Drafted(draft=draft, days=args.days, reader=args.reader, rows=args.rows, communities=communities)
    made = local_preview(local, asked)
    if args.json:
        print(json.dumps(msgspec.to_builtins(made, str_keys=True), indent=2))
    else:
        ink = Ink(sys.stdout.isatty() and "NO_COLOR" not in os.environ)
        print("\n".join([*_leaving(made, ink), "", *say(made.preview, ink)]))
    return 0


def _leaving(made: LocalPreview, ink: Ink) -> Iterator[str]:
    """What was read, and what of it would leave."""
    yield ink.head(f"What would leave this gateway ({', '.join(made.files)})")
    yield f"  {made.read['records']:,} records read, {made.read['mapped']:,} understood as events"
    yield f"  {made.sent:,} of {made.events:,} events would be sent, {made.events - made.sent:,} would stay"
    rows = [("field", "values", "would leave as", "would stay")]
    for one in made.fields:
        points = ", ".join(f"{point} {n:,}" for point, n in one.leaving.items()) or "nothing"
        rows.append((one.label, f"{one.values:,}", points, f"{one.staying:,}"))
    yield from (f"  {line}" for line in table(rows, ink, right=(1, 3)))


def _draft(path: Path) -> Document:
    """The draft, without the marks of signing it may not have yet."""
    return at(path, lambda: draft_from(plain_in(path)))


def _local(args: argparse.Namespace, draft: Document, documents: list[Any]) -> Local:
    """What is read and how: by the arguments, else as the enrolled gateway does it."""
    folder = StateFolder(args.state)
    enrolled = (folder.path / "gateway.json").exists()
    settings = folder.settings() if enrolled else Settings()
    data = args.rules.read_bytes() if args.rules else labelling_file(folder, settings) if enrolled else None
    own = own_networks(_with(settings, args.own))
    geo, zone = geo_table(folder, settings) if enrolled else None, args.zone or settings.zone
    docs, keys = _held(folder, documents) if enrolled else _fresh(documents, author_of(draft))
    rules = rules_in(data) if data else default_rules()

    def source(path: Path) -> Source:
        return Source(id=str(path), key=bytes(32), zone=zone, own=own, geo=geo)

    return Local(_files(args.files, folder, enrolled=enrolled), source, Labeller(rules).label, docs, keys)


def _with(settings: Settings, own: list[str]) -> Settings:
    return msgspec.structs.replace(settings, own_networks=tuple(own)) if own else settings


def _files(given: list[Path], folder: StateFolder, *, enrolled: bool) -> list[Path]:
    found = list(given)
    if not found and enrolled and (folder.path / "gateway.db").exists():
        journal = Journal(folder.path / "gateway.db")
        found = sorted({Path(mark.path) for mark in journal.marks() if Path(mark.path).is_file()})
        journal.close()
    if not found:
        raise InvalidInput("no logs to look at", where="--files", todo="name the files your security tools write")
    for path in found:
        if not path.is_file():
            raise NotFound("no such file", where=str(path), todo="give the path of a log file")
    return found


def _fresh(documents: list[Any], owner: str) -> tuple[OwnerDocuments, Keys]:
    """The documents given, and edge keys of a gateway that is not enrolled yet."""
    return owner_documents(documents, owner), edge_keys(secrets.token_bytes(32), owner)


def _held(folder: StateFolder, documents: list[Any]) -> tuple[OwnerDocuments, Keys]:
    """The documents this gateway holds from its hub (those given instead, if any), and its keys."""
    identity = folder.identity
    keys = edge_keys(folder.root, identity.org)
    held = None if documents else _snapshot(folder, identity, keys)
    return held or owner_documents(documents, identity.org), keys


def _snapshot(folder: StateFolder, identity: Identity, keys: Keys) -> OwnerDocuments | None:
    """The owner's documents in the snapshot this gateway has, fresh or not."""
    if not (folder.path / "gateway.db").exists():
        return None
    journal, clock = Journal(folder.path / "gateway.db"), Clock()
    try:
        keeper = PolicyKeeper(journal, identity, keys, clock)
        keeper.restore()
        held = keeper.held()
    finally:
        journal.close()
    return held.owner_documents(clock.now()) if held else None
