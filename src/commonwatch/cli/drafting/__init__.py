"""`commonwatch agreement new|templates|batch|print`: drafts from templates, by questions or options; and on paper.

Questions go to the terminal's error stream, so that what is printed can be piped. A template is one that comes with
the program, a file, or with `--url` one that the hub has for you. Nothing that is there is overwritten.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from commonwatch.agreements.templates import (
    Draft,
    Exceptions,
    Template,
    check_template,
    decode_template,
    instantiate,
    sample,
)
from commonwatch.agreements.templates.fleet import batch, columns, page
from commonwatch.cli.client import Client, add_options
from commonwatch.cli.drafting import shelf
from commonwatch.cli.drafting.asking import Terminal, choose_level, choose_template, complete, settings
from commonwatch.cli.drafting.printing import draw
from commonwatch.cli.files import text as _text
from commonwatch.cli.files import write_folder
from commonwatch.errors import InvalidInput
from commonwatch.hub.templates.shipped import shipped


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The subcommands."""
    one = _command(actions, "templates", "list templates and their levels, or show what one says", _templates)
    one.add_argument("template", nargs="?", help="a template's id or file: print what each of its levels says")
    what = one.add_mutually_exclusive_group()
    what.add_argument(
        "--publish", metavar="FILE", help="as steward: publish a template, or its next version, on the hub"
    )
    what.add_argument("--withdraw", metavar="ID", help="as steward: take a template off the hub's shelf")
    what.add_argument("--older", metavar="ID", help="list your agreements made from an older version of this template")
    one.add_argument("--out", metavar="DIR", help="with --older: write a draft of the next version of each there")
    add_options(one)
    one = _command(actions, "new", "draft an agreement from a template, by questions or by options", _new)
    one.add_argument("--template", help="a template's id, or a file with one")
    one.add_argument("--level", type=int, help="the level, a number from 0")
    _add_values(one)
    one.add_argument("--without", action="append", default=[], metavar="CLAUSE", help="leave this clause out")
    one.add_argument("--out", metavar="FILE", help="where to write the draft (YAML); standard output without it")
    add_options(one)
    one = _command(actions, "batch", "draft an agreement for each row of a CSV", _batch)
    one.add_argument("template", help="a template's id, or a file with one")
    one.add_argument("members", help="CSV with a header; `agreement templates ID` lists the columns")
    one.add_argument("--level", type=int, help="the level of rows without one")
    _add_values(one)
    one.add_argument("--out", required=True, metavar="DIR", help="where to write the drafts and exceptions.md")
    add_options(one)
    one = _command(actions, "print", "draw an agreement as HTML or PDF, with meanings and signatures", draw)
    one.add_argument("file", help="document or signed envelope; - is standard input")
    one.add_argument("--out", required=True, help="where to write it: a name that ends in .html or .pdf")


def _command(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, run: object
) -> argparse.ArgumentParser:
    made = actions.add_parser(name, help=text, description=text)
    made.set_defaults(run=run)
    return made


def _add_values(parser: argparse.ArgumentParser) -> None:
    text = "a parameter, such as owner=acme, owner.name='Acme Ltd', sites=a,b or ends=2027-12-31; repeat it"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="values", help=text)


def _templates(args: argparse.Namespace) -> int:
    if args.publish or args.withdraw or args.older:
        return shelf.run(args)
    if args.template:
        return _show(_template(args, args.template))
    for template in _all(args).values():
        print(f"{template.id} (version {template.version}): {template.title}")
        print(f"  {template.summary}")
        for one in template.levels:
            print(f"  {one.level}  {one.title}. {one.summary}")
        print()
    return 0


def _show(template: Template) -> int:
    print(f"{template.title}\n{template.summary}\n")
    for one in template.levels:
        print(f"Level {one.level}: {one.title}\n  {one.summary}")
        for line in one.give:
            print(f"  you give  {line}")
        for line in one.get:
            print(f"  you get   {line}")
        print(f"\n{instantiate(template, one.level, sample(template)).text}")
    print(f"Columns of a file for `agreement batch`: {', '.join(columns(template))}")
    return 0


def _new(args: argparse.Namespace) -> int:
    terminal = Terminal() if sys.stdin.isatty() else None
    template = _chosen_template(args, terminal)
    level = args.level if args.level is not None else choose_level(template, terminal)
    values = settings(template, args.values)
    if terminal is not None:
        values = complete(template, level, values, terminal)
    draft = instantiate(template, level, values, Exceptions(without=tuple(args.without)))
    if not args.out:
        print(draft.yaml, end="")
        return 0
    _write(Path(args.out), draft)
    print(draft.text, end="")
    print(f"\nwritten to {args.out}; next: commonwatch agreement check {args.out}", file=sys.stderr)
    return 0


def _chosen_template(args: argparse.Namespace, terminal: Terminal | None) -> Template:
    return _template(args, args.template) if args.template else choose_template(_all(args), terminal)


def _batch(args: argparse.Namespace) -> int:
    """Exit 1 when a row gave no draft."""
    template = _template(args, args.template)
    found = batch(template, _text(args.members), args.level, settings(template, args.values))
    folder = Path(args.out)
    drafts = {one.draft.agreement.id: one.draft.yaml for one in found.made}
    write_folder(folder, {f"{name}.yaml": text for name, text in drafts.items()} | {"exceptions.md": page(found)})
    for fault in found.faults:
        place = f"row {fault.row} ({fault.owner or '?'})"
        print(f"{place}: {fault.path}: {fault.message} ({fault.todo})", file=sys.stderr)
    alike = sum(1 for one in found.made if not one.effects)
    print(f"{len(found.made)} drafts in {folder}, {alike} as the template says; {len(found.faults)} problems")
    print(f"exceptions by what they do: {folder / 'exceptions.md'}")
    return 1 if found.faults else 0


def _template(args: argparse.Namespace, name: str) -> Template:
    """By id of those at hand, or from a file."""
    known = shipped()
    if name in known:
        return known[name]
    if Path(name).is_file():
        template = decode_template(_text(name))
        check_template(template)
        return template
    if args.url:
        with Client.of(args) as hub:
            return decode_template(hub.get(f"api/templates/{name}")["document"])
    todo = f"choose {', '.join(known)}, a file, or name your hub with --url"
    raise InvalidInput(f"no template {name[:80]!r}", where="--template", todo=todo)


def _all(args: argparse.Namespace) -> dict[str, Template]:
    """Shipped templates, and those the hub has for whoever asks."""
    found = dict(shipped())
    if args.url:
        with Client.of(args) as hub:
            mine: list[dict[str, Any]] = [one for one in hub.get("api/templates") if one["publisher"]]
            found |= {one["id"]: decode_template(hub.get(f"api/templates/{one['id']}")["document"]) for one in mine}
    return found


def _write(path: Path, draft: Draft) -> None:
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(draft.yaml)
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror}", where=str(path), todo="name a new file") from None
