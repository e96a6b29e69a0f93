"""Rows whose cost is told after they were settled: found by the provider's id, and put right."""

import sqlite3
from typing import NamedTuple

import msgspec

from budgetd.budget.limits import Subject
from budgetd.ledger import schema
from budgetd.ledger.rows import SUBJECT, subject_of
from budgetd.ledger.writer import Statement
from budgetd.pricing.pricer import Cost


class Estimated(NamedTuple):
    """A settled request whose cost was estimated. Nanodollars."""

    id: int
    admitted_at: float
    billing: str
    service_tier: str
    cost_nusd: int
    unknown_nusd: int
    subject: Subject


def find_estimated(db: sqlite3.Connection, upstream: str, response_id: str) -> Estimated | None:
    """The newest such request of an upstream, by the provider's id of its response."""
    columns = Estimated._fields[:-1]
    row = db.execute(
        f"select {', '.join((*columns, *SUBJECT))} from requests"
        " where response_id = ? and response_id <> '' and upstream = ?"
        " and basis = 'estimated' and outcome = 'ok' order by id desc limit 1",
        (response_id, upstream),
    ).fetchone()
    if row is None:
        return None
    return Estimated(*row[: len(columns)], subject=subject_of(row[len(columns) :]))


def restate(row: Estimated, cost: Cost) -> list[Statement]:
    """What puts a row, and the sums it is in, right."""
    columns = {
        "cost_nusd": cost.nusd,
        "unknown_nusd": 0,
        "basis": cost.basis,
        "model_billed": cost.model,
        "price_id": cost.price_id,
        "service_tier": cost.service_tier,
        "geo": cost.geo,
        **msgspec.structs.asdict(cost.usage),
    }
    update = f"update requests set {', '.join(f'{name} = ?' for name in columns)} where id = ?"
    hour = int(row.admitted_at // 3600)
    subject = msgspec.structs.asdict(row.subject) | {"billing": row.billing}
    key = (hour, *(subject[name] for name in schema.DIMENSIONS))
    return [
        (update, (*columns.values(), row.id)),
        (schema.ADD_ROLLUP, (*key, 0, cost.nusd - row.cost_nusd)),
    ]
