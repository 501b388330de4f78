"""Sales' answer to each handoff: yes, no with a reason, or a no that is no work."""

import pandas as pd

from agreement.frames import Crosswalk, DataFrame, People, StageChanges, as_utc, lookup
from agreement.policy import Attempts, Handoff

ACCEPTED, REJECTED = "accepted", "rejected"
NO_REASON, TOO_FEW = "rejected_without_reason", "too_few_attempts"


def answered(
    passes: pd.DataFrame,
    stops: pd.DataFrame,
    people: DataFrame[People],
    crosswalk: DataFrame[Crosswalk],
    stage_changes: DataFrame[StageChanges],
    handoff: Handoff,
) -> pd.DataFrame:
    """Give each pass sales' answer, its reason, when it was first given, and what it lacks.

    A status that somebody set before the start answers nothing. Without a history nobody knows when
    it was set: then it is the last cycle's answer, and `answered_at` is missing. `stops` are the
    listed human acts that count as attempts.
    """
    leads = people[people["kind"] == "lead"].merge(_lead_persons(crosswalk), on="record_id")
    changes = _answer_changes(leads, stage_changes, handoff)
    dated = _dated_answers(passes, changes)
    standing = _standing_answers(passes, leads, changes, handoff)
    answer = standing["answer"].fillna(dated["answer"]).astype("str")
    reason = standing["reject_reason"].where(standing["answer"].notna(), dated["reason"])
    passes = passes.assign(
        has_lead=passes["person_id"].isin(leads["person_id"]),
        answer=answer,
        answer_reason=reason.where(answer == REJECTED).astype("str"),
    )
    passes["answered_at"] = _first_given(passes, changes)
    attempts = _attempts(passes, stops)
    return passes.assign(
        attempt_count=attempts["count"],
        answer_fault=_faults(passes, attempts, handoff.attempts),
    )


def _lead_persons(crosswalk: pd.DataFrame) -> pd.DataFrame:
    is_lead = (crosswalk["entity"] == "person") & (crosswalk["kind"] == "lead")
    rows = crosswalk.loc[is_lead, ["record_id", "entity_id"]]
    return rows.rename(columns={"entity_id": "person_id"})


def _answer_changes(
    leads: pd.DataFrame, stage_changes: pd.DataFrame, handoff: Handoff
) -> pd.DataFrame:
    """List the statuses that leads took, with the answer each is and the reason at that time.

    A conversion is a yes of its own: the status that it sets is any.
    """
    of_leads = stage_changes[stage_changes["kind"] == "lead"]
    columns = ["record_id", "value", "changed_at"]
    status = of_leads.loc[of_leads["field"] == "status", columns]
    changes = status.merge(leads[["record_id", "person_id"]], on="record_id")
    reasons = of_leads.loc[of_leads["field"] == "reason", columns].rename(
        columns={"value": "reason"}
    )
    # Of reasons set at one time the last one counts; they come in order.
    reasons = reasons.drop_duplicates(["record_id", "changed_at"], keep="last")
    changes = pd.merge_asof(
        changes.sort_values("changed_at", kind="stable"),
        reasons.sort_values("changed_at", kind="stable"),
        on="changed_at",
        by="record_id",
    )
    changes = changes.assign(answer=_answers(changes["value"], handoff))
    converted = of_leads.loc[of_leads["field"] == "converted", columns].assign(answer=ACCEPTED)
    converted = converted.merge(leads[["record_id", "person_id"]], on="record_id")
    return pd.concat([changes, converted], ignore_index=True).astype({"answer": "str"})


def _answers(status: pd.Series, handoff: Handoff) -> pd.Series:
    words = dict.fromkeys(handoff.accept, ACCEPTED) | dict.fromkeys(handoff.reject, REJECTED)
    return status.map(words).astype("str")


