"""After a kill: what was in flight is settled at what was expected of it, once."""

from budgetd.ledger.queries import open_requests
from budgetd.ledger.rows import Closing, Opening
from budgetd.ledger.writer import Ledger


def recover(ledger: Ledger, now: float) -> tuple[int, int]:
    """Settle what an earlier daemon left open; how many requests, and their cost in nanodollars. The caller
    flushes, once it has fired the alert: both are in one transaction.
    """
    left = open_requests(ledger.db)
    for opening in left:
        nusd = _cost(opening)
        most_nusd = nusd if opening.worst_nusd is None else opening.worst_nusd
        closing = Closing(
            settled_at=now,
            outcome="recovered",
            basis="recovered",
            cost_nusd=nusd,
            unknown_nusd=max(0, most_nusd - nusd),
        )
        ledger.settle(opening, closing)
    return len(left), sum(map(_cost, left))


def _cost(opening: Opening) -> int:
    """What was reserved; at least what was expected, where no limit counted it."""
    return max(opening.reserved_nusd, opening.expected_nusd)
