"""What the daemon asks of the ledger for itself; what clients ask for is in `reports`.

Reads see what is committed: `Ledger.flush` first where the last moment matters.
"""

import sqlite3
from collections.abc import Collection, Iterator
from typing import NamedTuple

import msgspec

from budgetd.budget.limits import Subject
from budgetd.ledger.rows import SUBJECT, GrantRow, Opening, subject_of
from budgetd.pricing.learning import Settled
from budgetwire.messages import Spend

HOUR = 3600
_SUBJECT = ", ".join(SUBJECT)

LEARNT_ROWS = 2_000
"""As many settled requests tell what the next ones are likely to use."""

SEARCHED_ROWS = 50_000
"""They are looked for among so many of the newest, so that a start takes no longer with a long ledger."""


class UnknownEnd(NamedTuple):
    """A request that was sent and of which nobody stated what it cost."""

    id: int
    admitted_at: float
    unknown_nusd: int
    """What it may have cost beyond its cost, in nanodollars."""
    subject: Subject


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


def history(
    db: sqlite3.Connection, since: float, *, subscription: bool, starts: Collection[float] = ()
) -> Iterator[tuple[float, Subject, int]]:
    """(when admitted, who, nanodollars) of what was spent since, in no order.

    Row by row in the newest hour and wherever a window begins: at ``since`` and at ``starts``, which need not
    be whole hours. Any other hour comes as one sum for each subject, at its last instant. Traffic on a
    subscription counts if asked.
    """
    billed = "" if subscription else " and billing <> 'subscription'"
    newest = db.execute("select max(hour) from rollups").fetchone()[0]
    first = int(since // HOUR)
    split = sorted(
        {hour for at in (since, *starts) if (hour := int(at // HOUR)) >= first} | {newest or first}
    )
    for hour in split:
        rows = db.execute(
            f"select admitted_at, cost_nusd, {_SUBJECT} from requests"
            f" where admitted_at >= ? and admitted_at < ? and outcome is not null and cost_nusd <> 0{billed}",
            (max(since, hour * HOUR), (hour + 1) * HOUR),
        )
        for at, nusd, *subject in rows:
            yield at, subject_of(subject), nusd
    rows = db.execute(
        f"select hour, cost_nusd, {_SUBJECT} from rollups"
        f" where hour > ? and hour not in ({', '.join('?' * len(split))}) and cost_nusd <> 0{billed}",
        (first, *split),
    )
    for hour, nusd, *subject in rows:
        yield (hour + 1) * HOUR - 0.001, subject_of(subject), nusd


def unknown_ends(db: sqlite3.Connection, since: float, *, subscription: bool) -> list[UnknownEnd]:
    """Requests admitted since that may have cost more than they are counted at, the oldest first. Traffic on
    a subscription counts if asked.
    """
    billed = "" if subscription else " and billing <> 'subscription'"
    rows = db.execute(
        f"select id, admitted_at, unknown_nusd, {_SUBJECT} from requests"
        f" where unknown_nusd > 0 and admitted_at >= ?{billed} order by admitted_at",
        (since,),
    )
    return [UnknownEnd(*row[:3], subject=subject_of(row[3:])) for row in rows]


def learning_rows(db: sqlite3.Connection) -> list[Settled]:
    """The newest requests whose usage was reported, the newest last."""
    rows = db.execute(
        f"select {', '.join(Settled._fields)} from requests"
        " where basis in ('reported', 'billed') and status < 300"
        " and id > (select max(id) from requests) - ? order by id desc limit ?",
        (SEARCHED_ROWS, LEARNT_ROWS),
    ).fetchall()
    return [Settled(*row) for row in reversed(rows)]


def first_admitted_at(db: sqlite3.Connection) -> float | None:
    """When the first request on record was admitted."""
    row = db.execute(
        "select admitted_at from requests where basis <> 'corrected' order by admitted_at limit 1"
    ).fetchone()
    return row[0] if row else None


def costs_since(db: sqlite3.Connection, since: float) -> Iterator[tuple[float, int, str]]:
    """(time settled, nanodollars, billing) of each request admitted since. What an invoice corrected is no
    burn.
    """
    return db.execute(
        "select settled_at, cost_nusd, billing from requests"
        " where admitted_at >= ? and settled_at is not null and basis <> 'corrected'",
        (since,),
    )


def open_requests(db: sqlite3.Connection) -> list[Opening]:
    """Requests that were admitted and never settled: the daemon was killed."""
    names = ", ".join(Opening.__struct_fields__)
    rows = db.execute(f"select {names} from requests where outcome is null")
    return [
        msgspec.convert(dict(zip(Opening.__struct_fields__, row, strict=True)), Opening, strict=False)
        for row in rows
    ]


def grants(db: sqlite3.Connection) -> list[GrantRow]:
    """All that was granted to limits that are still in force, oldest first."""
    return [GrantRow(*row) for row in db.execute('select "limit", subject, nusd, at from grants order by id')]


def newest_grant(db: sqlite3.Connection, limit: str, subject: str) -> GrantRow | None:
    """What was granted to a counter last."""
    row = db.execute(
        'select "limit", subject, nusd, at from grants where "limit" = ? and subject = ?'
        " order by id desc limit 1",
        (limit, subject),
    ).fetchone()
    return GrantRow(*row) if row else None


def paused_limits(db: sqlite3.Connection) -> list[str]:
    """Names of the limits that are paused: remembered as ``paused:NAME``."""
    rows = db.execute("select substr(key, 8) from meta where key >= 'paused:' and key < 'paused;'")
    return [row[0] for row in rows]


def overages(db: sqlite3.Connection) -> dict[str, float]:
    """Accounts whose plan's paid extra usage is on, with when the plan pays again: remembered as
    ``overage:ACCOUNT``.
    """
    rows = db.execute("select substr(key, 9), value from meta where key >= 'overage:' and key < 'overage;'")
    return {account: float(until) for account, until in rows}


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
