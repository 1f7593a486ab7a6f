"""Templates: choose one and a level, get a draft; a fleet at once; what a steward publishes for its community."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from litestar import Request, Router, delete, get, post
from litestar.params import FromPath, JSONBody

from commonwatch.agreements.decode import parse, plain, to_yaml
from commonwatch.agreements.diagnose import Diagnosis, Fault, diagnose, faults
from commonwatch.agreements.templates import Exceptions, Level, Parameter, attempt, sample, template_problems
from commonwatch.agreements.templates.effects import Effects, Group
from commonwatch.agreements.templates.fleet import Batch, RowFault, columns, page
from commonwatch.agreements.templates.renewal import Renewal
from commonwatch.agreements.templates.template import Template, decode_template
from commonwatch.errors import CommonwatchError, InvalidInput
from commonwatch.web.auth import user
from commonwatch.web.ports import Ports, Principal, TemplateInfo
from commonwatch.web.rooms import room

Req = Request[Any, Any, Any]
Plain = dict[str, Any]
_Level = Annotated[int, msgspec.Meta(ge=0, le=9)]
_Text = Annotated[str, msgspec.Meta(max_length=1 << 20)]
#: Saving drafts and publishing ask for what binds an organisation.
CHANGE = {"scope": "sign"}


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A template as one chooses from the shelf. `publisher` is None for those that come with the program."""

    id: str
    version: int
    title: str
    summary: str
    community: str | None
    publisher: str | None
    published: int | None
    levels: tuple[Level, ...]
    parameters: tuple[Parameter, ...]


class LevelText(msgspec.Struct, frozen=True):
    """What a level says in English, with `the-NAME` where a value will stand."""

    level: int
    text: str


class TemplateWhole(TemplateView, frozen=True, kw_only=True):
    """A template with its document, what each level says, and the columns of a file for a fleet."""

    document: Plain
    yaml: str
    texts: list[LevelText]
    columns: list[str]


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A level, values for the parameters, and what is wanted otherwise: `{without: [..], limits: [..]}`."""

    level: _Level
    parameters: Plain = {}
    exceptions: Plain = {}


class Instantiated(Diagnosis, frozen=True, kw_only=True):
    """A draft as the editor takes it. Faults of what was given stand under `$.parameters`, `$.exceptions`, `$.level`
    and then there is no document; what is still to be filled in stands under the document's own paths."""

    effects: Effects = ()


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A template as an object, or as YAML or JSON text."""

    document: Plain | _Text


class TemplateProblems(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a template; where nothing is, what it is called and how each of its levels will read."""

    problems: tuple[Fault, ...] = ()
    id: str = ""
    version: int = 0
    community: str | None = None
    levels: tuple[Level, ...] = ()
    texts: tuple[LevelText, ...] = ()
    yaml: str = ""


class Fleet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A CSV of organisations; `level` and `parameters` hold where a row says nothing. `save` keeps the drafts."""

    csv: _Text
    level: _Level | None = None
    parameters: Plain = {}
    save: bool = False


class FleetDraft(msgspec.Struct, frozen=True, kw_only=True):
    """The draft of one row, what its exceptions do, and whether it was saved."""

    row: int
    owner: str
    id: str
    level: int
    document: Plain
    effects: Effects
    saved: bool = False


class FleetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Drafts, rows without one, exceptions by what they do, and all of it as one page of Markdown."""

    drafts: list[FleetDraft]
    problems: list[RowFault]
    exceptions: list[Group]
    page: str


