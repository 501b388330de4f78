"""Which handoffs carry no clock for sales, because marketing missed its part."""

import pandas as pd

from agreement.frames import DataFrame, People, lookup
from agreement.policy import CoolOff, Criteria, Handoff
from transforms.handoffs.answers import REJECTED

BELOW_CRITERIA, TOO_SOON = "below_criteria", "recycled_too_soon"


def reliefs(passes: pd.DataFrame, people: DataFrame[People], handoff: Handoff) -> pd.Series:
    """Say why each pass carries no clock for sales; missing where it carries one.

    Below the criteria: the HubSpot contact lacks a required field now, or its source is never
    handed over. Recycled too soon: sales rejected the person's last cycle, with a reason, less than
    that reason's cool-off before the start; who asks for a talk is never too soon.
    """
    relief = pd.Series(index=passes.index, dtype="str")
    relief = relief.mask(_is_too_soon(passes, handoff), TOO_SOON)
    return relief.mask(_is_below(passes, people, handoff.criteria), BELOW_CRITERIA)


def _is_below(passes: pd.DataFrame, people: pd.DataFrame, criteria: Criteria) -> pd.Series:
    contacts = people[people["system"] == "hubspot"].set_index("record_id")
    is_below = pd.Series(data=False, index=passes.index)
    for field in criteria.required:
        value = lookup(passes["contact_id"], contacts[field])
        is_below |= value.isna() | value.str.strip().eq("")
    return is_below | passes["source"].isin(criteria.never_sources)


def _is_too_soon(passes: pd.DataFrame, handoff: Handoff) -> pd.Series:
    ordered = passes.sort_values(["person_id", "cycle"])
    last = ordered.groupby("person_id")[["answer", "answer_reason", "answered_at"]].shift()
    last = last.loc[passes.index]
    by_mql = [tier.name for tier in handoff.tiers if tier.start == "mql"]
    free_at = _free_at(last, handoff.cool_off)
    is_early = free_at.isna() | (passes["started_at"] < free_at)
    is_listed = last["answer_reason"].isin(_reasons(handoff.cool_off))
    return (last["answer"] == REJECTED) & is_listed & is_early & passes["tier"].isin(by_mql)


def _free_at(last: pd.DataFrame, rules: tuple[CoolOff, ...]) -> pd.Series:
    """Give from when on a person may come again; missing: never."""
    free_at = last["answered_at"].mask(last["answered_at"].notna())
    for rule in rules:
        if rule.wait is not None:
            later = last["answered_at"] + pd.Timedelta(rule.wait)
            free_at = free_at.mask(last["answer_reason"].isin(rule.reasons), later)
    return free_at


def _reasons(rules: tuple[CoolOff, ...]) -> list[str]:
    return [reason for rule in rules for reason in rule.reasons]
