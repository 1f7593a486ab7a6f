"""Who saw what: what left of my organisation, to whom, under which clauses, how often; as pages, sums, files, live.

Rules held here: the organisation is the principal's, never a parameter; a table for spreadsheets holds no formula;
every access can be proven against the audit log.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, QueryParameter

from commonwatch.errors import InvalidInput
from commonwatch.web.auth import user
from commonwatch.web.messages import Plain
from commonwatch.web.ports import AccessInfo, AccessPage, AccessSummary, AccessWanted
from commonwatch.web.rooms import room
from commonwatch.web.routes.live import events
from commonwatch.web.streams import Held, begin

Req = Request[Any, Any, Any]
Text = Annotated[str, QueryParameter(max_length=200)]
Since = Annotated[str, QueryParameter(max_length=40, description="an RFC 3339 instant, or back from now: 24h, 30d")]
Clause = Annotated[str, QueryParameter(max_length=300, description="a clause's name, or agreement@version#clause")]
Size = Annotated[int, QueryParameter(ge=0, le=2**53)]
Limit = Annotated[int, QueryParameter(ge=1, le=1_000)]
Format = Annotated[Literal["csv", "json"], QueryParameter(name="format")]
MOST_EXPORTED, A_PAGE, EVER = 100_000, 1_000, 1 << 62
COLUMNS = (
    "id", "at", "until", "reader", "purpose", "by", "surface", "clauses", "fields", "count", "unit", "uses", "query",
    "entry",
)  # fmt: skip
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def asked(
    *, request: Req, since: Since = "", until: Since = "", reader: Text = "", agreement: Text = "", clause: Clause = "",
    surface: Text = "",
) -> AccessWanted:  # fmt: skip
    """Which accesses a request asks for."""
    now = room(request).ports.now()
    return AccessWanted(
        since=_instant(now, since, 0), until=_instant(now, until, EVER), reader=reader, agreement=agreement,
        clause=clause, surface=surface,
    )  # fmt: skip


@get("/")
async def list_accesses(
    request: Req, wanted: NamedDependency[AccessWanted], after: Text = "", limit: Limit = 100
) -> AccessPage:
    """What left of my organisation, newest first."""
    here = room(request)
    one = msgspec.structs.replace(wanted, after=after, limit=limit)
    return await here.workers.brief(here.ports.accesses.page, user(request), one)


@get("/summary")
async def summary(request: Req, wanted: NamedDependency[AccessWanted]) -> AccessSummary:
    """The same, added up by reader, agreement, clause, surface and day."""
    here = room(request)
    return await here.workers.brief(here.ports.accesses.summary, user(request), wanted)


@get("/export")
async def export(request: Req, wanted: NamedDependency[AccessWanted], format_: Format = "csv") -> Response[bytes]:
    """All of them as one file: CSV for spreadsheets, or JSON."""
    here, who = room(request), user(request)

    def gathered() -> bytes:
        found = list(_all(lambda one: here.ports.accesses.page(who, one), wanted))
        return table(found) if format_ == "csv" else msgspec.json.encode(found)

    body = await here.workers.brief(gathered)
    name = f"accesses-{who.reader.org}.{format_}"
    kind = "text/csv; charset=utf-8" if format_ == "csv" else "application/json"
    return Response(body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@get("/stream", media_type="text/event-stream")
async def stream(request: Req) -> Held:
    """What leaves, as it leaves. Ends within a second when the session or the policy source is lost."""
    here = room(request)
    return events(await begin(here.ports.accesses.watch(user(request))), here.closing)


@get("/{access:str}/proof")
async def proof(request: Req, access: FromPath[str], size: Size = 0) -> Plain:
    """The proof that the audit log binds an access, with the checkpoint it leads to: keep both.

    With `size` the proof leads to an earlier checkpoint of that size, which you keep.
    """
    here = room(request)
    return await here.workers.brief(here.ports.accesses.proof, user(request), access, size)


def table(accesses: list[AccessInfo]) -> bytes:
    """CSV (RFC 4180, UTF-8) with a header line; no cell begins a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for access in accesses:
        plain = msgspec.to_builtins(access)
        plain["clauses"] = " ".join(access.clauses)
        plain["fields"] = "; ".join(f"{field} {level}" for field, level in access.fields.items())
        writer.writerow(harmless(plain[name]) for name in COLUMNS)
    return out.getvalue().encode()


def harmless(value: object) -> object:
    """The cell, or where a spreadsheet would compute it, its text behind an apostrophe (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _all(page: Callable[[AccessWanted], AccessPage], wanted: AccessWanted) -> Iterator[AccessInfo]:
    wanted = msgspec.structs.replace(wanted, limit=A_PAGE)
    for _ in range(MOST_EXPORTED // A_PAGE):
        found = page(wanted)
        yield from found.accesses
        if found.after is None:
            return
        wanted = msgspec.structs.replace(wanted, after=found.after)


def _instant(now: int, text: str, default: int) -> int:
    """Microseconds of an instant or of a span back from now. Raises InvalidInput."""
    if not text:
        return default
    if text[-1:] in _UNITS and text[:-1].isdecimal() and len(text) <= 6:
        return now - timedelta(**{_UNITS[text[-1]]: int(text[:-1])}) // timedelta(microseconds=1)
    try:
        found = datetime.fromisoformat(text)
        return (found - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, TypeError):
        todo = "write for example 2026-11-19T06:00:00Z or 7d"
        raise InvalidInput("not an instant with its time zone", where="since, until", todo=todo) from None


ROUTER = Router(
    "/api/accesses", route_handlers=[list_accesses, summary, export, stream, proof], tags=["accesses"],
    opt={"scope": "audit"}, dependencies={"wanted": Provide(asked, sync_to_thread=False)},
)  # fmt: skip
