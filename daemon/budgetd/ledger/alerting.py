"""What the alerts ask of the ledger, and the statement that keeps them."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from budgetd.ledger.rows import AlertRow
from budgetwire.messages import QueryAlerts

HOUR = 3600

_NAMES = ", ".join(f'"{name}"' for name in AlertRow.__struct_fields__)

SAVE_ALERT = (
    f"insert into alerts ({_NAMES}) values ({', '.join('?' * len(AlertRow.__struct_fields__))})"
    " on conflict (id) do update set {} on conflict do nothing"
).format(", ".join(f'"{name}" = excluded."{name}"' for name in AlertRow.__struct_fields__ if name != "id"))
"""Keeps an alert as it stands, new or not. It cannot fail by itself: of two alike, the first is kept."""


def alerts_to_keep(db: sqlite3.Connection, since: float, count: int) -> list[AlertRow]:
    """The newest alerts that are not over, or are since then; oldest first."""
    rows = db.execute(
        f"select {_NAMES} from alerts where resolved_at is null or resolved_at >= ? order by id desc limit ?",
        (since, count),
    ).fetchall()
    return [_alert(row) for row in reversed(rows)]


def find_alert(
    db: sqlite3.Connection,
    rule: str,
    limit: str,
    subject: str,
    window_starts_at: float,
    threshold_pct: int,
) -> AlertRow | None:
    """The alert of a rule about a counter's window and threshold."""
    row = db.execute(
        f'select {_NAMES} from alerts where rule = ? and "limit" = ? and subject = ?'
        " and window_starts_at = ? and threshold_pct = ?",
        (rule, limit, subject, window_starts_at, threshold_pct),
    ).fetchone()
    return None if row is None else _alert(row)


def fired_thresholds(
    db: sqlite3.Connection, limit: str, subject: str, since: float, passed_over: Sequence[str]
) -> set[int]:
    """Thresholds of a counter that have fired in windows that started at ``since`` or later, but for those
    that were over for one of these reasons.
    """
    rows = db.execute(
        "select threshold_pct from alerts where rule in ('threshold', 'cap') and \"limit\" = ?"
        " and subject = ? and window_starts_at >= ?"
        f" and resolved_by not in ({', '.join('?' * len(passed_over))})",
        (limit, subject, since, *passed_over),
    )
    return {row[0] for row in rows}


def query_alerts(db: sqlite3.Connection, query: QueryAlerts, now: float) -> tuple[list[AlertRow], bool]:
    """The alerts that match, newest first, at most ``query.count``; and whether older ones match too."""
    terms: list[tuple[str, Any]] = [
        ("id < ?", query.before_id),
        ("rule = ?", query.rule),
        ('"limit" = ?', query.limit),
    ]
    given = [(sql, value) for sql, value in terms if value is not None]
    conditions = [sql for sql, _ in given]
    values = [value for _, value in given]
    if query.state is not None:
        conditions.append(_IN_STATE[query.state])
        values += [now] * _IN_STATE[query.state].count("?")
    where = f" where {' and '.join(conditions)}" if conditions else ""
    rows = db.execute(
        f"select {_NAMES} from alerts{where} order by id desc limit ?", (*values, query.count + 1)
    ).fetchall()
    return [_alert(row) for row in rows[: query.count]], len(rows) > query.count


def hour_nusd(db: sqlite3.Connection, hour: int) -> int:
    """What the requests admitted in an hour (since the epoch) have cost, but for those on a subscription."""
    return db.execute(
        "select coalesce(sum(cost_nusd), 0) from rollups where hour = ? and billing <> 'subscription'",
        (hour,),
    ).fetchone()[0]


def same_hours(db: sqlite3.Connection, hours: Sequence[int]) -> list[int]:
    """`hour_nusd` of each of these hours on whose day, up to it, there was any request at all."""
    return [hour_nusd(db, hour) for hour in hours if _used(db, hour)]


def _used(db: sqlite3.Connection, hour: int) -> bool:
    row = db.execute("select 1 from rollups where hour > ? and hour <= ? limit 1", (hour - 24, hour))
    return row.fetchone() is not None


_OPEN = "resolved_at is null and acknowledged_at is null"

_IN_STATE = {
    "firing": f"{_OPEN} and (snoozed_until is null or snoozed_until <= ?)",
    "snoozed": f"{_OPEN} and snoozed_until > ?",
    "acknowledged": "resolved_at is null and acknowledged_at is not null",
    "resolved": "resolved_at is not null",
}
"""`alerts.lifecycle.state_of`, in SQL."""


def _alert(row: Sequence[Any]) -> AlertRow:
    return AlertRow(**dict(zip(AlertRow.__struct_fields__, row, strict=True)))
