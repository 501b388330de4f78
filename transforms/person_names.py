"""Compare people's names: alike enough to be one human at one address, or clearly two."""

from collections.abc import Callable

import pandas as pd
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import cpdist

# Short forms that are no beginning of the long one; those that are need no list.
_SHORT_FORMS_OF = {
    "abigail": "abby",
    "albert": "bert",
    "alexander": "sasha",
    "alexandra": "sandy",
    "amanda": "mandy",
    "andrew": "andy drew",
    "ann": "nancy",
    "anthony": "tony",
    "augustus": "gus",
    "charles": "charlie chuck",
    "christina": "tina",
    "christopher": "kit",
    "cynthia": "cindy",
    "daniel": "danny",
    "deborah": "debbie",
    "dorothy": "dot",
    "edward": "ned ted",
    "eleanor": "ellie",
    "elizabeth": "bess beth betty liz lizzy",
    "eugene": "gene",
    "francis": "frank",
    "gerald": "jerry",
    "gwendolyn": "wendy",
    "harold": "hal",
    "henry": "hank harry",
    "james": "jim jimmy",
    "jeffrey": "geoff",
    "jennifer": "jenny",
    "john": "jack johnny",
    "jonathan": "jon",
    "joseph": "joe",
    "katherine": "kate kathy",
    "laura": "lori",
    "lawrence": "larry",
    "margaret": "maggie meg peggy",
    "mary": "molly polly",
    "michael": "mick mike",
    "nathan": "nate",
    "nicholas": "nick",
    "patricia": "trish",
    "penelope": "penny",
    "peter": "pete",
    "richard": "dick rick",
    "robert": "bob bobby",
    "sarah": "sally",
    "stephen": "steve",
    "susan": "sue",
    "thomas": "tom",
    "victoria": "vicky",
    "virginia": "ginny",
    "william": "bill billy will",
}
_LONG_FORMS = {short: name for name, forms in _SHORT_FORMS_OF.items() for short in forms.split()}
_GENERATIONS = r"\b(?:jr|sr|junior|senior|ii|iii|iv)\b"
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "ı": "i"})


def plain_names(names: pd.Series) -> pd.Series:
    """Write names in plain lower-case words: no diacritics, no punctuation; missing is empty.

    >>> plain_names(pd.Series(["José  O'Néill", None])).tolist()
    ['jose oneill', '']
    """
    distinct = pd.Series(names.dropna().unique(), dtype="str")
    plain = (
        distinct.str.lower()
        .str.translate(_LETTERS)
        .str.normalize("NFKD")
        .str.replace(r"[\u0300-\u036f'’`.]", "", regex=True)
        .str.replace(r"[^\w]+|_", " ", regex=True)
        .str.strip()
    )
    table = pd.Series(plain.to_numpy(), index=distinct.to_numpy(), dtype="str")
    return names.map(table).fillna("").astype("str") if len(table) else names.fillna("")


def are_alike(
    first: pd.Series, last: pd.Series, other_first: pd.Series, other_last: pd.Series
) -> pd.Series:
    """Tell pairs of plain names that may be one human's from those that are clearly two humans'.

    A missing part agrees with anything. Last names agree when they are equal or one is part of the
    other (a double name), with the same Jr. or Sr.; first names when they are equal, one begins the
    other (an initial, a short form), or both are forms of one name.
    """
    return _same_last(last, other_last) & _same_first(first, other_first)


def are_two(
    first: pd.Series, last: pd.Series, other_first: pd.Series, other_last: pd.Series
) -> pd.Series:
    """Tell pairs of plain names that cannot be one human's, however names get written.

    Given names that are neither forms, nor slips, of one name; where one is missing, family names
    that do not agree; or one Jr. or Sr. and one who is not. A married name is one human's, and so
    are names that stand in each other's place.
    """
    is_swapped = (first == other_last) & (last == other_first)
    has_first = (first != "") & (other_first != "")
    likeness = cpdist(first.tolist(), other_first.tolist(), scorer=JaroWinkler.similarity)
    other_name = has_first & ~_same_first(first, other_first) & (likeness < _A_SLIP)
    generation, other_generation = (
        name.str.findall(_GENERATIONS).str.join(" ") for name in (last, other_last)
    )
    other_family = ~has_first & ~_same_last(last, other_last)
    return (other_name & ~is_swapped) | other_family | (generation != other_generation)


# Given names at least so alike are one, misspelled; John and Joan are less so.
_A_SLIP = 0.88


def _same_first(left: pd.Series, right: pd.Series) -> pd.Series:
    left, right = _called(left), _called(right)
    one_begins = _pairwise(left, right, str.startswith) | _pairwise(right, left, str.startswith)
    same_form = left.replace(_LONG_FORMS) == right.replace(_LONG_FORMS)
    return (left == "") | (right == "") | one_begins | same_form


def _called(first: pd.Series) -> pd.Series:
    return first.str.split(" ").str[0].fillna("")


def _same_last(left: pd.Series, right: pd.Series) -> pd.Series:
    generation = left.str.findall(_GENERATIONS).str.join(" ")
    other_generation = right.str.findall(_GENERATIONS).str.join(" ")
    left, right = _family(left), _family(right)
    is_part = _pairwise(left, right, _holds) | _pairwise(right, left, _holds)
    agrees = (left == "") | (right == "") | (left == right) | is_part
    return agrees & (generation == other_generation)


def _family(last: pd.Series) -> pd.Series:
    return last.str.replace(_GENERATIONS, "", regex=True).str.strip()


def _holds(whole: str, part: str) -> bool:
    return f" {part} " in f" {whole} "


def _pairwise(left: pd.Series, right: pd.Series, compare: Callable[[str, str], bool]) -> pd.Series:
    """Compare two columns of text, pair by pair; pandas compares a column with a constant only."""
    pairs = zip(left, right, strict=True)
    return pd.Series([compare(one, other) for one, other in pairs], index=left.index, dtype=bool)
