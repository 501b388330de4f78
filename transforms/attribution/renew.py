"""Credits from night to night: only deals of which something changed are split anew."""

import hashlib

import numpy as np
import pandas as pd

from agreement.frames import (
    CreditBasis,
    CreditLines,
    Credits,
    DataFrame,
    Deals,
    PathTouches,
    empty,
    lookup,
)
from agreement.policy import Attribution
from transforms.attribution.bounds import SHIFT
from transforms.attribution.credit import as_credits, credits, micros
from transforms.journeys import inside_window

_KEYS = ("tandem-of-basis1", "tandem-of-basis2")
# Not `credited_at`: an open deal's moves every night, and no weight follows from it.
_AMOUNT = ["state", "currency", "amount_minor", "company_minor", "is_blank"]
_REASONS = ("amount", "path", "agreement")


def credit_basis(
    paths: DataFrame[PathTouches], deals: DataFrame[Deals], policy: Attribution
) -> DataFrame[CreditBasis]:
    """Hash what each credited deal's credits follow from: amount, path with its anchors, agreement.

    One row per deal that is won or open, in the given order. `paths` lie in the widest window of
    the models. Equal bases give equal credits.
    """
    credited = deals[deals["credited_at"].notna()].reset_index(drop=True)
    amount = _hashed(credited[["deal_id", *_AMOUNT]])
    path = _path_hashes(paths, credited, policy)
    content = policy.model_dump_json(exclude={"synergy", "team_costs"})
    agreement = hashlib.sha256(content.encode()).hexdigest()[:16]
    basis = amount + "-" + path + "-" + agreement
    frame = pd.DataFrame({"deal_id": credited["deal_id"], "basis": basis.astype("str")})
    return CreditBasis.validate(frame, lazy=True)


def _path_hashes(paths: pd.DataFrame, deals: pd.DataFrame, policy: Attribution) -> pd.Series:
    """Hash each deal's touches in their order, its anchors, and what narrower windows hold."""
    places = pd.Index(deals["deal_id"]).get_indexer(pd.Index(paths["deal_id"]))
    rows = paths[places >= 0].assign(touched_at=micros(paths["touched_at"])[places >= 0])
    rows = rows.assign(step=rows.groupby("deal_id").cumcount())
    anchors = pd.DataFrame(
        {name: micros(deals[name]) for name in ("lead_created_at", "created_at")}
        | _narrower_counts(paths, deals, policy)
    )
    wholes = []
    for key in _KEYS:
        whole = pd.util.hash_pandas_object(anchors, index=False, hash_key=key).to_numpy().copy()
        of_rows = pd.util.hash_pandas_object(rows, index=False, hash_key=key).to_numpy()
        # Every row holds its place on the path, so that a sum (modulo 2^64) tells orders apart.
        np.add.at(whole, places[places >= 0], of_rows)
        wholes.append(whole)
    return _hex(wholes, deals.index)


def _narrower_counts(
    paths: pd.DataFrame, deals: pd.DataFrame, policy: Attribution
) -> dict[str, pd.Series]:
    """Count each deal's touches in every window narrower than the widest.

    An open deal's windows move on with the night: touches leave a narrow one while the path in the
    widest stays as it is. A window holds the end of a path, so that a number tells which touches.
    """
    windows = {policy.window_of(model) for model in policy.models} - {policy.widest_window}
    ends = deals.set_index("deal_id")
    return {
        f"in {window} days": lookup(
            deals["deal_id"], inside_window(paths, ends, window).groupby("deal_id").size()
        ).fillna(0)
        for window in sorted(window for window in windows if window is not None)
    }


def _hashed(frame: pd.DataFrame) -> pd.Series:
    hashes = [
        pd.util.hash_pandas_object(frame, index=False, hash_key=key).to_numpy() for key in _KEYS
    ]
    return _hex(hashes, frame.index)


def _hex(halves: list[np.ndarray], index: pd.Index) -> pd.Series:
    whole = np.column_stack(halves).astype(">u8").tobytes().hex()
    cut = [whole[place : place + 32] for place in range(0, len(whole), 32)]
    return pd.Series(cut, index=index, dtype="str")


def stale_deals(before: DataFrame[CreditBasis], now: DataFrame[CreditBasis]) -> pd.Series:
    """List the deals whose credits do not follow from the same any more, or never did."""
    known = before.set_index("deal_id")["basis"].reindex(now["deal_id"]).to_numpy()
    return now["deal_id"][now["basis"].to_numpy() != known]


