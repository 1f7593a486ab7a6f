"""One answer to one unfinished document: canonical form, YAML, English, digest, sentences, and every problem.

Rules held here: nothing raises; a clause that is whole is said even when others are not; a party without a key is a
problem and a blank, not a failure; the text and the digest are there as soon as the document says one thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from commonwatch.agreements.check import problems
from commonwatch.agreements.decode import KINDS, MAX_BYTES, canonical, digest, parse, plain, to_yaml
from commonwatch.agreements.diagnose.faults import MOST_FAULTS, Fault, faults
from commonwatch.agreements.diagnose.lines import line_of, lines
from commonwatch.agreements.document import BLANK_KEY, Clause, Document, Limit
from commonwatch.agreements.english import GRAMMAR, read, say, say_clause
from commonwatch.errors import InvalidInput


class Sentence(msgspec.Struct, frozen=True):
    """One clause in English."""

    clause: str
    text: str


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a document. `document`, `yaml` and `digest` are None until its types fit, `text` until it
    says one thing; `ready` when nothing is wrong and it can be signed. `grammar` is the one a signature names."""

    document: Any = None
    yaml: str | None = None
    text: str | None = None
    sentences: tuple[Sentence, ...] = ()
    digest: str | None = None
    problems: tuple[Fault, ...] = ()
    ready: bool = False
    grammar: str = GRAMMAR


def diagnose(source: Any) -> Diagnosis:
    """Everything about a document given as plain data, or as YAML or JSON text."""
    known: dict[str, int] = {}
    if isinstance(source, str):
        try:
            given = parse(_short(source))
            known = lines(source)
        except InvalidInput as error:
            return Diagnosis(problems=(_unread(error),))
    else:
        given = source
    found = _of_plain(given)
    placed = tuple(msgspec.structs.replace(f, line=line_of(f.path, known)) for f in found.problems) if known else ()
    return msgspec.structs.replace(found, problems=placed or found.problems)


def diagnose_text(text: str) -> Diagnosis:
    """Everything about the document that an English text says; a sentence that is not understood is the problem."""
    try:
        document = read(_short(text), draft=True)
    except InvalidInput as error:
        return Diagnosis(problems=(_unread(error),))
    return _of_document(document, [])


def _short(text: str) -> str:
    if len(text) > MAX_BYTES:
        raise InvalidInput("the document is too long", todo="split it into several agreements")
    return text


def _unread(error: InvalidInput) -> Fault:
    """A text that could not be read at all, at its line if that is known."""
    line = re.search(r"\bline (\d+)", error.where)
    path = error.where if error.where.startswith("$") else "$"
    todo = error.todo or "correct this place; everything after it could not be read"
    return Fault(path, error.what, todo, int(line[1]) if line else None)


def _of_plain(given: Any) -> Diagnosis:
    if not isinstance(given, dict):
        return Diagnosis(problems=(Fault("$", "a document is an object", 'begin with `dsa: "1"`'),))
    kinds = [kind for name, kind in KINDS.items() if name in given]
    if len(kinds) != 1:
        todo = "give one of `dsa`, `charter`, `community-charter`"
        return Diagnosis(problems=(Fault("$", "the kind of document is not stated", todo), *_clauses_alone(given)[1]))
    filled, blanks = _blanks(given)
    found = [*blanks, *faults(filled, kinds[0])]
    if len(found) > len(blanks):
        return Diagnosis(problems=tuple(found), sentences=tuple(_clauses_alone(given)[0]))
    return _of_document(msgspec.convert(filled, kinds[0]), blanks)


def _of_document(document: Document, blanks: list[Fault]) -> Diagnosis:
    """A document whose types fit: what `check` finds, and what can be said."""
    already = {fault.path for fault in blanks}
    more = (Fault(p.path, p.what, p.todo) for p in problems(document) if p.path not in already)
    found = blanks + list(islice(more, MOST_FAULTS))
    sayable = all(fault.path.endswith(".key") for fault in found)
    return Diagnosis(
        document=plain(document), yaml=to_yaml(document), text=say(document) if sayable else None,
        sentences=tuple(_sentences(document.clauses, found)), digest=digest(canonical(document)),
        problems=tuple(found), ready=not found,
    )  # fmt: skip


def _sentences(clauses: Iterable[Clause], found: Iterable[Fault]) -> Iterator[Sentence]:
    """The clauses that nothing is wrong with."""
    paths = [fault.path for fault in found]
    for number, clause in enumerate(clauses):
        place = f"$.clauses[{number}]"
        if not any(path == place or path.startswith(f"{place}.") for path in paths):
            yield Sentence(clause.id, say_clause(clause))


def _clauses_alone(given: dict[str, Any]) -> tuple[list[Sentence], list[Fault]]:
    """The whole clauses of a document that is not whole, in English; and what is wrong with the others."""
    kind = Clause if "dsa" in given else Limit
    listed = given.get("clauses")
    said: list[Sentence] = []
    wrong: list[Fault] = []
    for number, one in enumerate(listed if isinstance(listed, list) else ()):
        bad = list(faults(one, kind, f"$.clauses[{number}]"))
        wrong += bad
        if not bad:
            said += _try_say(msgspec.convert(one, kind))
        if len(wrong) > MOST_FAULTS:
            break
    return said, wrong


def _try_say(clause: Clause) -> list[Sentence]:
    """A clause's sentence; nothing for one with an empty list where words are needed."""
    try:
        return [Sentence(clause.id, say_clause(clause))]
    except IndexError:
        return []


def _blanks(given: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """The same document with a blank for each key that is missing, and a fault for each."""
    parties, found = given.get("parties"), []
    if not isinstance(parties, list):
        return given, []
    filled = []
    for number, party in enumerate(parties):
        blank = isinstance(party, dict) and party.get("key") in (None, "") and "role" in party
        filled.append({**party, "key": BLANK_KEY} if blank else party)
        if blank:
            todo = "let the organisation make a signing key; its thumbprint comes here"
            found.append(Fault(f"$.parties[{number}].key", "the signing key is not filled in yet", todo))
    return {**given, "parties": filled}, found
