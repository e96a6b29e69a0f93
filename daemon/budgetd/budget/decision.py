"""What is asked of the guard, and what it answers. Pure values; the deciding is in `guard`."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from budgetd.budget.counters import Window
from budgetd.budget.limits import Limit, Subject

Action = Literal["refuse", "hold", "downgrade"]
Reason = Literal["room", "unbounded", "paused"]


class Demand(msgspec.Struct, frozen=True):
    """What a request asks of the budget."""

    subject: Subject
    expected_nusd: int
    worst_nusd: int | None
    """None: no sound bound is known."""

    @property
    def most_nusd(self) -> int:
        """The most it can cost; what is expected where no bound is known."""
        return self.expected_nusd if self.worst_nusd is None else self.worst_nusd

    def amount(self, limit: Limit) -> int:
        """What a limit reserves for it. A strict one reserves what is expected where it lets an unbounded
        request by all the same.
        """
        return self.most_nusd if limit.guarantee == "strict" else self.expected_nusd


@dataclass(slots=True, eq=False)
class Reservation:
    """What an admitted request holds until it is settled."""

    demand: Demand
    admitted_at: float
    """By the guard's clock, which never goes back."""
    parts: list[tuple[Window, int]]
    """What each counter holds, in nanodollars."""

    @property
    def amount_nusd(self) -> int:
        """The most that any counter holds; 0 if the request falls under no limit."""
        return max((amount for _, amount in self.parts), default=0)


class Refused(msgspec.Struct, frozen=True):
    """Why a request was not admitted, and what is to be done with it."""

    window: Window
    amount_nusd: int | None
    """What it needs; None if a strict limit knows no bound for it."""
    reason: Reason
    action: Action


class Crossing(msgspec.Struct, frozen=True):
    """A threshold that was passed for the first time in its window."""

    window: Window
    threshold_pct: int
