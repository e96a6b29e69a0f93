"""What is asked of the ledger.

Reads see what is committed: `Ledger.flush` first where the last moment matters.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from budgetd.ledger.rows import AlertRow, Opening
from budgetwire.messages import QueryRequests, QueryRequestsReply, Request, Spend

HOUR = 3600

MOST_ROWS = 1000
"""Rows given at once."""


def spent_between(db: sqlite3.Connection, since: float, until: float, *, subscription: bool) -> int:
    """Nanodollars spent by requests admitted in [since, until). Traffic on a subscription counts if asked.

    Whole hours come from the rollups, their edges (a window may begin at any minute) from the rows.
    """
    first, last = -int(-since // HOUR), int(until // HOUR)
    billed = "" if subscription else " and billing <> 'subscription'"
    if first >= last:
        return _sum_rows(db, since, until, billed)
    whole = db.execute(
        f"select coalesce(sum(cost_nusd), 0) from rollups where hour >= ? and hour < ?{billed}",
        (first, last),
    ).fetchone()[0]
    edges = _sum_rows(db, since, first * HOUR, billed) + _sum_rows(db, last * HOUR, until, billed)
    return whole + edges


def spending_by(db: sqlite3.Connection, subject: str, since: float, until: float, count: int) -> list[Spend]:
    """The dearest projects, models, users or sessions in the hours that touch [since, until)."""
    rows = db.execute(
        f"select {subject}, sum(cost_nusd), sum(requests) from rollups"
        f" where hour >= ? and hour < ? group by {subject} order by 2 desc, 1 limit ?",
        (int(since // HOUR), -int(-until // HOUR), count),
    )
    return [Spend(*row) for row in rows]


def requests_between(db: sqlite3.Connection, since: float, until: float) -> int:
    """How many requests ended in the hours that touch [since, until)."""
    return db.execute(
        "select coalesce(sum(requests), 0) from rollups where hour >= ? and hour < ?",
        (int(since // HOUR), -int(-until // HOUR)),
    ).fetchone()[0]


def first_admitted_at(db: sqlite3.Connection) -> float | None:
    """When the first request on record was admitted."""
    return db.execute("select min(admitted_at) from requests").fetchone()[0]


def costs_since(db: sqlite3.Connection, since: float) -> Iterator[tuple[float, int]]:
    """(time settled, nanodollars) of each request admitted since."""
    return db.execute(
        "select settled_at, cost_nusd from requests where admitted_at >= ? and settled_at is not null",
        (since,),
    )


def query_requests(db: sqlite3.Connection, query: QueryRequests) -> QueryRequestsReply:
    """The rows that match, newest first, at most ``query.count`` (up to `MOST_ROWS`)."""
    count = query.count
    terms: list[tuple[str, Any]] = [
        ("id < ?", query.before_id),
        ("admitted_at >= ?", query.since),
        ("admitted_at < ?", query.until),
        *(
            (f"{name} = ?", getattr(query, name))
            for name in ("model", "user", "project", "session", "outcome")
        ),
    ]
    given = [(sql, value) for sql, value in terms if value is not None]
    where = f" where {' and '.join(sql for sql, _ in given)}" if given else ""
    columns = ", ".join(
        f"coalesce({name}, '')" if name == "outcome" else name for name in Request.__struct_fields__
    )
    rows = db.execute(
        f"select {columns} from requests{where} order by id desc limit ?",
        [*(value for _, value in given), count + 1],
    ).fetchall()
    found = [_request(row) for row in rows[:count]]
    return QueryRequestsReply(requests=found, more=len(rows) > count)


def alerts_to_show(db: sqlite3.Connection, since: float) -> list[AlertRow]:
    """Alerts that wait to be acknowledged or fired since, newest first, at most 200."""
    names = ", ".join(f'"{name}"' for name in AlertRow.__struct_fields__)
    rows = db.execute(
        f"select {names} from alerts where acknowledged_at is null or fired_at >= ?"
        " order by id desc limit 200",
        (since,),
    )
    return [AlertRow(**dict(zip(AlertRow.__struct_fields__, row, strict=True))) for row in rows]


def fired_thresholds(db: sqlite3.Connection, limit: str, window_starts_at: float) -> set[int]:
    """Thresholds of a limit that have fired in the window that starts then."""
    rows = db.execute(
        "select threshold_pct from alerts"
        " where rule = 'threshold' and \"limit\" = ? and window_starts_at = ?",
        (limit, window_starts_at),
    )
    return {row[0] for row in rows}


def open_requests(db: sqlite3.Connection) -> list[Opening]:
    """Requests that were admitted and never settled: the daemon was killed."""
    names = ", ".join(Opening.__struct_fields__)
    rows = db.execute(f"select {names} from requests where outcome is null")
    return [
        msgspec.convert(dict(zip(Opening.__struct_fields__, row, strict=True)), Opening, strict=False)
        for row in rows
    ]


def get_meta(db: sqlite3.Connection, key: str) -> str | None:
    """A remembered value."""
    row = db.execute("select value from meta where key = ?", (key,)).fetchone()
    return row[0] if row else None


def _sum_rows(db: sqlite3.Connection, since: float, until: float, billed: str) -> int:
    if since >= until:
        return 0
    return db.execute(
        "select coalesce(sum(cost_nusd), 0) from requests"
        f" where admitted_at >= ? and admitted_at < ? and outcome is not null{billed}",
        (since, until),
    ).fetchone()[0]


def _request(row: tuple[Any, ...]) -> Request:
    return msgspec.convert(dict(zip(Request.__struct_fields__, row, strict=True)), Request, strict=False)
