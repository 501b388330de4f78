"""The peer that matching is measured against: Splink with sensible settings, trained by EM."""

import logging
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink.internals.blocking_rule_creator import BlockingRuleCreator

from transforms.matching.encode import encode
from transforms.matching.records import Records
from transforms.matching.words import Words

_THRESHOLD = 0.01
# Columns that are compared where a table has them, and groups of columns that find candidates.
# What a company's people have in common counts once, by its name: city, postcode and title beside
# it took precision down by a fifth. They are compared where there is no company.
_NAMES = ("first", "last")
_EXACT = ("email", "phone")
_OF_PEOPLE = ("title", "city", "postcode")
_BLOCKS = (
    ("email",), ("phone", "last"), ("phone", "first"), ("first", "last"), ("last", "domain"),
    ("first", "domain"), ("last", "company"), ("last", "postcode"), ("first", "postcode"),
    ("last", "city"),
)  # fmt: skip
# Pairs that agree in these are nearly all right: they tell how many there are to find.
_SURE = (("email",), ("last", "phone"), ("first", "last", "postcode"))
_TRAINED_ON = (("email",), ("last", "domain"), ("first", "last"), ("last", "postcode"))


def splink_pairs(hubspot: pd.DataFrame, salesforce: pd.DataFrame, words: Words) -> pd.DataFrame:
    """Score pairs by Splink: columns hubspot_id, salesforce_id, score."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    tables = _tables(encode(hubspot, salesforce, words))
    known = {name for name in tables[0] if all(table[name].notna().any() for table in tables)}
    api = DuckDBAPI()
    frames = [
        api.register(table[[name for name in table if name in known]], dataset_display_name=name)
        for table, name in zip(tables, ("h", "s"), strict=True)
    ]
    linker = Linker(frames, _settings(known), log_level=None, validate_settings=False)
    training = linker.training
    training.estimate_probability_two_random_records_match(_rules(_SURE, known), recall=0.6)
    training.estimate_u_using_random_sampling(max_pairs=5_000_000, seed=1)
    for rule in _rules(_TRAINED_ON, known):
        training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_probability=_THRESHOLD).as_pandas_dataframe()
    return pd.DataFrame(
        {
            "hubspot_id": found["unique_id_l"].astype("str"),
            "salesforce_id": found["unique_id_r"].astype("str"),
            "score": found["match_probability"],
        }
    )


def _rules(groups: Sequence[tuple[str, ...]], known: Collection[str]) -> list[BlockingRuleCreator]:
    return [block_on(*columns) for columns in groups if set(columns) <= set(known)]


def _settings(known: Collection[str]) -> SettingsCreator:
    comparisons = [
        cl.JaroWinklerAtThresholds(name, [0.92, 0.8]).configure(term_frequency_adjustments=True)
        for name in _NAMES
    ]
    if "company" in known:
        company = cl.JaroWinklerAtThresholds("company", [0.9])
        comparisons.append(company.configure(term_frequency_adjustments=True))
    exact = _EXACT if "company" in known else (*_EXACT, *_OF_PEOPLE)
    comparisons += [
        cl.ExactMatch(name).configure(term_frequency_adjustments=name != "email")
        for name in exact
        if name in known
    ]
    return SettingsCreator(
        link_type="link_only",
        blocking_rules_to_generate_predictions=_rules(_BLOCKS, known),
        comparisons=comparisons,
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )


def _tables(records: Records) -> list[pd.DataFrame]:
    """Give both systems' normalised columns as text."""
    address = records.address
    local = _text(records.local.texts, address.local[:, 0])
    domain = _text(records.domain.texts, address.domain[:, 0])
    both = pd.DataFrame(
        {
            "unique_id": records.record_id,
            "email": local + "@" + domain,
            "domain": domain.where(~address.is_free[:, 0]),
            "first": _text(records.first.texts, records.first.code),
            "last": _text(records.last.texts, records.last.code),
            "phone": _text(records.phone_numbers.astype(str).astype(object), records.phones[:, 0]),
            "company": _text(records.company.texts, records.company.code),
            "title": _text(records.title.texts, records.title.code),
            "city": _text(records.city.texts, records.city.code),
            "postcode": pd.Series(records.postcode).where(records.postcode >= 0).astype("Int64"),
        }
    )
    count = records.hubspot_count
    return [both.iloc[:count].reset_index(drop=True), both.iloc[count:].reset_index(drop=True)]


def _text(texts: np.ndarray, code: np.ndarray) -> pd.Series:
    known = np.r_[texts, np.array([None], dtype=object)]
    return pd.Series(known[code], dtype="str")
