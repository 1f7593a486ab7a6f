"""The templates that come with the program: read once, checked, by their ids."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from commonwatch.agreements.templates import Template, check_template, decode_template


@cache
def shipped() -> dict[str, Template]:
    """Every shipped template, sorted by id. Do not change the dict: it is shared."""
    folder = files("commonwatch.agreements.templates") / "shipped"
    found = [decode_template(one.read_bytes()) for one in folder.iterdir() if one.name.endswith(".yaml")]
    for template in found:
        check_template(template)
    return {template.id: template for template in sorted(found, key=lambda template: template.id)}
