"""What clients ask of the ledger: requests, the audit, how good the estimates were.

Some of it reads the whole ledger: ask on a connection of your own, away from the event loop.
"""

import contextlib
import sqlite3
from collections.abc import Generator
from math import ceil
from pathlib import Path
from typing import Any

import msgspec

from budgetd.ledger.problems import reading_errors
from budgetd.ledger.texts import TextReader
from budgetwire.messages import (
    Change,
    EstimateError,
    QueryAuditReply,
    QueryEstimatesReply,
    QueryRequests,
    QueryRequestsReply,
    Request,
)

MOST_ROWS = 1000
"""Rows given at once."""

MOST_NUSD = 2**63 - 1
MOST_PCT = 1_000_000
"""What is told at most: a single bound may be very high, and the sum of many more than a message can hold."""


@contextlib.contextmanager
def reading(path: Path) -> Generator[sqlite3.Connection]:
    """A connection of one's own, for any thread, that sees what is committed. Raises LedgerError for whatever
    goes wrong while it is read.
    """
    with (
        reading_errors(path),
        contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as db,
    ):
        db.text_factory = TextReader()
        yield db


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


def query_audit(db: sqlite3.Connection, count: int) -> QueryAuditReply:
    """Who changed what, newest first, at most ``count`` rows."""
    names = ", ".join(Change.__struct_fields__)
    rows = db.execute(f"select {names} from audit order by id desc limit ?", (count,))
    return QueryAuditReply(changes=[Change(*row) for row in rows])


def last_change(
    db: sqlite3.Connection, limit: str | None, of_limit: tuple[str, ...], of_counter: tuple[str, ...]
) -> Change | None:
    """The newest row of the audit that did one of these things to a limit, or to a counter of it (whose
    subject is ``limit / subject`` where it has several); None: to any.
    """
    names = ", ".join(Change.__struct_fields__)
    actions = (*of_limit, *of_counter)
    whose, parameters = "", list[str](actions)
    if limit is not None:
        counters = ", ".join("?" * len(of_counter))
        whose = f" and (subject = ? or action in ({counters}) and substr(subject, 1, length(?)) = ?)"
        prefix = f"{limit} / "
        parameters += [limit, *of_counter, prefix, prefix]
    row = db.execute(
        f"select {names} from audit where action in ({', '.join('?' * len(actions))}){whose}"
        " order by id desc limit 1",
        parameters,
    ).fetchone()
    return Change(*row) if row else None


def query_estimates(db: sqlite3.Connection, since: float) -> QueryEstimatesReply:
    """How well the cost of requests admitted since was foretold, where the provider reported it; by model,
    dearest first. A request of which nothing was expected is left out: it is free, or there is no per cent.
    """
    rows = db.execute(
        """
        with foretold as (
            select model, cost_nusd, expected_nusd, worst_nusd, cost_nusd * 100.0 / expected_nusd as pct
            from requests
            where admitted_at >= ? and basis in ('reported', 'billed') and outcome = 'ok'
                and expected_nusd > 0
        ), placed as (
            select *,
                row_number() over (partition by model order by pct) as place,
                count(*) over (partition by model) as among
            from foretold
        )
        select model, count(*), sum(expected_nusd), sum(cost_nusd),
            case when count(worst_nusd) = count(*) then total(worst_nusd) end,
            min(case when place * 2 >= among then pct end),
            min(case when place * 10 >= among * 9 then pct end)
        from placed group by model order by 4 desc, 1
        """,
        (since,),
    )
    return QueryEstimatesReply(
        models=[
            EstimateError(
                model=model,
                requests=requests,
                expected_nusd=expected,
                cost_nusd=cost,
                worst_nusd=None if worst is None else min(int(worst), MOST_NUSD),
                cost_pct_p50=min(ceil(p50), MOST_PCT),
                cost_pct_p90=min(ceil(p90), MOST_PCT),
            )
            for model, requests, expected, cost, worst, p50, p90 in rows
        ]
    )


def limit_names(text: str) -> list[str]:
    """The limits that a request counts on, as its row says; none where that cannot be read any more."""
    try:
        return msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError:
        return []


def _request(row: tuple[Any, ...]) -> Request:
    fields = dict(zip(Request.__struct_fields__, row, strict=True))
    fields["limits"] = limit_names(fields["limits"])
    return msgspec.convert(fields, Request, strict=False)
