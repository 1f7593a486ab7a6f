"""Govern: what every other room may ask of events, and nothing else.

Rules held here: every call takes the policy as it stands now and closes when it cannot be had; the reader's roles and
communities are the policy's word; every decision is logged with clauses and counts, never with a value; the same
question at the same moment has the same answer and the same id.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import msgspec

from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.reader import Reader
from commonwatch.errors import CommonwatchError, Gone, InvalidInput, NotFound, NotPermitted, Unavailable
from commonwatch.events.fields import FieldName
from commonwatch.events.rungs import DAY, MINUTE
from commonwatch.govern.access import Accounts, fields_of, filtered, surface_of
from commonwatch.govern.answer.asking import BINS, Asking, Using, dim_of, instant_text
from commonwatch.govern.answer.comparing import SHOWN, Comparison, compare, sides
from commonwatch.govern.answer.pages import Pages
from commonwatch.govern.answer.rows import page
from commonwatch.govern.answer.tokens import Vault
from commonwatch.govern.binding import Binding
from commonwatch.govern.cancel import cancelled_by
from commonwatch.govern.changes import Scope, between
from commonwatch.govern.counted.consent import Consent, Consents, Refused, Wanted
from commonwatch.govern.counted.onsets import Closing, New, countable, onsets
from commonwatch.govern.crowd import Crowd, Crowds, split
from commonwatch.govern.decide.compiling import Compiled, Compiler, standing
from commonwatch.govern.decide.describe import Best, ViewDescription, describe, describe_fields
from commonwatch.govern.decide.table import Table
from commonwatch.govern.lease import Lease
from commonwatch.govern.observe import Held, Observable, Sighting, observables, shared, sightings
from commonwatch.govern.policy import Decided, DecisionLog, KeySource, PolicySource, PolicyView
from commonwatch.govern.preview.making import Places, own_rows, preview
from commonwatch.govern.preview.shapes import Drafted, OwnRows, Preview, Publish
from commonwatch.govern.query import (
    Answer,
    ColumnInfo,
    Compare,
    Cube,
    Distinct,
    Filter,
    Histogram,
    Query,
    Row,
    Rows,
    Top,
)
from commonwatch.govern.release import RELEASED, Made, Release, ReleaseInfo, Shelf, build
from commonwatch.govern.snapshot import WORTH, Snapshots
from commonwatch.govern.taken import Origins, Part, Taken, Use
from commonwatch.store import Handling, Store

MOST_TOP = 100
#: Where the store stood, or None while something was written.
Moment = tuple[int, int] | None


#: How often a question is answered anew because the agreements changed while it was.
TRIES = 4
T = TypeVar("T")


class Moved(Unavailable):
    """The policy changed while an answer was made, so that it must not be given."""


def obeying(call: Callable[[], T]) -> T:
    """Make an answer anew as long as the policy changes meanwhile; raises Moved when it does so all the time."""
    for _ in range(TRIES - 1):
        with suppress(Moved):
            return call()
    return call()


class Context(NamedTuple):
    """One request: the policy it is bound to, who asks, its id, and its open session."""

    view: PolicyView
    reader: Reader
    query: str
    watermark: int
    asking: Asking


class Standing(NamedTuple):
    """Where policy and store stand for a reader; `good_until` in microseconds."""

    epoch: int
    watermark: int
    good_until: int


class Govern:
    """The enforcement point. Safe from several threads."""

    def __init__(
        self, store: Store, policy: PolicySource, keys: KeySource, log: DecisionLog, *, secret: bytes | None = None,
        snapshots_from: int = WORTH,
    ) -> None:  # fmt: skip
        """`secret` (32 bytes, kept by the hub) makes row references last beyond a restart.

        `snapshots_from`: stored events from which on readers who ask often get a snapshot.
        """
        self._store, self._policy, self._keys, self._log = store, policy, keys, log
        self._secret = secret or secrets.token_bytes(32)
        self._compiler, self._snapshots = Compiler(store, keys), Snapshots(store, snapshots_from)
        self._shelf, self._lock = Shelf(), threading.Lock()
        self._aging = (-1, False)
        self._bindings: dict[Reader, tuple[int, Binding]] = {}
        self._builders: dict[Reader, threading.Lock] = {}
        self._latest: dict[tuple[Reader, int, str, int], str] = {}
        self._bests: dict[tuple[bytes, Reader], Best] = {}
        self._accounts, self._crowds, self._consents = Accounts(), Crowds(store), Consents()

    def ask(self, reader: Reader, query: Query, *, cancel: threading.Event | None = None, use: Use = Use()) -> Answer:
        """Answer a typed query for a reader. When `cancel` is set the engine stops and the answer is an error.

        What the answer took in is recorded for its owners before it is given, as leaving through `use`.
        """
        return obeying(lambda: self._answered(reader, query, cancel, use))

    def _answered(self, reader: Reader, query: Query, cancel: threading.Event | None, use: Use) -> Answer:
        digest = msgspec.json.encode(query, order="deterministic")
        with self._context(reader, digest) as context, cancelled_by(cancel, context.asking.session):
            moment = self._store.moment()
            if not use.inside:
                context.asking.counting = self._accounts.lacks(self._mark(context, query.filter, moment))
            answer = _ANSWERS[type(query)](self, context, query)
            self._still(context.view, context.reader)
            if not use.inside and self._snapshots.asked(context.reader, frozenset(context.asking.used)):
                threading.Thread(target=self.warm, args=(context.reader,), daemon=True).start()
            detail = {"query": context.query, "question": type(query).__name__.lower(), "rows": len(answer.rows)}
            taken = None if use.inside else self._taken(context, query, use, moment)
            self._decided(context, "query", detail, taken)
            return answer

    def compare(
        self, reader: Reader, asked: Compare, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Comparison:
        """A selection beside a baseline, as incidents this reader is shown; recorded like an answer."""
        return obeying(lambda: self._compared(reader, asked, cancel, use))

    def _compared(self, reader: Reader, asked: Compare, cancel: threading.Event | None, use: Use) -> Comparison:
        digest = msgspec.json.encode(asked, order="deterministic")
        with self._context(reader, digest) as context, cancelled_by(cancel, context.asking.session):
            pair = sides(asked, context.asking, context.watermark)
            made = compare(context.asking, pair, context.query, context.watermark)
            self._still(context.view, context.reader)
            taken = None
            if not use.inside:
                counts = Counter(context.asking.taken(pair.selection)) + Counter(context.asking.taken(pair.baseline))
                read = [asked.filter, *([asked.baseline] if asked.baseline else [])]
                fields = SHOWN.union(*(filtered(found) for found in read))
                parts = self._accounts.parts(context.asking, counts, fields)
                taken = Taken(use.surface or "explore", use.by, context.query, parts)
            rows = len(made.selection.orgs) + len(made.baseline.orgs)
            self._decided(context, "query", {"query": context.query, "question": "compare", "rows": rows}, taken)
            return made

    def took_in(self, reader: Reader, found: Filter, fields: frozenset[FieldName]) -> tuple[Part, ...]:
        """What an answer made of everything this filter finds takes in of whom, as far as these fields go."""
        with self._context(reader, b"took in") as context:
            return self._parts(context, found, fields | filtered(found), None)

    def warm(self, reader: Reader) -> bool:
        """Make the reader's snapshot now; whether there is one then. Done by itself for readers who ask often."""
        try:
            view = self.view()
            with self._compiler.table(view, standing(view, reader)) as compiled:
                return self._snapshots.make(compiled) is not None
        except CommonwatchError:
            return False

    def describe(self, reader: Reader) -> ViewDescription:
        """As whom the reader looks, bound by which agreements, and what they grant."""
        view = self.view()
        return describe(view, standing(view, reader), instant_text(self.watermark(view)), self._bests)

    def standing(self, reader: Reader) -> Standing:
        """Policy epoch, arrival number of the store, and until when (microseconds) the clock alone changes nothing."""
        view = self.view()
        reader = standing(view, reader)
        with self._compiler.table(view, reader) as compiled:
            good = self._good_until(view, compiled.table)
        return Standing(view.epoch, self._store.watermark()[0], good)

    def sites(self, owner: str) -> tuple[str, ...] | None:
        """The site names an owner's own events have, for the owner alone; None where it has no event yet."""
        labels = [handling.label for handling in self._store.handlings if handling.owner == owner]
        return tuple(sorted({label.site for label in labels if label.site})) if labels else None

    def releases(self, reader: Reader, *, use: Use = Use()) -> list[ReleaseInfo]:
        """The releases the reader may open now."""
        return [self.release(reader, use=use).info]

    def release(
        self, reader: Reader, release: str | None = None, *, cancel: threading.Event | None = None, use: Use = Use()
    ) -> Release:
        """A release by id, or the current one. Raises `Gone` for a replaced id of this reader, else `NotFound`.

        Each opening is recorded for the owners whose data the release took in.
        """
        view = self.view()
        known = standing(view, reader)
        with self._building(known):
            found = self._shelf.find(known, view.epoch, view.now, release) if release else None
            found = found or obeying(lambda: self._current(reader, release, cancel))
        if not use.inside:
            taken = Taken(use.surface or "release", use.by, found.id, found.parts)
            self._log.decided(known, "release-opened", {"release": found.id, "epoch": view.epoch}, taken)
        return found

    def observables(
        self, reader: Reader, since: int | None = None, *, origins: Origins | None = None
    ) -> list[Observable]:
        """Values worth acting on, with totals over all this reader sees; only those seen after arrival `since`.

        `origins` is given what each took in of whom, sealed for the record of whoever hands it out.
        """
        return obeying(lambda: self._observed(reader, since, origins))

    def _observed(self, reader: Reader, since: int | None, origins: Origins | None) -> list[Observable]:
        with self._context(reader, b"observables") as context:
            note = None if origins is None else self._accounts.noting(context.asking, origins)
            found = observables(context.asking, self._binding(context.view, context.reader), since, note)
            self._still(context.view, context.reader)
            self._decided(context, "observables", {"query": context.query, "rows": len(found)})
            return found

    def observables_of(
        self, since: Mapping[Reader, int], origins: Mapping[Reader, Origins]
    ) -> dict[Reader, list[Observable]]:
        """`observables` for several readers, each since its own number, asked together.

        Who is no member, or whose policy changed meanwhile, is left out.
        """
        view, found = self.view(), dict[Reader, list[Observable]]()
        with ExitStack() as stack:
            tables: dict[int, tuple[Reader, Compiled]] = {}
            for reader in since:
                with suppress(NotPermitted):
                    compiled = stack.enter_context(self._compiler.table(view, standing(view, reader)))
                    tables[id(compiled)] = reader, compiled
            for group in split([compiled for _, compiled in tables.values()]):
                asked = [tables[id(member)][0] for member in group]
                found |= self._shared(view, dict(zip(asked, group, strict=True)), since, origins)
        return found

    def _shared(
        self,
        view: PolicyView,
        group: Mapping[Reader, Compiled],
        since: Mapping[Reader, int],
        origins: Mapping[Reader, Origins],
    ) -> dict[Reader, list[Observable]]:
        watermark, members = self.watermark(view), list(group.values())
        names = {reader: self._id(reader, view, watermark, b"observables") for reader in group}
        with self._store.session() as session:
            held = []
            for reader, compiled in group.items():
                asking = Asking(self._store, session, Using(compiled, Vault(compiled.table, self._keys, ""), 0))
                note = self._accounts.noting(asking, origins[reader]) if reader in origins else None
                held.append(Held(asking, self._binding(view, compiled.table.reader), note, since[reader]))
            crowd = Crowd(self._store, session, members, self._crowds.kept(members))
            made = dict(zip(group, shared(crowd, held), strict=True))
        found = {reader: seen for reader, seen in made.items() if self._stands(view, group[reader].table.reader)}
        told = {
            reader: {"query": names[reader], "rows": len(seen), "epoch": view.epoch} for reader, seen in found.items()
        }
        self._log.decided_all([Decided(group[r].table.reader, "observables", detail) for r, detail in told.items()])
        return found

    def sightings(self, reader: Reader, since: int | None = None) -> list[Sighting]:
        """(contributor as shown, malware family, time) of every visible malware or intrusion event that shows both."""
        return obeying(lambda: self._sighted(reader, since))

    def _sighted(self, reader: Reader, since: int | None) -> list[Sighting]:
        with self._context(reader, b"sightings") as context:
            found = sightings(context.asking, since)
            self._still(context.view, context.reader)
            return found

    def consents(self, reader: Reader, owners: Iterable[str], wanted: Wanted) -> list[Consent | Refused]:
        """Which of these owners take part in a plan of counts for this reader: their documents' word, no row's."""
        view = self.view()
        known = standing(view, reader)
        policies = [view.owners[owner] for owner in owners if owner in view.owners]
        return [self._consents.ask(p.digest, p.documents, known, wanted) for p in policies]

    def arrival(self) -> int:
        """The number of the last batch that came in."""
        return self._store.watermark()[0]

    def onsets(self, basis: Mapping[str, Sequence[Consent]], closing: Closing) -> list[New]:
        """What owners newly saw on a closing day, of rows that all the given consents of each let be counted.

        For the hub's counting alone: it is bounded, and made noisy or thresholded, before anyone reads of it.
        """
        view = self.view()
        fit: dict[Handling, str] = {}
        for handling in self._store.handlings:
            given = basis.get(handling.owner, ())
            if given and countable(handling) and all(one.counts(handling.label) for one in given):
                fit[handling] = handling.owner
        with self._store.session() as session:
            return onsets(self._store, session, view, fit, closing)

    def lease(self, reader: Reader) -> Lease:
        """Permission for a stream: ends within a second of any change of the policy, or when it cannot be had."""
        view = self.view()
        standing(view, reader)
        return Lease(view.epoch, self._epoch_for(reader))

    def _epoch_for(self, reader: Reader) -> Callable[[], int]:
        def current() -> int:
            view = self.view()
            standing(view, reader)
            return view.epoch

        return current

    def _current(self, reader: Reader, asked: str | None, cancel: threading.Event | None) -> Release:
        """The current release, made now if it must be; an id that is not its own is gone or was never there."""
        with self._context(reader, b"release") as context, cancelled_by(cancel, context.asking.session):
            made = self._made(context)
        if asked not in (None, made.id):
            if self._shelf.was(context.reader, asked or ""):
                raise Gone("this release was replaced", current=made.id, todo="open the current one")
            raise NotFound("no such release", todo="list the releases you may open")
        return made

    def _building(self, reader: Reader) -> threading.Lock:
        """One release of a reader is made at a time; readers do not wait for each other."""
        with self._lock:
            return self._builders.setdefault(reader, threading.Lock())

    def _made(self, context: Context) -> Release:
        table, arrival = context.asking.table, self._store.watermark()[0]
        key = (context.reader, context.view.epoch, table.digest, arrival)
        kept = self._shelf.find(context.reader, context.view.epoch, context.view.now, self._latest.get(key, ""))
        if kept:
            return kept
        good = self._good_until(context.view, table)
        about = Made(context.reader, context.view.epoch, context.watermark, context.view.now, good)
        release = build(context.asking, about, lambda: describe_fields(context.view, context.reader, self._bests))
        release = release._replace(parts=self._parts(context, Filter(), RELEASED, None))
        self._still(context.view, context.reader)
        self._shelf.put(context.reader, context.view.epoch, release)
        self._latest = {key: release.id} | dict(list(self._latest.items())[-256:])
        detail = {"query": context.query, "release": release.id, "rows": release.info.cells}
        self._decided(context, "release", detail)
        return release

    def preview(self, asked: Drafted, publish: Publish, *, cancel: threading.Event | None = None) -> Preview:
        """What a draft would do to its owner's events. For that owner alone: who may ask is the caller's to see to."""
        places = Places(self._store, self._store, self.view(), self._keys, self._secret, publish)
        return preview(places, asked, cancel)

    def own_rows(self, owner: str, days: int) -> list[OwnRows]:
        """How many rows the owner has of each label by whole days of age, up to `days`. For that owner alone."""
        return own_rows(Places(self._store, self._store, self.view(), self._keys, self._secret), owner, days)

    def cancel(self, query: str) -> bool:
        """Stop a running query by its id; whether it was running."""
        return self._store.cancel(query)

    @contextmanager
    def _context(self, reader: Reader, question: bytes) -> Iterator[Context]:
        view = self.view()
        reader = standing(view, reader)
        watermark = self.watermark(view)
        query = self._id(reader, view, watermark, question)
        with self._compiler.table(view, reader) as compiled, self._store.session(query) as session:
            vault = Vault(compiled.table, self._keys, query)
            kept = self._snapshots.find(compiled)
            using = Using(compiled, vault, self._shuffle(reader, view.now), kept)
            asking = Asking(self._store, session, using)
            try:
                yield Context(view, reader, query, watermark, asking)
            except Unavailable:
                self._still(view, reader)  # what it read may have been taken back meanwhile
                raise

    def view(self) -> PolicyView:
        """The policy as it stands; whatever goes wrong closes."""
        try:
            return self._policy.view()
        except Unavailable:
            raise
        except Exception:
            raise Unavailable("the agreements cannot be read now", todo="try again in a moment") from None

    def _still(self, view: PolicyView, reader: Reader) -> None:
        """Whether the policy an answer was made under still says the same to this reader. Raises Moved."""
        now = self.view()
        if now.epoch != view.epoch and between(view, now).touches(reader):
            raise Moved("the agreements changed while this was answered", todo="ask again")

    def _stands(self, view: PolicyView, reader: Reader) -> bool:
        try:
            self._still(view, reader)
        except Moved:
            return False
        return True

    def withdraw(self, scope: Scope) -> dict[str, Counter[str]]:
        """The policy changed: everything made under an older one goes now. What went, by reader organisation and kind.

        Kinds: `tables` (decision tables), `snapshots`, `releases`. A question that still reads one of them ends.
        """
        gone: dict[str, Counter[str]] = {}
        for kind, readers in (
            ("tables", self._compiler.withdraw(scope)), ("snapshots", self._snapshots.withdraw()),
            ("releases", self._shelf.withdraw(scope.epoch)),
        ):  # fmt: skip
            for reader in readers:
                gone.setdefault(reader.org, Counter())[kind] += 1
        self._latest = {key: name for key, name in self._latest.items() if key[1] >= scope.epoch}
        self._bests, self._bindings = {}, {}
        self._crowds.withdraw()
        return gone

    def watermark(self, view: PolicyView) -> int:
        """As of when answers are, in microseconds, whole minutes: when the newest batch came in."""
        _, received = self._store.watermark()
        return (received or view.now) // MINUTE * MINUTE

    def _binding(self, view: PolicyView, reader: Reader) -> Binding:
        """What binds a reader under this policy; kept while its epoch lasts."""
        epoch, known = self._bindings.get(reader, (-1, None))
        if known is None or epoch != view.epoch:
            known = Binding(view, reader)
            self._bindings = {r: b for r, b in self._bindings.items() if b[0] == view.epoch} | {
                reader: (view.epoch, known)
            }
        return known

    def _good_until(self, view: PolicyView, table: Table) -> int:
        """Until when the clock alone changes nothing, as far as may be told: the end of the minute or of the day.

        Bounds of age of *all* documents count: those of stored labels alone would tell which labels are stored.
        """
        if self._aging[0] != view.epoch:
            self._aging = view.epoch, any(_aged(owner.documents) for owner in view.owners.values())
        step = MINUTE if self._aging[1] else DAY
        return min(table.good_until, view.now // step * step + step)

    def _id(self, reader: Reader, view: PolicyView, watermark: int, question: bytes) -> str:
        state = repr((reader, view.epoch, watermark, view.now // MINUTE)).encode() + b"\0" + question
        return hmac.digest(self._secret, state, hashlib.sha256).hex()[:32]

    def _shuffle(self, reader: Reader, now: int) -> int:
        state = f"shuffle {reader.org} {now // DAY}".encode()
        return int.from_bytes(hmac.digest(self._secret, state, hashlib.sha256)[:8], "big") >> 1

    def _decided(self, context: Context, kind: str, detail: Mapping[str, object], taken: Taken | None = None) -> None:
        """Log a decision. What it was made from is the policy of that epoch, which the log has as well."""
        self._log.decided(context.reader, kind, {**detail, "epoch": context.view.epoch}, taken)

    def _taken(self, context: Context, query: Query, use: Use, moment: Moment) -> Taken:
        """What the answer to a query took in."""
        asking, fields = context.asking, fields_of(query)
        if isinstance(query, Rows):
            parts = self._accounts.parts(asking, asking.paged, fields)
        else:
            parts = self._parts(context, query.filter, fields, moment)
        return Taken(use.surface or surface_of(query), use.by, context.query, parts)

    def _parts(self, context: Context, found: Filter, fields: frozenset[FieldName], moment: Moment) -> tuple[Part, ...]:
        """What everything a filter finds takes in. `moment`: where the store stood before the question was answered.

        What the answer's own scan counted is what it took in. Else it is counted again, unless the store stood still
        since: better one event too many in the record than one too few.
        """
        asking = context.asking
        same = self._mark(context, found, moment) if moment == self._store.moment() else None
        if asking.counted is not None:
            self._accounts.learn(same, counts := asking.counted)
        else:
            counts = self._accounts.counted(asking, asking.predicates(found, context.watermark), same)
        return self._accounts.parts(asking, counts, fields)

    def _mark(self, context: Context, found: Filter, moment: Moment) -> tuple[object, ...] | None:
        """What two questions have in common that take in the same events; None while something is written."""
        if moment is None:
            return None
        question = msgspec.json.encode(found, order="deterministic")
        digest = context.asking.table.digest
        return moment, context.reader, context.view.epoch, digest, context.watermark, question


def _aged(documents: OwnerDocuments) -> bool:
    """Whether any clause has a bound of age."""
    signed = [documents.charter, *documents.community_charters.values()]
    clauses = [c for live in documents.agreements for c in live.document.clauses]
    clauses += [c for charter in signed if charter for c in charter.clauses]
    return any(c.rows.after or c.rows.until for c in clauses)


def _rows(govern: Govern, context: Context, query: Rows) -> Answer:
    asking = context.asking
    plain = msgspec.structs.replace(query, after=None, limit=1)
    question = f"{context.view.now // DAY} {msgspec.json.encode(plain, order='deterministic').decode()}"
    found = asking.predicates(query.filter, context.watermark)
    made = page(asking, query, found, Pages(govern._secret, context.reader.org), question)  # noqa: SLF001
    return _answer(context, made.columns, made.rows, clauses=made.clauses, after=made.after)


def _top(_: Govern, context: Context, query: Top) -> Answer:
    dim = dim_of(query.by, "by")
    _limit(query.limit, MOST_TOP)
    _events_only(query.measure)
    groups, other, total = context.asking.top(
        dim, context.asking.predicates(query.filter, context.watermark), query.limit
    )
    columns = [ColumnInfo(dim.key, dim.label, "text", dim.field), _events()]
    return _answer(context, columns, [Row([text, n]) for (text,), n in groups], other=other, total=total)


def _distinct(_: Govern, context: Context, query: Distinct) -> Answer:
    dim = dim_of(query.by, "by")
    n = context.asking.distinct(dim, context.asking.predicates(query.filter, context.watermark))
    return _answer(context, [ColumnInfo("values", f"different values of {dim.label}", "number", dim.field)], [Row([n])])


def _histogram(_: Govern, context: Context, query: Histogram) -> Answer:
    found = context.asking.predicates(query.filter, context.watermark)
    bins, other, used = context.asking.histogram(found, query.bin)
    notes = [] if used == query.bin else [f"bins of {used}: the agreements behind this show no finer time"]
    rows = [Row([instant_text(start), n]) for start, n in bins]
    total = other + sum(n for _, n in bins)
    columns = [ColumnInfo("time", "time", "time", "time"), _events()]
    return _answer(context, columns, rows, other=other, total=total, bin=used, notes=notes)


def _cube(_: Govern, context: Context, query: Cube) -> Answer:
    by = [dim_of(key, f"by[{i}]") for i, key in enumerate(query.by)]
    if len(set(query.by)) != len(by) or not 1 <= len(by) + bool(query.bin) <= 6 or any(d.many for d in by):
        todo = "use up to five different dimensions with one value per event"
        raise InvalidInput("this cube cannot be made", where="by", todo=todo)
    found = context.asking.predicates(query.filter, context.watermark)
    used = context.asking.bin(query.bin, found) if query.bin else None
    cells = context.asking.cube(by, found, BINS[used] if used else None)
    columns = [ColumnInfo("time", "time", "time", "time")] * bool(used)
    columns += [ColumnInfo(d.key, d.label, "text", d.field) for d in by]
    texts = {start: instant_text(start) for start in {key[0] for key, _ in cells} if isinstance(start, int)}
    rows = [Row([texts.get(key[0], key[0]), *key[1:], n]) for key, n in cells]
    return _answer(context, [*columns, _events()], rows, bin=used, total=sum(n for _, n in cells))


_ANSWERS: dict[type, Callable[[Govern, Context, Any], Answer]] = {
    Rows: _rows,
    Top: _top,
    Distinct: _distinct,
    Histogram: _histogram,
    Cube: _cube,
}


def _answer(context: Context, columns: list[ColumnInfo], rows: list[Row], **more: object) -> Answer:
    return Answer(
        query=context.query, epoch=context.view.epoch, watermark=instant_text(context.watermark),
        org=context.reader.org, purpose=context.reader.purpose, columns=columns, rows=rows, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _events() -> ColumnInfo:
    return ColumnInfo("events", "events", "number")


def _limit(limit: int, most: int) -> None:
    if not 1 <= limit <= most:
        raise InvalidInput("too many values asked for", where="limit", todo=f"ask for 1 to {most}")


def _events_only(measure: str) -> None:
    if measure != "events":
        raise InvalidInput("no such measure", where="measure", todo="use events")
