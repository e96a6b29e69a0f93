"""Records that are dated ahead of the clock, and what dates them anew."""

import math
import sqlite3

from budgetd.budget.clock import Ahead
from budgetd.ledger import schema
from budgetd.ledger.pending import Statement

RUNNING_SECONDS = 3600.0
"""Times of settlement have no index. They are looked at only of requests that can still have been running."""

_HOUR = 3600
_DIMENSIONS = ", ".join(schema.DIMENSIONS)
_ALERT_TIMES = ("fired_at", "last_at", "acknowledged_at", "told_at", "resolved_at")


def find_ahead(db: sqlite3.Connection, since: float) -> Ahead | None:
    """When the requests from then on were admitted; None if there are none."""
    found = db.execute(
        "select id, admitted_at, (select max(admitted_at) from requests) from requests"
        " where admitted_at >= ? order by admitted_at limit 1",
        (since,),
    ).fetchone()
    if found is None:
        return None
    id, first, last = found
    # What was recorded later tells nothing: the clock may be wrong now, and have been right then.
    before = db.execute(
        "select admitted_at from requests where admitted_at < ? and id < ? order by admitted_at desc limit 1",
        (since, id),
    ).fetchone()
    return Ahead(first, last, before and before[0])


def is_any_ahead(db: sqlite3.Connection, since: float, now: float) -> bool:
    """Whether there is anything for `redate` to do."""
    alert = " or ".join(f"{name} >= :since" for name in _ALERT_TIMES)
    return bool(
        db.execute(
            "select exists (select 1 from requests where admitted_at >= :since)"
            " or exists (select 1 from requests where admitted_at > :running and settled_at >= :since)"
            " or exists (select 1 from rollups where hour >= :hour)"
            f" or exists (select 1 from alerts where {alert})"
            " or exists (select 1 from grants where at >= :since)",
            {"since": since, "running": now - RUNNING_SECONDS, "hour": int(since // _HOUR)},
        ).fetchone()[0]
    )


def count_ahead(db: sqlite3.Connection, since: float) -> int:
    """How many requests were admitted from then on."""
    return db.execute("select count(*) from requests where admitted_at >= ?", (since,)).fetchone()[0]


def redate(since: float, now: float, *, window_over: str, why: str) -> list[Statement]:
    """What dates all from ``since`` on as of now: requests, their sums, grants and alerts.

    Args:
        since: a whole hour after now.
        now: UTC epoch seconds.
        window_over: the reason of alerts that are over because their window is. It is not, now.
        why: the reason why alerts about windows to come are over.
    """
    hours = int(since // _HOUR)
    return [
        ("update requests set admitted_at = ? where admitted_at >= ?", (now, since)),
        (
            "update requests set settled_at = ? where settled_at >= ? and admitted_at > ?",
            (now, since, now - RUNNING_SECONDS),
        ),
        (
            f"insert into rollups (hour, {_DIMENSIONS}, requests, cost_nusd)"
            f" select ?, {_DIMENSIONS}, sum(requests), sum(cost_nusd) from rollups"
            f" where hour >= ? group by {_DIMENSIONS}"
            " on conflict do update set requests = requests + excluded.requests,"
            " cost_nusd = cost_nusd + excluded.cost_nusd",
            (int(now // _HOUR), hours),
        ),
        ("delete from rollups where hour >= ?", (hours,)),
        (
            "update grants set at = ?, window_starts_at = min(window_starts_at, ?) where at >= ?",
            (now, now, since),
        ),
        *_redate_alerts(since, now, window_over, why),
    ]


def _redate_alerts(since: float, now: float, window_over: str, why: str) -> list[Statement]:
    after = math.nextafter(now, math.inf)  # than the last word of them, so that their end is told
    return [
        (
            "update alerts set resolved_at = coalesce(resolved_at, ?), resolved_by = ?"
            " where window_starts_at >= ? and window_ends_at is not null",
            (after, why, since),
        ),
        (
            "update alerts set resolved_at = null, resolved_by = '', told_at = null"
            " where resolved_at >= ? and resolved_by = ? and window_starts_at < ? and window_ends_at > ?",
            (since, window_over, since, now),
        ),
        (
            "update alerts set snoozed_until = ? where snoozed_until >= ? and last_at >= ?",
            (now, since, since),
        ),
        *((f"update alerts set {name} = ? where {name} >= ?", (now, since)) for name in _ALERT_TIMES),
    ]
