"""Rows that hold what an invoice says beyond the ledger: entered, found again, and brought to nothing."""

import sqlite3

import msgspec

from budgetd.ledger import schema
from budgetd.ledger.rows import Closing, CorrectionRow, Opening
from budgetd.ledger.writer import Statement


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
