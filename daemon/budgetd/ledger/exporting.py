"""The ledger for other programs: row by row or in groups, in columns that stay as they are.

Rows come in short reads, so that neither memory nor the daemon's log of writes grows with the ledger. Sums
are one read, which SQLite sorts in a temporary file.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from budgetd.metering.usage import Usage
from budgetwire.money import exact_usd

Column = int | float | str | None

Group = Literal[
    "hour", "day", "month",
    "provider", "upstream", "model", "user", "project", "session", "key", "client",
    "basis", "outcome",
]  # fmt: skip
GROUPS: tuple[Group, ...] = get_args(Group)

USAGE = Usage.__struct_fields__
ROW_COLUMNS = (
    "id", "admitted_at", "settled_at", "provider", "upstream", "dialect", "billing", "model", "model_billed",
    "asked_model", "user", "project", "session", "key", "client", "stream", "status", "outcome", "basis",
    "service_tier", "geo", *USAGE, "cost_nusd", "cost_usd", "reserved_nusd", "expected_nusd", "worst_nusd",
    "price_id", "limits", "provider_request_id", "response_id", "ttft_seconds", "duration_seconds",
    "request_bytes", "response_bytes", "unknown_nusd", "token",
)  # fmt: skip
"""Of a request. A column is never renamed or taken away; new ones are added at the end."""

SUM_COLUMNS = ("requests", *USAGE, "cost_nusd", "cost_usd")
"""Of a group, behind what it is grouped by."""

PAGE = 5_000
"""Rows read at once."""

_QUARTER = 900
"""Seconds: no time zone begins a day in the midst of a quarter of an hour."""


def export_rows(db: sqlite3.Connection, since: float, until: float) -> Iterator[tuple[Column, ...]]:
    """Every settled request admitted in [since, until), by number, as `ROW_COLUMNS`. Times are ISO 8601 in
    UTC, money is exact.
    """
    shown = ", ".join("null" if name == "cost_usd" else f'"{name}"' for name in ROW_COLUMNS)
    places = {name: place for place, name in enumerate(ROW_COLUMNS)}
    times = places["admitted_at"], places["settled_at"]
    found = db.execute(
        "select min(id), max(id) from requests where admitted_at >= ? and admitted_at < ?", (since, until)
    ).fetchone()
    if found[0] is None:
        return
    first, last = found
    while first <= last:
        rows = db.execute(
            f"select {shown} from requests where id >= ? and id <= ? and outcome is not null"
            " and admitted_at >= ? and admitted_at < ? order by id limit ?",
            (first, last, since, until, PAGE),
        ).fetchall()
        for row in rows:
            columns = list(row)
            for place in times:
                columns[place] = _iso(columns[place])
            columns[places["cost_usd"]] = exact_usd(columns[places["cost_nusd"]])
            yield tuple(columns)
        if len(rows) < PAGE:
            return
        first = rows[-1][0] + 1


def export_groups(
    db: sqlite3.Connection, since: float, until: float, by: Sequence[Group], zone: ZoneInfo
) -> Iterator[tuple[Column, ...]]:
    """Sums of the settled requests admitted in [since, until) by these, as the groups and `SUM_COLUMNS`, in
    the order of the groups. Hours, days and months are those of the zone.
    """
    for name, written in _STRETCHES.items():
        db.create_function(name, 1, _stretch(zone, written), deterministic=True)
    keys = ", ".join(f"{name}(admitted_at)" if name in _STRETCHES else f'"{name}"' for name in by)
    places = ", ".join(str(place) for place in range(1, len(by) + 1))
    sums = ", ".join(f"sum({name})" for name in (*USAGE, "cost_nusd"))
    rows = db.execute(
        f"select {keys}, sum(outcome not in ('corrected', 'undone')), {sums} from requests"
        " where outcome is not null and admitted_at >= ? and admitted_at < ?"
        f" group by {places} order by {places}",
        (since, until),
    )
    for row in rows:
        yield (*row, exact_usd(row[-1]))


def _hour(local: datetime) -> str:
    return local.replace(minute=0, second=0).isoformat(timespec="minutes")  # with its offset: one comes twice


def _day(local: datetime) -> str:
    return f"{local:%Y-%m-%d}"


def _month(local: datetime) -> str:
    return f"{local:%Y-%m}"


_STRETCHES: dict[str, Callable[[datetime], str]] = {"hour": _hour, "day": _day, "month": _month}


def _stretch(zone: ZoneInfo, written: Callable[[datetime], str]) -> Callable[[float], str]:
    """A function for SQL that names the hour, day or month of an instant."""

    @lru_cache(4096)
    def name(quarter: int) -> str:
        return written(datetime.fromtimestamp(quarter * _QUARTER, UTC).astimezone(zone))

    return lambda at: name(int(at // _QUARTER))


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