def renewed_credits(
    kept: DataFrame[Credits],
    stale: pd.Series,
    paths: DataFrame[PathTouches],
    deals: DataFrame[Deals],
    policy: Attribution,
) -> tuple[DataFrame[Credits], DataFrame[Credits]]:
    """Give all credits, as `credits` would, and those of the stale deals, which are split anew.

    `kept` are the credits as they were; those of stale deals and of deals that are no more are left
    out of it.
    """
    is_stale = deals["deal_id"].isin(stale)
    fresh = credits(
        PathTouches.validate(paths[paths["deal_id"].isin(stale)].reset_index(drop=True), lazy=True),
        Deals.validate(deals[is_stale].reset_index(drop=True), lazy=True),
        policy,
    )
    credited = deals.loc[deals["credited_at"].notna() & ~is_stale, "deal_id"]
    still = kept[kept["deal_id"].isin(credited)]
    pieces = [piece for piece in (still, fresh) if len(piece)]
    if not pieces:
        return fresh, fresh
    return as_credits(_ordered(pd.concat(pieces, ignore_index=True), paths, deals, policy)), fresh


def _ordered(
    rows: pd.DataFrame, paths: pd.DataFrame, deals: pd.DataFrame, policy: Attribution
) -> pd.DataFrame:
    """Order by model, deal and place on the path; what floor and cap move comes last."""
    keys = pd.MultiIndex.from_frame(paths[["deal_id", "touch_id"]].astype("str"))
    place = keys.get_indexer(pd.MultiIndex.from_frame(rows[["deal_id", "touch_id"]]))
    place = np.where(rows["channel"] == SHIFT, len(paths), place)
    model = pd.Index(policy.models).get_indexer(pd.Index(rows["model"]))
    deal = pd.Index(deals["deal_id"]).get_indexer(pd.Index(rows["deal_id"]))
    team = (rows["team"] == "sales").to_numpy() & (place == len(paths))
    return rows.iloc[np.lexsort((team, place, deal, model))]


# Lines -------------------------------------------------------------------------------------------


def credit_lines(
    changed: pd.DataFrame,
    before: pd.DataFrame,
    shared: DataFrame[Credits],
    deals: DataFrame[Deals],
) -> DataFrame[CreditLines]:
    """Give the signed lines that bring won deals' lines to their present shared credit.

    By team, channel and campaign, in the order of these; nothing where nothing moved. A deal that
    is won no more gets lines that take back all of it.

    Args:
        changed: `deal_id`, `basis` and `lines_basis` of the deals to look at.
        before: their lines so far, with `run_id`, in the order of writing.
        shared: credits of the shared model.
        deals: all deals.
    """
    keys = ["deal_id", "team", "channel", "campaign_id"]
    amounts = ["credit_minor", "credit_deal_minor"]
    won = deals.loc[
        (deals["state"] == "won") & deals["deal_id"].isin(changed["deal_id"]), "deal_id"
    ]
    present = shared[shared["deal_id"].isin(won)]
    rows = pd.concat([present[[*keys, *amounts]], _negated(before, keys, amounts)])
    if rows.empty:
        return CreditLines.validate(empty(CreditLines), lazy=True)
    sums = rows.groupby(keys, dropna=False, as_index=False)[amounts].sum()
    moved = sums[(sums[amounts] != 0).any(axis=1)].reset_index(drop=True)
    last = before.drop_duplicates("deal_id", keep="last").set_index("deal_id")["run_id"]
    frame = moved.assign(
        reason=_reasons(moved["deal_id"], changed, won, last),
        reference=last.reindex(moved["deal_id"]).to_numpy(),
    )[list(CreditLines.to_schema().columns)]
    texts = ["deal_id", "channel", "team", "campaign_id", "reason", "reference"]
    return CreditLines.validate(frame.astype(dict.fromkeys(texts, "str")), lazy=True)


def _negated(before: pd.DataFrame, keys: list[str], amounts: list[str]) -> pd.DataFrame:
    rows = before[[*keys, *amounts]].copy()
    rows[amounts] = -rows[amounts]
    return rows


def _reasons(deals: pd.Series, changed: pd.DataFrame, won: pd.Series, last: pd.Series) -> pd.Series:
    """Say why a deal's credit moved: the first of amount, path and agreement that did."""
    now = changed.set_index("deal_id").reindex(deals)
    parts = now["basis"].str.split("-", expand=True).reindex(columns=range(3))
    were = now["lines_basis"].str.split("-", expand=True).reindex(columns=range(3))
    reason = pd.Series("path", index=now.index, dtype="str")
    for part in (2, 1, 0):
        reason = reason.mask((parts[part] != were[part]).to_numpy(), _REASONS[part])
    reason = reason.mask(~now.index.isin(last.index), "won")
    return reason.mask(~now.index.isin(won), "not_won").set_axis(deals.index)
