"""A drift that is to be explained, and an explanation, as values. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from budgetd.ledger.invoicing import Portion
from budgetd.reconcile.compare import Compared
from budgetd.reconcile.repricing import Change, Repricing
from budgetwire.money import NUSD_PER_CENT

Kind = Literal[
    "agrees", "unread", "before", "apart", "bypass", "absent", "tier", "cache", "place", "searches", "two",
    "prices", "change", "midnight", "estimates", "late", "unknown",
]  # fmt: skip

ROUNDING_NUSD = NUSD_PER_CENT
ROUNDING_PCT = 1
"""Less than both is nothing to explain."""
ROUNDING_PERMILLE = 1
"""Nor is less than that, however much it is."""

NEAR_PERMILLE = 20
NEAR_NUSD = NUSD_PER_CENT // 10
"""A hypothesis fits if what it foretells is so near to the drift."""


class Cause(msgspec.Struct, frozen=True):
    """The likely reason of a drift."""

    kind: Kind
    evidence: str
    """In a sentence or two, with the numbers that speak for it; empty where nothing is to be explained."""


class Case(msgspec.Struct, frozen=True):
    """A drift, and what there is to explain it with."""

    row: Compared
    days: Sequence[Compared]
    """The same model on all days, in order, this one among them."""
    first_day: str | None
    """The first day on record."""
    today: str
    repricing: Repricing

    def difference(self, change: Change) -> int:
        """What the requests would cost more if they were otherwise."""
        return self.repricing.difference(self.row.requests, change)

    def fits(self, difference_nusd: int, near_permille: int = NEAR_PERMILLE) -> bool:
        """Whether a difference is the drift, as near as such things come."""
        near = max(abs(self.row.drift_nusd) * near_permille // 1000, NEAR_NUSD)
        return abs(difference_nusd) > near and abs(self.row.drift_nusd - difference_nusd) <= near


def in_words(portions: Iterable[Portion]) -> str:
    """How many requests portions are."""
    count = sum(portion.requests for portion in portions)
    return "1 request" if count == 1 else f"{count:,} requests"
