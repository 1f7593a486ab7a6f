"""The OpenAPI document of the hub: served at /openapi.json and written to docs/reference/openapi.json.

    python -m commonwatch.web.openapi > docs/reference/openapi.json

The framework describes its own error bodies and forgets the tags of tagged Structs; both are put right here.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from litestar import Litestar, MediaType, Request
from litestar.openapi.plugins import JsonRenderPlugin

from commonwatch.govern import query
from commonwatch.web.problems import MEDIA_TYPE

Schema = dict[str, Any]
PROBLEM: Schema = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457: what is wrong, where in the request, and what to do.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail", "where", "todo", "current")},
        "status": {"type": "integer"},
    },
}
_ERROR = {
    "description": "A problem.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def corrected(schema: Any) -> Schema:
    """The framework's schema as plain JSON values, with problems and tags put right."""
    plain: Schema = msgspec.json.decode(msgspec.json.encode(schema))
    plain["components"]["schemas"]["Problem"] = PROBLEM
    for path in plain["paths"].values():
        for operation in path.values():
            responses = {code: said for code, said in operation["responses"].items() if code[0] not in "45"}
            operation["responses"] = {**responses, "default": _ERROR}
    for kind in (query.Rows, query.Top, query.Distinct, query.Histogram, query.Cube):
        _tag(plain["components"]["schemas"][kind.__name__], kind)
    return plain


def _tag(schema: Schema, kind: type[msgspec.Struct]) -> None:
    config = kind.__struct_config__
    schema["properties"][str(config.tag_field)] = {"const": config.tag}
    schema["required"] = sorted({*schema.get("required", []), str(config.tag_field)})


class Schemas(JsonRenderPlugin):
    """Serves the corrected document."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: Schema) -> bytes:  # noqa: ARG002
        """The document as JSON."""
        return encode(openapi_schema)


def encode(schema: Any) -> bytes:
    """The corrected document, keys sorted."""
    return msgspec.json.encode(corrected(schema), order="sorted")


def document() -> bytes:
    """The document of this version, indented for people and for differences."""
    from commonwatch.web.app import create

    app: Litestar = create(cast("Any", SimpleNamespace(now=lambda: 0)))
    return msgspec.json.format(encode(app.openapi_schema.to_schema()), indent=1) + b"\n"


SERVED = Schemas(path="/", media_type=MediaType.JSON)

if __name__ == "__main__":
    sys.stdout.buffer.write(document())
