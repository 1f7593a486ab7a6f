"""On which line of a YAML or JSON text each part of a document stands. JSON is read as the YAML it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from commonwatch.agreements.decode import LOADER

_LAST = re.compile(r"(?:\.[^.\[]*|\[\d+\])$")


def lines(text: str) -> dict[str, int]:
    """Path -> line, from 1. Empty for a text that is neither. The text must have been decoded before (its depth)."""
    try:
        node = yaml.compose(text, Loader=LOADER)
    except (yaml.YAMLError, ValueError):
        return {}
    return dict(_walk(node, "$")) if node is not None else {}


def _walk(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(item, f"{path}[{number}]")
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield f"{path}.{key.value}", key.start_mark.line + 1
            yield from (found for found in _walk(value, f"{path}.{key.value}") if found[0] != f"{path}.{key.value}")


def line_of(path: str, known: dict[str, int]) -> int | None:
    """The line of the nearest part that stands in the text."""
    while path:
        if path in known:
            return known[path]
        shorter = _LAST.sub("", path)
        path = shorter if shorter != path else ""
    return None
