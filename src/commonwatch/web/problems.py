"""The one RFC 9457 problem shape. Every error of every route leaves through `problem()`; no error text quotes data.

Our own errors say what, where and what to do. The framework's are reworded here by status. Everything else, engine
errors above all, becomes one constant sentence: an engine prints the values it choked on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException
from litestar.routes import BaseRoute

from commonwatch.errors import CommonwatchError, Gone, InvalidInput, NotAuthenticated, NotFound, Overloaded

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("commonwatch.web")
_PATH = re.compile(r" - at `(?:key in )?\$?(?P<path>[^`]*)`$")


_MISSING = re.compile(r"^Missing required \w+ parameter '(\w+)'")


class Refused(CommonwatchError):
    """An HTTP-level refusal: no such method, too large, not acceptable."""

    def __init__(self, status: int, code: str, what: str, *, todo: str = "") -> None:
        super().__init__(what, todo=todo)
        self.status, self.code = status, code


class Failed(CommonwatchError):
    """What we did not foresee. Says nothing about what happened, on purpose."""

    code = "internal"
    status = 500


FAILED = Failed("the hub could not answer this", todo="try again; if it stays, tell the hub's operator the time of day")
NOWHERE = NotFound("there is nothing here", todo="look at /openapi.json")
_REWORDED: dict[int, Refused] = {
    400: Refused(400, "invalid-input", "the request is malformed", todo="look at /openapi.json"),
    413: Refused(413, "too-large", "the request body is too large", todo="send less at once"),
    415: Refused(415, "unsupported-media-type", "this content type is not understood here", todo="send JSON"),
}


def problem(error: CommonwatchError, *, instance: str = "") -> dict[str, Any]:
    """The problem document of one of our errors (RFC 9457 members plus `where`, `todo`, and for 410 `current`)."""
    body: dict[str, Any] = {
        "type": f"urn:commonwatch:problem:{error.code}",
        "title": error.code.replace("-", " "),
        "status": error.status,
        "detail": error.what,
    }
    if error.where:
        body["where"] = error.where
    if error.todo:
        body["todo"] = error.todo
    if instance:
        body["instance"] = instance
    if isinstance(error, Gone) and error.current:
        body["current"] = error.current
    return body


def answer(error: CommonwatchError, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A problem as a response."""
    extra = dict(headers or {})
    if isinstance(error, Overloaded):
        extra["Retry-After"] = str(error.retry_after)
    if isinstance(error, NotAuthenticated):
        extra.setdefault("WWW-Authenticate", 'Bearer realm="commonwatch"')
    content = msgspec.json.encode(problem(error))
    return Response(content, status_code=error.status, media_type=MEDIA_TYPE, headers=extra)


def ours(request: Request[Any, Any, Any], error: CommonwatchError) -> Response[bytes]:
    """An error we raised on purpose."""
    basic = request.url.path.startswith("/taxii2")
    headers = {"WWW-Authenticate": 'Basic realm="commonwatch"'} if basic and error.status == 401 else {}
    return answer(error, headers)


def framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """An error of the framework: kept to its status, told in our words."""
    if isinstance(error, MethodNotAllowedException):
        refusal = Refused(405, "method-not-allowed", "this method is not offered here", todo="look at /openapi.json")
        return answer(refusal, {"Allow": ", ".join(sorted(_offered(request)))})
    if isinstance(error, ValidationException):
        return answer(_invalid(error))
    if error.status_code == 404:
        return answer(NOWHERE)
    if error.status_code >= 500:
        return answer(FAILED)
    return answer(_REWORDED.get(error.status_code, _REWORDED[400]))


def unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Anything else: where it happened goes to the log, what it said goes nowhere."""
    log.error("%s in %s: %s", type(error).__name__, request.scope.get("path_template", "?"), trail(error))
    return answer(FAILED)


def trail(error: BaseException) -> str:
    """Where an error came from: files and lines, never its message."""
    places, step = [], error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{step.tb_lineno} {code.co_name}")
        step = step.tb_next
    return " < ".join(reversed(places[-8:]))


def malformed(error: Exception) -> InvalidInput:
    """What msgspec found wrong with a request body, with the path to it. It names types and fields, never values."""
    text = str(error)
    found = _PATH.search(text)
    what = text[: found.start()] if found else text
    where = (found.group("path").lstrip(".") if found else "") or "body"
    if not isinstance(error, msgspec.ValidationError):
        what = "the body is not JSON"
    return InvalidInput(_without_values(what), where=where, todo="look at /openapi.json")


def _offered(request: Request[Any, Any, Any]) -> set[str]:
    """The methods of the routes that fit a path (the framework does not tell)."""
    parts = [part for part in request.url.path.split("/") if part]
    return {str(m) for route in request.app.routes if _fits(route, parts) for m in getattr(route, "methods", ())}


def _fits(route: BaseRoute, parts: list[str]) -> bool:
    wanted = route.path_components
    return len(wanted) == len(parts) and all(
        not isinstance(want, str) or want == part for want, part in zip(wanted, parts, strict=True)
    )


def _without_values(what: str) -> str:
    return re.sub(r"Invalid (enum value|value) .*", r"This value is not one of those allowed", what)


def _invalid(error: ValidationException) -> InvalidInput:
    extra = error.extra if isinstance(error.extra, list) else []
    keys = sorted({str(item["key"]) for item in extra if isinstance(item, dict) and "key" in item})
    if missing := _MISSING.search(error.detail):
        keys = [missing.group(1)]
    return InvalidInput(
        "a parameter is missing or not of its type", where=", ".join(keys), todo="look at /openapi.json"
    )


HANDLERS: dict[int | type[Exception], Callable[..., Response[bytes]]] = {
    CommonwatchError: ours,
    HTTPException: framework,
    Exception: unforeseen,
}
