"""One error tree. Every error says what happened, where, and what to do.

    CommonwatchError
    ├── InvalidInput         what was given is malformed (document, record, query, configuration)
    ├── SignatureError       a signature, key, chain or checkpoint does not verify
    ├── NotAuthenticated     who asks is unknown, or the credential is expired or revoked
    ├── NotPermitted         who asks is known and may not do this
    ├── NotFound             absent, or not visible to who asks (the two are never told apart)
    ├── Conflict             the thing has moved on: already done, out of turn
    │   └── Stale            what was edited was changed by somebody else meanwhile
    ├── Gone                 it was here and is no longer; `current` names what took its place
    ├── Overloaded           too much at once; try again after `retry_after` seconds
    └── Unavailable          a part that must answer does not; everything that needs it is closed, never open

Decisions about disclosure are values (`Granted | Withheld(reason)`), never exceptions.
"""

from __future__ import annotations


class CommonwatchError(Exception):
    """Base of all errors we raise on purpose.

    Attributes:
        what: one sentence, no member's data in it.
        where: a path into the document, a file position, a header name; empty when it does not apply.
        todo: what the caller can do about it.
    """

    code = "error"
    status = 500

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        advice = f" ({self.todo})" if self.todo else ""
        return f"{self.what}{place}{advice}"


class InvalidInput(CommonwatchError):
    """What was given is malformed."""

    code = "invalid-input"
    status = 400


class SignatureError(CommonwatchError):
    """A signature, key, chain or checkpoint does not verify."""

    code = "bad-signature"
    status = 400


class NotAuthenticated(CommonwatchError):
    """Who asks is unknown, or the credential is expired or revoked."""

    code = "not-authenticated"
    status = 401


class NotPermitted(CommonwatchError):
    """Who asks is known and may not do this."""

    code = "not-permitted"
    status = 403


class NotFound(CommonwatchError):
    """Absent, or not visible to who asks."""

    code = "not-found"
    status = 404


class Conflict(CommonwatchError):
    """The thing has moved on."""

    code = "conflict"
    status = 409


class Stale(Conflict):
    """What was edited was changed by somebody else meanwhile."""

    code = "stale"
    status = 412


class Gone(CommonwatchError):
    """It was here for who asks and is no longer. `current` is the id of what took its place."""

    code = "gone"
    status = 410

    def __init__(self, what: str, *, current: str | None = None, where: str = "", todo: str = "") -> None:
        super().__init__(what, where=where, todo=todo)
        self.current = current


class Overloaded(CommonwatchError):
    """Too much at once."""

    code = "overloaded"
    status = 429

    def __init__(self, what: str, *, retry_after: int = 5, where: str = "", todo: str = "") -> None:
        super().__init__(what, where=where, todo=todo)
        self.retry_after = retry_after


class Unavailable(CommonwatchError):
    """A part that must answer does not; what needs it stays closed."""

    code = "unavailable"
    status = 503