class RenewalView(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement on an older version: the draft of its next version, or what is in the way."""

    agreement: str
    owner: str
    version: int
    from_version: int
    level: int
    document: Plain | None
    problems: tuple[Fault, ...]
    by_hand: tuple[str, ...]
    saved: bool = False


@get("/")
async def listing(request: Req) -> list[TemplateView]:
    """Every template I may use: those that come with the program, and those of my communities."""
    here = room(request)
    return [_view(info) for info in await here.workers.brief(here.ports.templates.of, user(request))]


@get("/{template:str}")
async def show(request: Req, template: FromPath[str]) -> TemplateWhole:
    """One template with its document and what each of its levels says."""
    here = room(request)
    return await here.workers.brief(lambda: _whole(here.ports.templates.one(user(request), template)))


@post("/{template:str}/instantiate", status_code=200)
async def instantiate(request: Req, template: FromPath[str], data: JSONBody[Choice]) -> Instantiated:
    """A draft from a level and values, or every problem of what was given. Nothing is saved."""
    here, who = room(request), user(request)
    return await here.workers.brief(_instantiate, here.ports, who, template, data)


@post("/{template:str}/batch", status_code=200, opt=CHANGE)
async def make_fleet(request: Req, template: FromPath[str], data: JSONBody[Fleet]) -> FleetAnswer:
    """A draft for each row of a CSV; bad rows are named with their reasons while the rest goes on."""
    here, who = room(request), user(request)
    return await here.workers.brief(_fleet, here.ports, who, template, data)


@get("/{template:str}/renewals")
async def renewals(request: Req, template: FromPath[str]) -> list[RenewalView]:
    """My agreements made from an older version, each with the draft that would renew it. Nothing is saved."""
    here = room(request)
    found = await here.workers.brief(here.ports.templates.renewals, user(request), template)
    return [_renewal(one) for one in found]


@post("/{template:str}/renewals", status_code=200, opt=CHANGE)
async def save_renewals(request: Req, template: FromPath[str]) -> list[RenewalView]:
    """Save a draft of the next version for each of them that has none yet. Who does not sign stays as it is."""
    here, who = room(request), user(request)
    return await here.workers.brief(_save_renewals, here.ports, who, template)


@post("/check", status_code=200)
async def check(request: Req, data: JSONBody[Publish]) -> TemplateProblems:
    """Every problem of a template, as one types it, or how each of its levels will read."""
    return await room(request).workers.brief(_check, data.document)


@post("/", status_code=201, opt=CHANGE)
async def publish(request: Req, data: JSONBody[Publish]) -> TemplateView:
    """Publish a template, or its next version, for the community it names; for administrators of its steward."""
    here, who = room(request), user(request)
    return _view(await here.workers.brief(here.ports.templates.publish, who, data.document))


@delete("/{template:str}", status_code=204, opt=CHANGE)
async def withdraw(request: Req, template: FromPath[str]) -> None:
    """Take a template off the shelf. What was signed from it stays."""
    here = room(request)
    await here.workers.brief(here.ports.templates.withdraw, user(request), template)


def _view(info: TemplateInfo) -> TemplateView:
    made = info.template
    return TemplateView(
        id=made.id, version=made.version, title=made.title, summary=made.summary, community=info.community,
        publisher=info.publisher, published=info.published, levels=made.levels, parameters=made.parameters,
    )  # fmt: skip


def _whole(info: TemplateInfo) -> TemplateWhole:
    template = info.template
    return TemplateWhole(
        **msgspec.structs.asdict(_view(info)), document=plain(template), yaml=to_yaml(template),
        texts=list(_texts(template)), columns=columns(template),
    )  # fmt: skip


def _texts(template: Template) -> Iterator[LevelText]:
    for one in template.levels:
        draft, _ = attempt(template, one.level, sample(template))
        if draft:
            yield LevelText(one.level, draft.text)


def _instantiate(ports: Ports, who: Principal, template: str, data: Choice) -> Instantiated:
    wrong = tuple(faults(data.exceptions, Exceptions, "$.exceptions"))
    if wrong:
        return Instantiated(problems=wrong)
    exceptions = msgspec.convert(data.exceptions, Exceptions)
    draft, found, effects = ports.templates.draft(who, template, data.level, data.parameters, exceptions)
    if draft is None:
        return Instantiated(problems=tuple(found))
    return Instantiated(**msgspec.structs.asdict(diagnose(draft.plain)), effects=effects)


def _fleet(ports: Ports, who: Principal, template: str, data: Fleet) -> FleetAnswer:
    found = ports.templates.batch(who, template, data.csv, data.level, data.parameters)
    drafts, problems = [], list(found.faults)
    for one in found.made:
        document = one.draft.plain
        refused = _save(ports, who, document) if data.save else None
        if refused is not None:
            problems.append(RowFault(one.row, one.owner, "$.id", refused.what, refused.todo))
        drafts.append(
            FleetDraft(
                row=one.row, owner=one.owner, id=document["id"], level=one.draft.origin.level, document=document,
                effects=one.effects, saved=data.save and refused is None,
            )
        )  # fmt: skip
    whole = Batch(found.template, found.version, found.made, tuple(problems), found.exceptions)
    return FleetAnswer(drafts=drafts, problems=problems, exceptions=list(found.exceptions), page=page(whole))


def _save(ports: Ports, who: Principal, document: Plain) -> CommonwatchError | None:
    """Keep a draft under its agreement's id; the error where there is one already."""
    try:
        ports.drafts.save(who, document["id"], document)
    except CommonwatchError as error:
        return error
    return None


def _save_renewals(ports: Ports, who: Principal, template: str) -> list[RenewalView]:
    views = [_renewal(one) for one in ports.templates.renewals(who, template)]
    return [
        msgspec.structs.replace(view, saved=_save(ports, who, view.document) is None) if view.document else view
        for view in views
    ]


def _renewal(one: Renewal) -> RenewalView:
    return RenewalView(
        agreement=one.agreement, owner=one.owner, version=one.version, from_version=one.from_version, level=one.level,
        document=one.draft.plain if one.draft else None, problems=one.faults, by_hand=one.by_hand,
    )  # fmt: skip


def _check(document: Plain | str) -> TemplateProblems:
    try:
        given = parse(document) if isinstance(document, str) else document
    except InvalidInput as error:
        return TemplateProblems(problems=(Fault("$", error.what, error.todo or "correct this place", None),))
    if wrong := tuple(faults(given, Template)):
        return TemplateProblems(problems=wrong)
    made = decode_template(given)
    if wrong := tuple(template_problems(made)):
        return TemplateProblems(problems=wrong)
    return TemplateProblems(
        id=made.id, version=made.version, community=made.community, levels=made.levels, texts=tuple(_texts(made)),
        yaml=to_yaml(made),
    )  # fmt: skip


ROUTER = Router(
    "/api/templates",
    route_handlers=[
        listing, show, instantiate, make_fleet, renewals, save_renewals, check, publish, withdraw,
    ],
    tags=["templates"], opt={"scope": "agreements"},
)  # fmt: skip
