"""From bytes to a document and back: strict JSON, a strict YAML for authoring, canonical bytes, digest, JSON Schema.

Rules held here: a key given twice is refused; YAML scalars follow the JSON-like core schema only (`no`, `on`, `1_0`,
`12:30:45`, dates stay text), without anchors, aliases and tags; every error names its path; signed bytes are RFC 8785
JSON, made once and never re-serialised.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import msgspec
import rfc8785
import yaml

from commonwatch.agreements.document import Agreement, Charter, CommunityCharter, Document
from commonwatch.errors import InvalidInput

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
#: libyaml where it is there: the same rules, ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
KINDS: dict[str, type[Agreement] | type[Charter] | type[CommunityCharter]] = {
    "dsa": Agreement, "charter": Charter, "community-charter": CommunityCharter,
}  # fmt: skip


def decode(data: bytes | str) -> Document:
    """A document from JSON or YAML text, validated by type. Raises InvalidInput with the path of the first fault.

    Only the types are checked here; `check.check` finds what types cannot say.
    """
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        raise InvalidInput(f"the document has more than {MAX_BYTES} bytes", todo="split it into several agreements")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("the document is not UTF-8 text", where=f"byte {error.start}") from None
    return convert(parse(text))


def parse(text: str) -> Any:
    """Plain data from JSON or YAML text. Raises InvalidInput with the line."""
    return from_json(text) if text.lstrip()[:1] == "{" else from_yaml(text)


def convert(plain: Any) -> Document:
    """A document from plain dicts and lists; the key `dsa`, `charter` or `community-charter` says which kind."""
    if not isinstance(plain, dict):
        raise InvalidInput("a document is an object", where="$", todo='begin with `dsa: "1"`')
    kinds = [kind for kind in KINDS if kind in plain]
    if len(kinds) != 1:
        raise InvalidInput(
            "the kind of document is not stated",
            where="$",
            todo="give one of `dsa`, `charter`, `community-charter`",
        )
    try:
        return msgspec.convert(plain, type=KINDS[kinds[0]])
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        raise InvalidInput(what, where=where.rstrip("`") or "$") from None


def from_json(text: str) -> Any:
    """Plain data from JSON text; refuses keys given twice, NaN, half characters and deep nesting."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not JSON: {error.msg}", where=f"line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise InvalidInput("nested too deeply") from None
    except UnicodeEncodeError:
        raise InvalidInput("half a character (a lone surrogate)", where="$", todo="write whole characters") from None
    except ValueError:
        raise InvalidInput("a number has too many digits", where="$") from None
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidInput(f"the key {key[:40]!r} is given twice", where=key[:40])
        found[key] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise InvalidInput(f"{name} is not a number")


def from_yaml(text: str) -> Any:
    """Plain data from YAML text by the core schema restricted to JSON's types."""
    try:
        _refuse_deep(text)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise InvalidInput(f"not YAML: {getattr(error, 'problem', None) or 'malformed'}", where=where) from None
    except (RecursionError, ValueError):
        raise InvalidInput("not YAML: malformed or nested too deeply") from None
    if node is None:
        raise InvalidInput("the document is empty")
    return _build(node, "$")


def _refuse_deep(text: str) -> None:
    """Refuse aliases and deep nesting while they are read, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise InvalidInput("YAML aliases and deep nesting are not allowed", where=f"line {line}")


def _build(node: yaml.Node, path: str) -> Any:
    """One YAML node as plain data."""
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else scalar(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_build(n, f"{path}[{i}]") for i, n in enumerate(node.value)]
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise InvalidInput("a key is a plain word", where=path)
        key = key_node.value
        if key in found:
            line = key_node.start_mark.line + 1
            raise InvalidInput(f"the key {key[:40]!r} is given twice", where=f"{path}.{key[:40]} (line {line})")
        found[key] = _build(value_node, f"{path}.{key[:40]}")
    return found


_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+\Z")


def scalar(text: str) -> str | int | float | bool | None:
    """A plain YAML scalar: `null`, `true`, `false`, JSON numbers; everything else is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text


_WORDS: dict[str, bool | None] = {"": None, "null": None, "true": True, "false": False}


def plain(document: msgspec.Struct) -> Any:
    """A document (or a part) as dicts, lists, text and numbers; defaults are left out."""
    return msgspec.json.decode(msgspec.json.encode(document))


def canonical(document: msgspec.Struct) -> bytes:
    """RFC 8785 bytes: what is signed. Equal documents give equal bytes."""
    return rfc8785.dumps(plain(document))


def digest(payload: bytes) -> str:
    """SHA-256 of signed bytes, hexadecimal."""
    return hashlib.sha256(payload).hexdigest()


def to_yaml(document: msgspec.Struct) -> str:
    """A document as YAML that `decode` reads back."""
    return yaml.dump(plain(document), Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=120)


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of every document kind; the first definition is the agreement."""
    (agreement, charter, community), parts = msgspec.json.schema_components(
        tuple(KINDS.values()), ref_template="#/$defs/{name}"
    )
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Commonwatch document"}
    return {**schema, "oneOf": [agreement, charter, community], "$defs": parts}
