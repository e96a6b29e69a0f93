"""What is done where the wall clock is far behind the records: they are dated anew, or the clock is not
believed. See `budgetd.budget.clock`.
"""

from typing import NamedTuple

from budgetd.alerts.ending import WINDOW_OVER
from budgetd.alerts.lifecycle import CLOCK_SET_BACK
from budgetd.budget.clock import Seen, believed_until, was_ahead
from budgetd.ledger import redating
from budgetd.ledger.writer import Ledger


class Redated(NamedTuple):
    """The clock was ahead and is right now."""

    requests: int
    """So many are dated anew."""
    last: float
    """The latest date that any of them had."""
    since: float
    """From this date on, that is."""


class Behind(NamedTuple):
    """The clock is wrong now."""

    newest: float
    """When the newest request on record was admitted."""


def correct_dates(ledger: Ledger, now: float, seen: Seen | None = None) -> Redated | Behind:
    """Date anew what is dated ahead of the clock, in one transaction, unless it is the clock that is wrong.

    Args:
        ledger: open; is flushed.
        now: UTC epoch seconds.
        seen: what this process has seen of the clock before.

    Raises LedgerError, and then nothing has changed.
    """
    since = believed_until(now)
    ledger.flush()
    ahead = redating.find_ahead(ledger.db, since)
    if ahead is not None and not was_ahead(ahead, now, seen):
        return Behind(ahead.last)
    if not redating.is_any_ahead(ledger.db, since, now):
        return Redated(0, now, since)
    count = redating.count_ahead(ledger.db, since)
    ledger.write_all(redating.redate(since, now, window_over=WINDOW_OVER, why=CLOCK_SET_BACK))
    return Redated(count, ahead.last if ahead else now, since)
