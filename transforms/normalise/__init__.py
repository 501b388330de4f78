"""Bring both vendors' mirrored records into one vocabulary: what the flows use of it."""

from transforms.normalise.activities import activities
from transforms.normalise.deals import (
    company_currency,
    currency_digits,
    deal_records,
    memberships,
    rates,
)
from transforms.normalise.fields import (
    ASSOCIATED,
    CHANGE_LISTS,
    FIELDS,
    HISTORY_FIELDS,
    STAGE_FIELDS,
    VISIT_FIELDS,
    fields_to_pull,
    history_to_pull,
    kinds_to_pull,
    shared_fields,
)
from transforms.normalise.history import stage_changes
from transforms.normalise.marketing import with_marketing_acts, with_scanners
from transforms.normalise.mirrors import (
    Mirrors,
    aliases,
    as_others_said,
    associations,
    live,
    long_ids,
)
from transforms.normalise.people import absences, accounts, people, users

__all__ = [
    "ASSOCIATED",
    "CHANGE_LISTS",
    "FIELDS",
    "HISTORY_FIELDS",
    "STAGE_FIELDS",
    "VISIT_FIELDS",
    "Mirrors",
    "absences",
    "accounts",
    "activities",
    "aliases",
    "as_others_said",
    "associations",
    "company_currency",
    "currency_digits",
    "deal_records",
    "fields_to_pull",
    "history_to_pull",
    "kinds_to_pull",
    "live",
    "long_ids",
    "memberships",
    "people",
    "rates",
    "shared_fields",
    "stage_changes",
    "users",
    "with_marketing_acts",
    "with_scanners",
]
