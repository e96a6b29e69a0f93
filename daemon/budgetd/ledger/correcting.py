"""Rows that hold what an invoice says beyond the ledger: entered, found again, and brought to nothing."""

import sqlite3
from typing import NamedTuple

import msgspec

from budgetd.budget.limits import Subject
from budgetd.ledger import schema
from budgetd.ledger.rows import SUBJECT, UNSTATED, Closing, CorrectionRow, Opening, subject_of
from budgetd.ledger.writer import Statement


class UnstatedEnd(NamedTuple):
    """A request that nobody stated the cost of. Nanodollars."""

    id: int
    admitted_at: float
    model: str
    """The one it is billed as."""
    unknown_nusd: int
    """What it is on record to cost at most beyond what it is counted at."""
    most_nusd: int
    """The same as if nothing had been released."""
    subject: Subject


def entry(opening: Opening, row: CorrectionRow) -> list[Statement]:
    """What enters a correction: its row among the requests, the sums it is in, and where it came from."""
    nusd = row.invoice_nusd - row.ledger_nusd
    closing = Closing(
        settled_at=row.at, outcome="corrected", basis="corrected", cost_nusd=nusd, model_billed=row.model
    )
    return [
        (schema.INSERT_REQUEST, msgspec.structs.astuple(opening)),
        (schema.SETTLE_REQUEST, (*msgspec.structs.astuple(closing), opening.id)),
        _rollup(opening, nusd),
        (schema.INSERT_CORRECTION, msgspec.structs.astuple(row)),
    ]


def removal(opening: Opening, row: CorrectionRow, now: float) -> list[Statement]:
    """What takes one back. Its row stays, at nothing; sums that it alone had made are gone."""
    add, parameters = _rollup(opening, row.ledger_nusd - row.invoice_nusd)
    return [
        ("update requests set cost_nusd = 0, outcome = 'undone' where id = ?", (opening.id,)),
        (add, parameters),
        ("delete from rollups where hour = ? and requests = 0 and cost_nusd = 0", parameters[:1]),
        ("update corrections set undone_at = ? where id = ?", (now, row.id)),
    ]


def unstated_ends(db: sqlite3.Connection, provider: str, since: float, until: float) -> list[UnstatedEnd]:
    """The requests admitted in [since, until) that the API bills and nobody stated the cost of."""
    rows = db.execute(
        "select id, admitted_at, coalesce(nullif(model_billed, ''), model), unknown_nusd,"
        f" max(0, coalesce(worst_nusd, expected_nusd) - cost_nusd), {', '.join(SUBJECT)} from requests"
        " where provider = ? and admitted_at >= ? and admitted_at < ? and billing = 'api'"
        f" and basis in ({', '.join('?' * len(UNSTATED))}) order by id",
        (provider, since, until, *UNSTATED),
    )
    return [UnstatedEnd(*row[:5], subject=subject_of(row[5:])) for row in rows]


def set_unknown(id: int, nusd: int) -> Statement:
    """What says by how much a request may have cost more than it is counted at."""
    return "update requests set unknown_nusd = ? where id = ?", (nusd, id)


def in_force(db: sqlite3.Connection, batch: int) -> list[tuple[CorrectionRow, Opening]]:
    """The corrections of a batch that are not undone, with their rows among the requests."""
    names = CorrectionRow.__struct_fields__
    rows = db.execute(
        f"select {', '.join(names)} from corrections where batch = ? and undone_at is null order by id",
        (batch,),
    ).fetchall()
    found = [CorrectionRow(**dict(zip(names, values, strict=True))) for values in rows]
    return [(row, _opening(db, row.request_id)) for row in found]


def last_batch(db: sqlite3.Connection) -> int:
    """The newest batch that is not undone; 0 if there is none."""
    return db.execute("select coalesce(max(batch), 0) from corrections where undone_at is null").fetchone()[0]


def next_ids(db: sqlite3.Connection) -> tuple[int, int]:
    """Numbers for a new batch, and for its first row."""
    return db.execute(
        "select coalesce(max(batch), 0) + 1, coalesce(max(id), 0) + 1 from corrections"
    ).fetchone()


def _opening(db: sqlite3.Connection, id: int) -> Opening:
    names = Opening.__struct_fields__
    values = db.execute(f"select {', '.join(names)} from requests where id = ?", (id,)).fetchone()
    return msgspec.convert(dict(zip(names, values, strict=True)), Opening, strict=False)


def _rollup(opening: Opening, nusd: int) -> Statement:
    """It is money, and no request."""
    dimensions = (getattr(opening, name) for name in schema.DIMENSIONS)
    return schema.ADD_ROLLUP, (int(opening.admitted_at // 3600), *dimensions, 0, nusd)
