"""What one request cost, by any of the ids it goes by."""

import sqlite3

from budgetd.ledger.reports import limit_names
from budgetd.metering.usage import Usage
from budgetwire.messages import Cost
from budgetwire.money import exact_cents

_TOKENS = Usage.__struct_fields__
_PLAIN = (
    "id", "provider_request_id", "response_id", "basis", "cost_nusd", "upstream", "admitted_at", "settled_at",
    "price_id",
)  # fmt: skip
"""Columns that are told as they are."""
_COLUMNS = (*_PLAIN, "outcome", "model", "model_billed", "limits", *_TOKENS)


def find_receipt(db: sqlite3.Connection, id: str) -> Cost | None:
    """The request of this id: the ledger's own or, else, either of the provider's; the newest of several."""
    if id.isdecimal() and len(id) < 19 and (row := _select(db, "id = ?", int(id))):
        return row
    if not id:
        return None
    return _select(db, "provider_request_id = ?", id) or _select(db, "response_id = ?", id)


def _select(db: sqlite3.Connection, where: str, value: int | str) -> Cost | None:
    # That the index holds no empty ids has to be said for it to be used.
    column = where.partition(" ")[0]
    given = "" if column == "id" else f" and {column} <> ''"
    found = db.execute(
        f"select {', '.join(_COLUMNS)} from requests where {where}{given} order by id desc limit 1", (value,)
    ).fetchone()
    if found is None:
        return None
    row = dict(zip(_COLUMNS, found, strict=True))
    return Cost(
        **{name: row[name] for name in _PLAIN},
        settled=row["outcome"] is not None,
        outcome=row["outcome"] or "",
        cost_cents=exact_cents(row["cost_nusd"]),
        model=row["model_billed"] or row["model"],
        tokens={name: row[name] for name in _TOKENS if row[name]},
        limits=limit_names(row["limits"]),
    )
