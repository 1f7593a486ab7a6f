"""IEP 2.0 markings of STIX objects, as OASIS defines the extension, with a reference to agreement and version.

Rules held here: one IEP marking an object: that of its agreement, or of the strictest over all that allow it; its id
follows from the policy's id, so that equal terms are one definition; an agreement that may not be named is not
referenced. Definitions never change: another version of the agreement is another marking.

Source: OASIS CTI common objects, STIX 2.1 IEP 2.0 marking definition.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from commonwatch.agreements.terms.iep import Named, Terms, extension, policy

IEP_EXTENSION = "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a"
#: Of every uuid5 this project makes.
NAMESPACE = UUID("5b6a1f0e-0c63-4d5d-9b1c-7c1d6d0f2a11")
DUTIES_EXTENSION = f"extension-definition--{uuid5(NAMESPACE, 'extension:duties')}"


def iep_marking(terms: Terms) -> str:
    """The id of the marking of these terms."""
    return f"marking-definition--{terms.policy_id}"


def reference(name: Named) -> dict[str, Any]:
    """Where the signed text is: the agreement's id and version at the hub."""
    about = "data sharing agreement under which you received this"
    return {"source_name": "commonwatch-agreement", "external_id": str(name), "description": about}


def iep_definition(terms: Terms, publisher: str) -> dict[str, Any]:
    """The marking definition of these terms."""
    body = policy(terms)
    iep = {
        "extension_type": "property-extension",
        "iep_id": body["id"],
        "iep_version": body["iep_version"],
        "policy_name": body["name"],
        "description": body["description"],
        "start_date": f"{terms.starts.isoformat()}T00:00:00.000Z",
        "end_date": f"{terms.ends.isoformat()}T23:59:59.000Z",
        "encrypt_in_transit": body["encrypt_in_transit"],
        "permitted_actions": [body["permitted_actions"]],
        "affected_party_notifications": body["affected_party_notifications"],
        "tlp": body["tlp"],
        "provider_attribution": body["attribution"],
        "unmodified_resale": body["unmodified_resale"],
    }
    found: dict[str, Any] = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": iep_marking(terms),
        "created": f"{terms.starts.isoformat()}T00:00:00.000Z",
        "name": f"IEP: {body['name']}",
        "extensions": {
            IEP_EXTENSION: iep,
            DUTIES_EXTENSION: {"extension_type": "property-extension", "publisher": publisher, **extension(terms)},
        },
    }
    references = [reference(name) for name in terms.named]
    return found | ({"external_references": references} if references else {})
