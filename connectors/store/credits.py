"""Credits beside what they follow from, and the signed lines of won deals."""

from collections.abc import Collection
from datetime import datetime

import pandas as pd
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from agreement.frames import CreditBasis, CreditLines, Credits, DataFrame
from connectors.store.columns import types_of
from connectors.store.rows import chunks, fetch_frame, row_hashes, rows_of
from connectors.store.tables import credit, credit_basis, credit_line

_CHUNK = 500


def read_basis(connection: Connection) -> DataFrame[CreditBasis]:
    """Give what the kept credits follow from, by deal."""
    types = types_of(CreditBasis)
    query = select(credit_basis.c.deal_id, credit_basis.c.basis).order_by(credit_basis.c.deal_id)
    return CreditBasis.validate(fetch_frame(connection, query, types), lazy=True)


def save_credits(
    connection: Connection,
    run_id: str,
    basis: DataFrame[CreditBasis],
    stale: Collection[str],
    fresh: DataFrame[Credits],
) -> None:
    """Put fresh credits in the place of those of stale deals; others stay untouched.

    Args:
        connection: the caller owns the transaction.
        run_id: who found them.
        basis: what all credits follow from now; deals that are not in it are let go.
        stale: the deals to replace.
        fresh: their credits.
    """
    known = fetch_frame(connection, select(credit_basis.c.deal_id), {"deal_id": "str"})["deal_id"]
    gone = known[~known.isin(basis["deal_id"])].tolist()
    for deals in chunks([*gone, *stale], _CHUNK):
        connection.execute(delete(credit).where(credit.c.deal_id.in_(deals)))
    new = fresh.assign(row_hash=row_hashes(fresh))
    if len(new):
        connection.execute(insert(credit), [{**row, "run_id": run_id} for row in rows_of(new)])
    _save_basis(connection, run_id, basis, stale, known)


def _save_basis(
    connection: Connection,
    run_id: str,
    basis: pd.DataFrame,
    stale: Collection[str],
    known: pd.Series,
) -> None:
    """Note what the fresh credits follow from; what lines once followed from stays beside it.

    A deal that is gone keeps its row with an empty basis, so that its lines can be taken back.
    """
    changed = basis[basis["deal_id"].isin(list(stale))]
    is_known = changed["deal_id"].isin(known)
    table = credit_basis
    renewed = [
        {"changed_id": row["deal_id"], "now": row["basis"]} for row in rows_of(changed[is_known])
    ]
    if renewed:
        statement = table.update().where(table.c.deal_id == bindparam("changed_id"))
        connection.execute(statement.values(basis=bindparam("now"), run_id=run_id), renewed)
    if not is_known.all():
        new = rows_of(changed[~is_known])
        connection.execute(insert(table), [{**row, "run_id": run_id} for row in new])
    for gone in chunks(known[~known.isin(basis["deal_id"])].tolist(), _CHUNK):
        connection.execute(
            table.update().where(table.c.deal_id.in_(gone), table.c.basis != "").values(basis="")
        )


def changed_since_lines(connection: Connection) -> pd.DataFrame:
    """Give the deals whose credits follow from something else than their lines did.

    `deal_id`, `basis`, `lines_basis` (missing where no line was ever written).
    """
    table = credit_basis
    query = (
        select(table.c.deal_id, table.c.basis, table.c.lines_basis)
        .where(table.c.lines_basis.is_(None) | (table.c.lines_basis != table.c.basis))
        .order_by(table.c.deal_id)
    )
    return fetch_frame(connection, query, dict.fromkeys(("deal_id", "basis", "lines_basis"), "str"))


def read_lines(connection: Connection, deals: Collection[str] | None = None) -> pd.DataFrame:
    """Give the lines of some deals, or all, in the order of writing, with `run_id`."""
    types = {**types_of(CreditLines), "run_id": "str"}
    query = select(*(credit_line.c[name] for name in types)).order_by(credit_line.c.line)
    if deals is None:
        return fetch_frame(connection, query, types)
    parts = [
        fetch_frame(connection, query.where(credit_line.c.deal_id.in_(some)), types)
        for some in chunks(sorted(deals), _CHUNK)
    ]
    return pd.concat(parts, ignore_index=True) if parts else fetch_frame(
        connection, query.where(credit_line.c.line < 0), types
    )  # fmt: skip


def append_lines(
    connection: Connection,
    run_id: str,
    agreement_version: str,
    changed: pd.DataFrame,
    lines: DataFrame[CreditLines],
    at: datetime,
) -> int:
    """Write lines behind the others, and that these deals' lines follow from the present basis."""
    last = connection.execute(select(func.coalesce(func.max(credit_line.c.line), 0))).scalar_one()
    about = {"agreement_version": agreement_version, "run_id": run_id, "written_at": at}
    rows = [{"line": last + place, **row, **about} for place, row in enumerate(rows_of(lines), 1)]
    if rows:
        connection.execute(insert(credit_line), rows)
    for deals in chunks(changed["deal_id"].tolist(), _CHUNK):
        connection.execute(
            credit_basis.update()
            .where(credit_basis.c.deal_id.in_(deals))
            .values(lines_basis=credit_basis.c.basis)
        )
    return len(rows)
