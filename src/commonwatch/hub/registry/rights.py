"""Who may do what with agreements, in one place.

Rules: an organisation is bound by its administrators: in person, or by a token of theirs with the scope `sign`, which
hands in what was signed elsewhere. The key that the hub holds is used only by an administrator in person.
"""

from __future__ import annotations

from commonwatch.errors import NotPermitted
from commonwatch.web.ports import Principal


def binds(principal: Principal) -> bool:
    """Whether this principal may bind its organisation."""
    return principal.admin and principal.kind != "gateway"


def must_bind(principal: Principal) -> None:
    """Refuse whoever may not. Raises NotPermitted."""
    if not binds(principal):
        todo = "ask one of them, or use a token of theirs with the scope `sign`"
        raise NotPermitted("this is for an administrator of your organisation", todo=todo)


def must_be_there(principal: Principal) -> None:
    """Refuse whoever is not an administrator in person: the hub signs for nobody else. Raises NotPermitted."""
    must_bind(principal)
    if principal.kind != "person":
        todo = (
            "log in in a browser; what binds your organisation can also be signed with a key of its own and handed in"
        )
        raise NotPermitted("this is for an administrator of your organisation, in person", todo=todo)
