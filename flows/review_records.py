"""What the two records of a pair hold, side by side, as matching compared them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from agreement.policy import Agreement, Identity
from connectors.store import Store
from flows.calc_match import shipped_model
from flows.masking import masked_value
from transforms import normalise
from transforms.identity.companies import with_employers
from transforms.identity.humans import match_tables
from transforms.matching import weights

# What is shown beside each compared field; the names on the left are those of the match weights.
_COLUMNS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "person": {
        "email": ("email", "other_emails"),
        "first": ("first_name",),
        "last": ("last_name",),
        "phone": ("phone", "mobile"),
        "company": ("company",),
        "domain": ("website", "email_domain"),
        "title": ("title",),
        "place": ("postcode", "city", "country"),
    },
    "account": {"name": ("name",), "domain": ("domain",), "place": ("city", "country")},
    "deal": {"name": ("name",), "amount": ("amount", "currency"), "closed": ("closed_on",)},
}
# These tell nobody who a person is.
_OPEN = {"domain", "amount", "closed"}
_ENTITY_KINDS = {
    "person": (("hubspot", "contact"), ("salesforce", "lead"), ("salesforce", "contact")),
    "account": (("hubspot", "company"), ("salesforce", "account")),
    "deal": (("hubspot", "deal"), ("salesforce", "opportunity")),
}
_ASSOCIATED = (("contact", "company"), ("deal", "company"))

Tables = Mapping[str, pd.DataFrame]


def read_records(store: Store, agreement: Agreement) -> dict[str, pd.DataFrame]:
    """Read the live records of people, accounts and deals from the mirrors, by entity.

    A table's index is `system kind id`. Where our own write to a shared field stands, the value is
    the one that people had set.
    People who name no company or website have those of the account that they belong to, as
    matching compares them.
    """
    mirrors = {
        key: store.mirror(*key, normalise.fields_to_pull(agreement, *key))
        for keys in _ENTITY_KINDS.values()
        for key in keys
    }
    aliases = normalise.aliases(mirrors)
    mirrors = normalise.live(mirrors, aliases)
    mirrors = normalise.as_others_said(mirrors, store.own_values())
    pairs = {kinds: store.associations("hubspot", *kinds) for kinds in _ASSOCIATED}
    associated = normalise.associations(pairs, aliases)
    people = normalise.people(mirrors, associated["contact", "company"], agreement.handoff)
    accounts = normalise.accounts(mirrors["hubspot", "company"], mirrors["salesforce", "account"])
    deals = normalise.deal_records(
        mirrors["hubspot", "deal"],
        mirrors["salesforce", "opportunity"],
        associated["deal", "company"],
    )
    humans = with_employers(people, accounts)
    # A website goes before an address: it is the company's.
    domain = humans["email"].str.replace(r"^.*@", "", regex=True).where(humans["website"].isna())
    tables = {"person": humans.assign(email_domain=domain), "account": accounts, "deal": deals}
    return {entity: table.set_index(_keys(table)) for entity, table in tables.items()}


def distinct_pairs(asked: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Put pairs of a HubSpot id and a Salesforce id in the table that matching is asked with."""
    pairs = pd.DataFrame(asked, columns=["hubspot_id", "salesforce_id"], dtype="str")
    return pairs.drop_duplicates(ignore_index=True)


def field_weights(
    people: pd.DataFrame, asked: Sequence[tuple[str, str]], policy: Identity
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Give, for pairs of a HubSpot id and a Salesforce id, each field's level and weight in bits.

    `people` are all the live records: how many hold a value is told by them. A pair of which a
    record is gone has no fields.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    rows = weights(*match_tables(people, policy), distinct_pairs(asked), shipped_model())
    for row in rows.to_dict("records"):
        told = {"field": row["field"], "level": row["level"], "weight": round(row["weight"], 2)}
        found.setdefault((row["hubspot_id"], row["salesforce_id"]), []).append(told)
    return found


def _keys(table: pd.DataFrame) -> pd.Index:
    return pd.Index(table["system"] + " " + table["kind"] + " " + table["record_id"])


def side_by_side(
    tables: Tables,
    entity: str,
    left: tuple[str, str, str],
    right: tuple[str, str, str],
    levels: Sequence[Mapping[str, Any]],
    *,
    is_masked: bool,
) -> list[dict[str, Any]]:
    """List a pair's fields with both values, how they agree, and the weight in bits.

    Fields that were compared and have no value of their own (rivals, rarity) come last, without
    values; a value that is missing is None. Where the model compares nothing (companies, deals, two
    records of one system), the level says whether the values are the same. The order is the same
    for every pair of an entity.
    """
    told = {row["field"]: dict(row) for row in levels}
    rows = []
    for field, columns in _COLUMNS[entity].items():
        texts = [_texts(tables[entity], place, columns) for place in (left, right)]
        is_hidden = is_masked and field not in _OPEN
        values = [_shown(told_of, is_masked=is_hidden) for told_of in texts]
        level = {"level": _seen(*texts), "weight": None} | told.pop(field, {})
        rows.append(_row(field, values, level))
    return rows + [_row(field, [None, None], level) for field, level in told.items()]


def _row(field: str, values: Sequence[str | None], told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "field": field, "left": values[0], "right": values[1],
        "level": told["level"], "weight": told["weight"],
    }  # fmt: skip


def _seen(left: Sequence[str], right: Sequence[str]) -> str:
    """Say how the values of a field stand that no model compared."""
    if not left or not right:
        return "missing"
    sides = [[text.casefold() for text in side] for side in (left, right)]
    return "equal" if sides[0] == sides[1] else "different"


def _texts(table: pd.DataFrame, place: tuple[str, str, str], columns: Sequence[str]) -> list[str]:
    key = " ".join(place)
    if key not in table.index:
        return []
    return [
        part.strip()
        for value in table.loc[key, list(columns)].dropna()
        for part in str(value).split(";")
        if part.strip()
    ]


def _shown(texts: Sequence[str], *, is_masked: bool) -> str | None:
    return ", ".join(masked_value(text) if is_masked else text for text in texts) or None