def _inside(passes: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Pair each pass with the answers in the status history from its start to the next stamp."""
    told = changes.dropna(subset=["answer"])
    pairs = passes.reset_index()[["index", "person_id", "started_at", "next_at"]].merge(
        told, on="person_id"
    )
    is_before_next = pairs["next_at"].isna() | (pairs["changed_at"] < pairs["next_at"])
    return pairs[(pairs["changed_at"] >= pairs["started_at"]) & is_before_next]


def _dated_answers(passes: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Find the last answer of each pass in the status history; of one instant's the yes."""
    inside = _inside(passes, changes)
    ordered = inside.sort_values(["index", "changed_at", "answer"], ascending=[True, True, False])
    last = ordered.drop_duplicates("index", keep="last").set_index("index")
    return last[["answer", "reason"]].reindex(passes.index)


def _standing_answers(
    passes: pd.DataFrame, leads: pd.DataFrame, changes: pd.DataFrame, handoff: Handoff
) -> pd.DataFrame:
    """Read the answer that stands on the leads for each last cycle: a yes on one lead is a yes."""
    set_at = changes.groupby("record_id")["changed_at"].max()
    is_converted = leads["converted_to"].notna()
    answer = _answers(leads["status"], handoff).mask(is_converted, ACCEPTED)
    told = leads.assign(
        answer=answer, set_at=lookup(leads["record_id"], set_at).mask(is_converted)
    ).dropna(subset=["answer"])
    last = passes[passes["next_at"].isna()].reset_index()
    pairs = last[["index", "person_id", "started_at"]].merge(
        told[["person_id", "answer", "reject_reason", "set_at", "created_at"]], on="person_id"
    )
    counted = pairs[~(pairs["set_at"] < pairs["started_at"])]
    first = counted.sort_values(["index", "answer", "created_at", "reject_reason"])
    return first.drop_duplicates("index").set_index("index").reindex(passes.index)


def _first_given(passes: pd.DataFrame, changes: pd.DataFrame) -> pd.Series:
    """Find when the answer that counts was given first: the same in another word adds nothing."""
    inside = _inside(passes, changes)
    same = inside[inside["answer"] == lookup(inside["index"], passes["answer"])]
    return as_utc(same.groupby("index")["changed_at"].min().reindex(passes.index))


def _attempts(passes: pd.DataFrame, stops: pd.DataFrame) -> pd.DataFrame:
    """Count the tries from each start to its answer, else to the next cycle: how many, how long."""
    pairs = passes.reset_index()[["index", "person_id", "started_at", "answered_at", "next_at"]]
    pairs = pairs.merge(stops, on="person_id")
    until = pairs["answered_at"].fillna(pairs["next_at"])
    is_in = (pairs["stopped_at"] >= pairs["started_at"]) & ~(pairs["stopped_at"] > until)
    tries = pairs[is_in].groupby("index")
    return pd.DataFrame(
        {
            "count": tries["evidence_id"].nunique().reindex(passes.index).fillna(0).astype("int64"),
            "channels": tries["activity"].nunique().reindex(passes.index).fillna(0),
            "over": (tries["stopped_at"].max() - tries["stopped_at"].min()).reindex(passes.index),
        }
    )


def _faults(passes: pd.DataFrame, attempts: pd.DataFrame, rule: Attempts) -> pd.Series:
    """Say why a rejection is no work; missing where it is, and where nobody rejected."""
    is_rejected = passes["answer"] == REJECTED
    reason = passes["answer_reason"].str.strip().str.lower()
    listed = [name.lower() for name in rule.reasons]
    is_enough = (
        (attempts["count"] >= rule.count)
        & (attempts["channels"] >= rule.channels)
        & (attempts["over"] >= rule.over)
    )
    fault = pd.Series(index=passes.index, dtype="str")
    fault = fault.mask(is_rejected & reason.isin(listed) & ~is_enough, TOO_FEW)
    return fault.mask(is_rejected & reason.fillna("").eq(""), NO_REASON)
