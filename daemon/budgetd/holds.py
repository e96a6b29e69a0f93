"""Requests that wait: for a person, for room, or for their time to run out. Synchronous; owns no clock."""

import asyncio
from collections.abc import Callable, Iterator

import msgspec

from budgetd.budget.decision import Refused
from budgetd.case import Case
from budgetd.proxy.till import Held, Ticket, Turned


class Waiting(msgspec.Struct, eq=False):
    """A held request, and what holds it."""

    case: Case
    held: Held
    refused: Refused
    since: float
    until: float


class Holds:
    """Held requests, the longest waiting first."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._waiting: dict[int, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(list(self._waiting.values()))

    def add(self, case: Case, refused: Refused, now: float) -> Held:
        """Let a request wait as long as its limit says."""
        held = Held(case.id, asyncio.get_running_loop().create_future())
        seconds = refused.window.limit.hold_seconds
        self._waiting[case.id] = Waiting(case, held, refused, now, now + seconds)
        return held

    def get(self, id: int) -> Waiting | None:
        """A request that waits."""
        return self._waiting.get(id)

    def drop(self, id: int) -> Waiting | None:
        """Forget a request whose client has gone."""
        return self._waiting.pop(id, None)

    def decide(self, waiting: Waiting, decision: Ticket | Turned) -> None:
        """Tell the request how it goes on."""
        self._waiting.pop(waiting.case.id, None)
        if not waiting.held.decided.done():
            waiting.held.decided.set_result(decision)

    def retry(self, decide: Callable[[Waiting], Ticket | Turned | None]) -> None:
        """Ask again for each, in the order they came; None lets it wait on."""
        for waiting in self:
            decision = decide(waiting)
            if decision is not None:
                self.decide(waiting, decision)
