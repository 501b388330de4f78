"""The scopes of HubSpot's token, each with what it is for, and whether a token has one.

HubSpot tells nobody which scopes a service key has. Each is tried by a question that is refused
without it: a page of one record, or a batch without a single row, which writes nothing.
"""

from dataclasses import dataclass

from agreement.errors import NotGranted, VendorRejected
from connectors.hubspot.client import Client
from connectors.hubspot.paths import Paths
from connectors.hubspot.subscriptions import SCOPE as PREFERENCES
from connectors.hubspot.subscriptions import may_unsubscribe


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope: what it is for, and what is left out without it when it is not needed."""

    name: str
    purpose: str
    without: str = ""

    @property
    def is_needed(self) -> bool:
        """Say whether a night cannot run without it."""
        return not self.without


SCOPES: tuple[Scope, ...] = (
    Scope("crm.objects.contacts.read", "reads contacts, calls, meetings, e-mails, texts"),
    Scope("crm.objects.contacts.write", "writes our fields on contacts"),
    Scope("crm.objects.companies.read", "reads companies"),
    Scope("crm.objects.companies.write", "writes our fields on companies"),
    Scope("crm.objects.deals.read", "reads deals"),
    Scope("crm.objects.deals.write", "writes our fields on deals"),
    Scope("crm.objects.owners.read", "reads who owns a record"),
    Scope(
        "crm.schemas.contacts.write",
        "creates our contact fields: tandem provision",
        "provision cannot create them",
    ),
    Scope(
        "crm.schemas.companies.write",
        "creates our company fields: tandem provision",
        "provision cannot create them",
    ),
    Scope(
        "crm.schemas.deals.write",
        "creates our deal fields: tandem provision",
        "provision cannot create them",
    ),
    Scope(
        PREFERENCES,
        "carries an opt-out from Salesforce to HubSpot",
        "opt-outs are listed for a person to note by hand",
    ),
    Scope("forms", "reads form submissions", "form submissions are no touches"),
    Scope("content", "reads marketing e-mail clicks", "clicks are no touches"),
    Scope(
        "sales-email-read",
        "reads subjects of sales e-mails, to tell automatic replies",
        "automatic replies cannot be told by their subject",
    ),
)

_OBJECTS = {"contacts": "contact", "companies": "company", "deals": "deal"}
_ONE = (("limit", "1"),)


def is_granted(client: Client, paths: Paths, name: str) -> bool | None:
    """Tell whether the token has one of `SCOPES`; None where HubSpot gives no way to see it.

    Raises:
        AccessError: the token itself is refused.
        VendorUnavailable: HubSpot does not answer.
    """
    if name == "sales-email-read":
        return None
    if name == PREFERENCES:
        return may_unsubscribe(client, paths)
    try:
        _ask(client, paths, name)
    except NotGranted:
        return False
    except VendorRejected:
        return True  # the question was understood, and only its content refused
    return True


def _ask(client: Client, paths: Paths, name: str) -> None:
    what = f"the scope {name}"
    area, *rest = name.split(".")
    if area == "crm" and rest[1] in _OBJECTS:
        kind = _OBJECTS[rest[1]]
        if rest[0] == "schemas":
            client.post(paths.properties(kind, "/batch/create"), {"inputs": []}, what=what)
        elif rest[2] == "write":
            client.post(paths.objects(kind, "/batch/update"), {"inputs": []}, what=what)
        else:
            client.get(paths.objects(kind), _ONE, what=what)
        return
    kind = {"crm": "owner", "forms": "form", "content": "email_event"}[area]
    client.get(paths.of(kind), _ONE, what=what)
