"""Decide which likely pairs are linked unasked: never by what several people may share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transforms.matching.compare import FIELDS, Company, Domain, Email, First, Last, Place
from transforms.matching.model import MatchModel
from transforms.matching.records import Codes, Records

Flags = NDArray[np.bool_]
Levels = NDArray[np.int8]

LINK, REVIEW, APART = "link", "review", "apart"

_PLACES = {name: place for place, name in enumerate(FIELDS)}
_LIKE_FIRST = (
    First.EQUAL, First.NICKNAME, First.SOUND, First.INITIAL, First.PART, First.CLOSE, First.NEAR,
)  # fmt: skip
_SAME_FIRST = (First.EQUAL, First.NICKNAME, First.SOUND)
_LIKE_LAST = (Last.EQUAL, Last.SOUND, Last.PART, Last.INITIAL, Last.CLOSE, Last.NEAR)
# Addresses that differ, but hardly by chance. Numbered ones are no sign: ann@ and ann2@ are two.
_SAME_LOCAL = (Email.LOCAL_FREE, Email.LOCAL_OTHER)
_LIKE_MAIL = (Email.COMPANY_SLIP, Email.FREE_SLIP, Email.LOCAL_LIKE_DOMAIN, *_SAME_LOCAL)
_LIKE_COMPANY = (Company.EQUAL, Company.PART, Company.CLOSE, Company.NEAR)
_LIKE_DOMAIN = (Domain.EQUAL, Domain.LIKE, Domain.NAME)
# Telephones that at most ten records hold, equal or similar titles, one town.
_OWN_PHONE, _LIKE_TITLE, _NEAR = (1, 2, 3), (1, 2), (Place.POSTCODE, Place.CITY)
# From this level of `email_holders` on, more records than the two hold the address.
_CROWDED = 2
_FATHER_AND_SON = 2
# The level of `spelling` at which the address of each spells the name of the other.
_SPELLED = 4


def decisions(
    levels: Levels, by_role: Flags, share: NDArray[np.float64], model: MatchModel
) -> NDArray[np.object_]:
    """Give LINK, REVIEW or APART for pairs, by how their fields agree and how likely they are.

    A pair in which nothing that is one person's agrees is never linked, however likely. One whose
    whole name and a further field agree is linked from the lower `sure_share` on.
    """
    is_link = share >= link_shares(levels, by_role, model)
    return np.select([is_link, share >= model.review_share], [LINK, REVIEW], APART).astype(object)


def link_shares(levels: Levels, by_role: Flags, model: MatchModel) -> NDArray[np.float64]:
    """Give from which share of right ones on each pair is linked unasked; never is infinite."""
    needed = np.where(_is_sure(levels, by_role), model.sure_share, model.link_share)
    return np.where(may_be_one(levels, by_role), needed, np.inf)


def may_be_one(levels: Levels, by_role: Flags) -> Flags:
    """Tell pairs that share what is one person's, under names that do not contradict it.

    By an address of their own; by both names and one more field; by one of them, the other missing
    or the family's changed, with the company and more. Nobody is joined by a name alone, nor a
    mailbox that only spells it; by a role mailbox; by a telephone or an address under other names
    (father and son, colleagues); by an address that three records hold, one of them under no name.
    """
    field = _fields(levels)
    is_last = np.isin(field["last"], _LIKE_LAST)
    is_named = np.isin(field["first"], _LIKE_FIRST) & is_last
    phone = np.isin(field["phone"], _OWN_PHONE)
    company = np.isin(field["company"], _LIKE_COMPANY)
    mail = np.isin(field["email"], _LIKE_MAIL)
    mail &= ~(np.isin(field["email"], _SAME_LOCAL) & (field["spelling"] == _SPELLED))
    more = phone | mail | (np.isin(field["domain"], _LIKE_DOMAIN) & ~by_role)
    further = np.isin(field["title"], _LIKE_TITLE) | np.isin(field["place"], _NEAR)
    is_numbered = (field["email"] == Email.COMPANY_NUMBERED) & ~phone & ~further
    by_name = is_named & (company | more | further) & ~is_numbered
    is_renamed = np.isin(field["first"], _SAME_FIRST) & (field["last"] == Last.OTHER)
    is_half = is_last & (field["first"] == First.MISSING)
    by_half = company & more & (is_half | (is_renamed & (phone | mail | further)))
    is_two = field["generation"] == _FATHER_AND_SON
    found: Flags = (_by_address(field, is_named, by_role) | by_name | by_half) & ~is_two
    return found


def shares_role(records: Records, left: Codes, right: Codes) -> Flags:
    """Tell pairs that have a role mailbox in common, and no address that is one person's."""
    address = records.address
    by_role = np.zeros(len(left), dtype=bool)
    by_own = by_role.copy()
    for one in range(address.id.shape[1]):
        for other in range(address.id.shape[1]):
            shared = address.id[left, one]
            is_shared = (shared >= 0) & (shared == address.id[right, other])
            by_role |= is_shared & address.is_role[left, one]
            by_own |= is_shared & ~address.is_role[left, one]
    only: Flags = by_role & ~by_own
    return only


def _fields(levels: Levels) -> dict[str, Levels]:
    return {name: levels[:, place] for name, place in _PLACES.items()}


def _by_address(field: dict[str, Levels], is_named: Flags, by_role: Flags) -> Flags:
    """Tell pairs with an address of their own, whose names allow that they are one person.

    A family name may change. Names that both differ may stand in each other's place: then the
    address spells the two.
    """
    is_own = (field["email"] == Email.EQUAL) & ~by_role
    is_same_first = np.isin(field["first"], _SAME_FIRST)
    is_first_other = np.isin(field["first"], (First.SAME_LETTER, First.OTHER))
    is_last_other = field["last"] == Last.OTHER
    is_turned = is_first_other & is_last_other & (field["spelling"] == _SPELLED)
    is_allowed = ~(is_first_other | is_last_other) | (is_same_first & is_last_other) | is_turned
    is_crowded = field["email_holders"] >= _CROWDED
    is_told_apart = is_named & (field["first"] != First.INITIAL)
    found: Flags = is_own & is_allowed & (~is_crowded | is_told_apart)
    return found


def _is_sure(levels: Levels, by_role: Flags) -> Flags:
    """Tell pairs with the whole name and an own address, the title, or employer and town."""
    field = _fields(levels)
    is_whole = np.isin(field["first"], (First.EQUAL, First.NICKNAME))
    is_whole &= (field["last"] == Last.EQUAL) & (field["generation"] == 0)
    is_own = (field["email"] == Email.EQUAL) & ~by_role
    is_employed = np.isin(field["company"], (Company.EQUAL, Company.PART))
    is_employed |= field["domain"] == Domain.EQUAL
    is_placed = is_employed & np.isin(field["place"], _NEAR)
    sure: Flags = is_whole & (is_own | (field["title"] == 1) | is_placed)
    return sure
