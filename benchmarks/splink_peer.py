"""The peer that matching is measured against: Splink with sensible settings, trained by EM."""

import logging

import numpy as np
import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from transforms.matching.encode import Records, encode
from transforms.matching.words import Words

_THRESHOLD = 0.01


def splink_pairs(hubspot: pd.DataFrame, salesforce: pd.DataFrame, words: Words) -> pd.DataFrame:
    """Score pairs by Splink: columns hubspot_id, salesforce_id, score."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    tables = _tables(encode(hubspot, salesforce, words))
    api = DuckDBAPI()
    frames = [
        api.register(table, dataset_display_name=name)
        for table, name in zip(tables, ("h", "s"), strict=True)
    ]
    linker = Linker(frames, _settings(), log_level=None, validate_settings=False)
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on("email"), block_on("phone", "last")], recall=0.6
    )
    training.estimate_u_using_random_sampling(max_pairs=5_000_000, seed=1)
    for rule in (block_on("email"), block_on("last", "domain"), block_on("first", "last")):
        training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_probability=_THRESHOLD).as_pandas_dataframe()
    return pd.DataFrame(
        {
            "hubspot_id": found["unique_id_l"].astype("str"),
            "salesforce_id": found["unique_id_r"].astype("str"),
            "score": found["match_probability"],
        }
    )


def _settings() -> SettingsCreator:
    return SettingsCreator(
        link_type="link_only",
        blocking_rules_to_generate_predictions=[
            block_on("email"),
            block_on("phone"),
            block_on("first", "last"),
            block_on("last", "domain"),
            block_on("first", "domain"),
            block_on("last", "company"),
        ],
        comparisons=[
            cl.ExactMatch("email"),
            cl.JaroWinklerAtThresholds("first", [0.92, 0.8]).configure(
                term_frequency_adjustments=True
            ),
            cl.JaroWinklerAtThresholds("last", [0.92, 0.8]).configure(
                term_frequency_adjustments=True
            ),
            cl.ExactMatch("phone").configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("company", [0.9]).configure(term_frequency_adjustments=True),
        ],
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
        }
    )
    count = records.hubspot_count
    return [both.iloc[:count].reset_index(drop=True), both.iloc[count:].reset_index(drop=True)]


def _text(texts: np.ndarray, code: np.ndarray) -> pd.Series:
    known = np.r_[texts, np.array([None], dtype=object)]
    return pd.Series(known[code], dtype="str")
