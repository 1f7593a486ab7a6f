"""The one RFC 9457 problem shape. Every error of every route leaves through `problem()`; no error text quotes data."""

from __future__ import annotations

from typing import Any

from commonwatch.errors import CommonwatchError

MEDIA_TYPE = "application/problem+json"


def problem(error: CommonwatchError, *, instance: str = "") -> dict[str, Any]:
    """The problem document of one of our errors (RFC 9457 members plus `where` and `todo`)."""
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
    return body
