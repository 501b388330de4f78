"""What the two records of a pair hold, side by side, as matching compared them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from agreement.pairs import SIDES, Place
from agreement.policy import Agreement, Identity
from connectors.store import Store
from flows.calc_match import shipped_model
from flows.masking import masked_value
from transforms import normalise
from transforms.identity.companies import with_employers
from transforms.identity.deals import plain_amounts
from transforms.identity.humans import match_tables
from transforms.matching import weights
from transforms.matching.reasons import MISSING

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
    "deal": {
        "name": ("name",),
        "amount": ("amount",),
        "currency": ("currency",),
        "closed": ("closed_on",),
    },
}
# These tell nobody who a person is.
_OPEN = {"domain", "amount", "currency", "closed"}
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
    deals = deals.assign(amount=plain_amounts(deals["amount"]))
    humans = with_employers(people, accounts)
    # A website goes before an address: it is the company's.
    domain = humans["email"].str.replace(r"^.*@", "", regex=True).where(humans["website"].isna())
    tables = {"person": humans.assign(email_domain=domain), "account": accounts, "deal": deals}
    return {entity: table.set_index(_keys(table)) for entity, table in tables.items()}


def distinct_pairs(asked: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Put pairs of a HubSpot id and a Salesforce id in the table that matching is asked with."""
    pairs = pd.DataFrame(asked, columns=["hubspot_id", "salesforce_id"], dtype="str")
    return pairs.drop_duplicates(ignore_index=True)


@dataclass(frozen=True)
class Weighed:
    """A pair's fields, each with its level and weight in bits, and what a link takes.

    `link_bits` is the sum from which the pair would be linked unasked; None where none is enough,
    or where no model compared the two.
    """

    fields: Sequence[Mapping[str, Any]] = ()
    link_bits: float | None = None


def field_weights(
    people: pd.DataFrame, asked: Sequence[tuple[str, str]], policy: Identity
) -> dict[tuple[str, str], Weighed]:
    """Weigh the fields of pairs of a HubSpot id and a Salesforce id.

    `people` are all the live records: how many hold a value is told by them. A pair of which a
    record is gone is left out.
    """
    if not asked:
        return {}
    rows = weights(*match_tables(people, policy), distinct_pairs(asked), shipped_model())
    return {
        (str(one), str(other)): _weighed(told)
        for (one, other), told in rows.groupby(["hubspot_id", "salesforce_id"])
    }


def _weighed(rows: pd.DataFrame) -> Weighed:
    link_bits = rows["link_bits"].iloc[0]
    fields = rows[["field", "level"]].assign(weight=rows["weight"].round(2)).to_dict("records")
    return Weighed(fields, None if pd.isna(link_bits) else round(float(link_bits), 2))


def sides_of(row: Mapping[Any, Any]) -> tuple[Place, Place]:
    """Give the two records of a row of reviews or decisions."""
    left, right = ((row[f"{s}_system"], row[f"{s}_kind"], row[f"{s}_id"]) for s in SIDES)
    return left, right


# So many of the others that a record is one with are named.
_MOST_NAMED = 3


def companions(
    links: pd.DataFrame, pairs: Sequence[tuple[Place, Place]]
) -> list[list[dict[str, Any]]]:
    """Say of each pair's records what they are one with now: other records, and by which rule.

    Records of the other system go first, then survivors; one that is alone, or gone, is left out.
    """
    ids = {place[2] for pair in pairs for place in pair}
    near = links.loc[links["record_id"].isin(ids), "entity_id"]
    rows = links[links["entity_id"].isin(near)]
    rows = rows.assign(key=_keys(rows).str.replace(" ", "/")).set_index("key")
    together = dict(list(rows.groupby("entity_id")))
    found = []
    for pair in pairs:
        known = [key for key in ("/".join(place) for place in pair) if key in rows.index]
        told = [_linked(key, together[str(rows.loc[key, "entity_id"])]) for key in known]
        found.append([row for row in told if row["with"]])
    return found


def _linked(key: str, members: pd.DataFrame) -> dict[str, Any]:
    own, others = members.loc[key], members.drop(key)
    others = others.assign(is_same=others["system"] == own["system"])
    others = others.sort_values(["is_same", "is_survivor"], ascending=[True, False])
    return {"record": key, "with": others.index[:_MOST_NAMED].tolist(), "rule": str(own["rule"])}


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
    records of one system), the level says whether the values are the same; values that it leaves
    out (a role mailbox) are not counted. The order is the same for every pair of an entity.
    """
    told = {row["field"]: dict(row) for row in levels}
    rows = []
    for field, columns in _COLUMNS[entity].items():
        texts = [_texts(tables[entity], place, columns) for place in (left, right)]
        is_hidden = is_masked and field not in _OPEN
        values = [_shown(told_of, is_masked=is_hidden) for told_of in texts]
        rows.append(_row(field, values, _level(_seen(*texts), told.pop(field, None))))
    return rows + [_row(field, [None, None], level) for field, level in told.items()]


def _row(field: str, values: Sequence[str | None], told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "field": field, "left": values[0], "right": values[1],
        "level": told["level"], "weight": told["weight"],
    }  # fmt: skip


def _level(seen: str, told: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Take the model's word for how a field agrees; where it has none, what can be seen."""
    if told and told["level"] != MISSING:
        return told
    is_left_out = told is not None and seen != MISSING
    return {"level": f"{seen}, not counted" if is_left_out else seen, "weight": None}


def _seen(left: Sequence[str], right: Sequence[str]) -> str:
    """Say how the values of a field stand that no model compared."""
    if not left or not right:
        return MISSING
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
