"""Questions in plain words: numbered choices, an answer that does not fit is asked again with what to do.

Without a terminal nothing is asked: what is missing is an error that says which option to give.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from commonwatch.agreements.diagnose.faults import Fault
from commonwatch.agreements.templates import Parameter, Template
from commonwatch.agreements.templates.template import PARTIES
from commonwatch.agreements.templates.values import ROOT, read_values
from commonwatch.errors import InvalidInput

Values = dict[str, Any]


class Terminal:
    """Where questions are asked. An empty answer is "nothing"; the end of input stops the command."""

    def __init__(
        self, read: Callable[[], str] = input, write: Callable[[str], object] = lambda s: print(s, file=sys.stderr)
    ) -> None:
        self._read, self.say = read, write

    def ask(self, question: str) -> str:
        """One line, without blanks at its ends."""
        self.say(question)
        try:
            return self._read().strip()
        except EOFError:
            raise InvalidInput("the questions were not answered", todo="answer them, or give --set options") from None

    def choose(self, question: str, choices: Sequence[str], first: int = 1) -> int:
        """The number of a choice; they are numbered from `first`."""
        listed = "\n".join(f"  {number}  {text}" for number, text in enumerate(choices, first))
        last = first + len(choices) - 1
        while True:
            answer = self.ask(f"{question}\n{listed}")
            if answer.isdecimal() and first <= int(answer) <= last:
                return int(answer)
            self.say(f"Please write a number from {first} to {last}.")


def choose_template(templates: Mapping[str, Template], terminal: Terminal | None) -> Template:
    """The template somebody picks."""
    if terminal is None:
        raise InvalidInput("no template is named", where="--template", todo=f"choose {', '.join(templates)}")
    listed = list(templates.values())
    number = terminal.choose("Which of these are you?", [f"{t.title}\n     {t.summary}" for t in listed])
    return listed[number - 1]


def choose_level(template: Template, terminal: Terminal | None) -> int:
    """The level somebody picks."""
    if terminal is None:
        todo = "; ".join(f"{one.level}: {one.title}" for one in template.levels)
        raise InvalidInput("no level is chosen", where="--level", todo=todo)
    choices = [
        "\n".join(
            [
                one.title,
                *(f"     you give: {line}" for line in one.give),
                *(f"     you get: {line}" for line in one.get),
            ]
        )
        for one in template.levels
    ]
    return terminal.choose("How much do you want to share?", choices, first=0)


def settings(template: Template, given: Sequence[str]) -> Values:
    """`--set` options as values: `owner.name=x` is the name of the owner, lists are separated by commas."""
    found: Values = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise InvalidInput(f"{one[:80]!r} is no KEY=VALUE", where="--set", todo="write --set owner=acme")
        name, dot, part = key.partition(".")
        parameter = template.by_name.get(name)
        if parameter is not None and parameter.kind in PARTIES:
            _set_party(found.setdefault(name, {}), part if dot else "id", value)
        else:
            found[key] = _split(value) if parameter is not None and parameter.kind != "community" else value
    return found


def _set_party(party: Values, part: str, value: str) -> None:
    """A part of a party; `contact` and `reach` make its one contact."""
    if part in {"contact", "reach"}:
        contact = party.setdefault("contacts", [{}])[0]
        contact["name" if part == "contact" else "reach"] = value
    else:
        party[part] = value


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def complete(template: Template, level: int, values: Values, terminal: Terminal) -> Values:
    """The values with what was missing asked for, one question at a time."""
    return _Asking(template, level, dict(values), terminal).all()


class _Asking:
    """The questions of one template at one level; each is asked until its answer has no fault of its own."""

    def __init__(self, template: Template, level: int, values: Values, terminal: Terminal) -> None:
        self.template, self.level, self.values, self.terminal = template, level, values, terminal

    def all(self) -> Values:
        """Every question that is still open."""
        for parameter in self.template.parameters:
            if self.level >= parameter.level:
                self._ask(parameter.name, partial(self._answer, parameter))
        today = dt.datetime.now(dt.UTC).date()
        self._ask("starts", partial(self._day, "From which day is it valid?", today))
        year = _day(self.values["starts"], today) + dt.timedelta(days=364)
        self._ask("ends", partial(self._day, "Until which day, that day included?", year))
        return self.values

    def _ask(self, name: str, answer: Callable[[], Any]) -> None:
        if name in self.values:
            return
        while True:
            self.values[name] = answer()
            if not (faults := self._faults(name)):
                return
            self.terminal.say(f"That does not fit: {faults[0].message}. {faults[0].todo}")

    def _faults(self, name: str) -> list[Fault]:
        _, found = read_values(self.template, self.level, self.values)
        return [fault for fault in found if fault.path.startswith(f"{ROOT}.{name}")]

    def _day(self, question: str, usual: dt.date) -> str:
        return self.terminal.ask(f"{question} (empty: {usual})") or usual.isoformat()

    def _answer(self, parameter: Parameter) -> Any:
        """The value of one parameter: of a party its short name, full name and key."""
        ask = self.terminal.ask
        if parameter.kind == "community":
            return ask(f"{parameter.ask} (its short name)")
        if parameter.kind not in PARTIES:
            return _split(ask(f"{parameter.ask} (short names, separated by commas)"))
        party = {"id": ask(f"{parameter.ask} (its short name, such as northgate-dental)")}
        name, key = ask("Its full name? (empty: the short name)"), ask("The thumbprint of its key? (empty: later)")
        return party | ({"name": name} if name else {}) | ({"key": key} if key else {})


def _day(text: Any, otherwise: dt.date) -> dt.date:
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError:
        return otherwise
