"""What would have changed a match: one field at a time, equal or absent, asked of the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agreement.frames import DataFrame, MatchChanges
from transforms.matching.choose import steps
from transforms.matching.compare import FIELDS, Company, Domain, Email, First, Last, Place, levels
from transforms.matching.decide import decisions, shares_role
from transforms.matching.encode import encode
from transforms.matching.model import UNIT, MatchModel, Scores
from transforms.matching.score import CONTEXT, WORTH_KEEPING, score_pairs
from transforms.matching.weights import pair_rows, positions

AS_IS, EQUAL, ABSENT = "as it is", "equal", "absent"

# The fewest holders that an equal value can have are the two records.
_EQUAL: Mapping[str, Mapping[str, int]] = {
    "email": {"email": Email.EQUAL, "email_holders": 1},
    "first": {"first": First.EQUAL, "swapped": 0},
    "last": {"last": Last.EQUAL, "swapped": 0},
    "phone": {"phone": 1, "phone_names": 1},
    "company": {"company": Company.EQUAL},
    "domain": {"domain": Domain.EQUAL, "company_size": 1},
    "title": {"title": 1, "title_holders": 1},
    "place": {"place": Place.POSTCODE, "place_holders": 1},
    "generation": {"generation": 0},
}
_ABSENT: Mapping[str, Mapping[str, int]] = {
    "email": {"email": 0, "email_holders": 0, "spelling": 0},
    "first": {"first": 0, "swapped": 0, "spelling": 0, "name_holders": 0, "first_holders": 0},
    "phone": {"phone": 0, "phone_names": 0},
    "company": {"company": 0},
    "domain": {"domain": 0, "company_size": 0},
    "title": {"title": 0, "title_holders": 0},
    "place": {"place": 0, "place_holders": 0},
    "generation": {"generation": 0},
    "rivals": {"rival": 0, "other_rival": 0},
}
_PLACES = {name: place for place, name in enumerate(CONTEXT)}
_OWN = _PLACES["own"]
_BITS = UNIT * np.log(2)


def changes(
    hubspot: pd.DataFrame, salesforce: pd.DataFrame, pairs: pd.DataFrame, model: MatchModel
) -> DataFrame[MatchChanges]:
    """Say what chosen pairs would be if one field were equal, or were missing.

    The tables and `pairs` are those of `weights`. Per pair one row as it is, then one per field and
    change that differs from it. All else stays as it is, the rivals too: an equal e-mail does not
    undo who else holds it. A pair that was out of the question has no rivals.
    """
    records = encode(hubspot, salesforce, model.words)
    scored = score_pairs(records, model)
    asked = pair_rows(pairs, records.record_id, records.hubspot_count)
    left, right = asked["left"].to_numpy(), asked["right"].to_numpy()
    seen = np.zeros((len(asked), len(CONTEXT)), dtype=np.int8)
    seen[:, : len(FIELDS)] = levels(records, left, right)
    asked = asked.assign(by_role=shares_role(records, left, right))
    at, is_known = positions(scored.hubspot, scored.salesforce, left, right, len(records))
    seen[is_known] = scored.seen[at[is_known]]
    tables = [_changed(asked, seen, AS_IS, "", {}, model)]
    for change, told in ((EQUAL, _EQUAL), (ABSENT, _ABSENT)):
        tables += [_changed(asked, seen, change, field, told[field], model) for field in told]
    rows = pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)
    return MatchChanges.validate(rows, lazy=True)


def _changed(
    asked: pd.DataFrame,
    seen: NDArray[np.int8],
    change: str,
    field: str,
    told: Mapping[str, int],
    model: MatchModel,
) -> pd.DataFrame:
    """Score the pairs that a change touches, with it."""
    then = seen.copy()
    for name, level in told.items():
        then[:, _PLACES[name]] = level
    is_touched = (then != seen).any(axis=1) | (change == AS_IS)
    rows = asked.loc[is_touched, ["hubspot_id", "salesforce_id"]]
    score = _score(then[is_touched], model)
    share = model.probability(score)
    by_role = asked["by_role"].to_numpy() & ("email" not in told)
    compared = then[is_touched][:, : len(FIELDS)]
    decision = decisions(compared, by_role[is_touched], share, model)
    texts = {"field": field, "change": change, "decision": decision}
    frame = rows.assign(**texts, weight=score / _BITS, score=share)
    return frame.astype(dict.fromkeys(("hubspot_id", "salesforce_id", *texts), "str"))


def _score(seen: NDArray[np.int8], model: MatchModel) -> Scores:
    own = model.pair.score(np.ascontiguousarray(seen[:, : len(FIELDS)]))
    whole = seen.copy()
    whole[:, _OWN] = steps(own)
    # As in `match`, what is out of the question is not set beside its rivals.
    return own + np.where(own >= WORTH_KEEPING, model.context.score(whole), 0)
