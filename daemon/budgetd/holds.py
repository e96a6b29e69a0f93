"""Requests that wait: for a person, for room, or for their time to run out. Synchronous; owns no clock."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeAlias

import msgspec

from budgetd.budget.counters import Window
from budgetd.budget.decision import Refused
from budgetd.case import Case
from budgetd.proxy.till import Held, Ticket, Turned

Counter: TypeAlias = tuple[str, str]
"""The name of a limit, and whose counter of it."""


class Waiting(msgspec.Struct, eq=False):
    """A held request, and what holds it."""

    case: Case
    held: Held
    refused: Refused
    since: float
    until: float

    @property
    def counter(self) -> Counter:
        """The counter that has no room for it."""
        return counter_of(self.refused.window)

    def fits(self, room_nusd: int | None) -> bool:
        """Whether so much room is enough for it; None: that is not known."""
        needed = self.refused.amount_nusd
        return room_nusd is None or (needed is not None and needed <= room_nusd)

    def date_back(self, now: float) -> None:
        """The clock was ahead when it came: it waits no longer than its limit says."""
        self.since = min(self.since, now)
        self.until = min(self.until, now + self.refused.window.limit.hold_seconds)


def counter_of(window: Window) -> Counter:
    """The counter of a window."""
    return window.limit.name, window.subject


class Holds:
    """Held requests, the longest waiting first, and by the counter that each waits for."""

    def __init__(self) -> None:
        """No request is held."""
        self._waiting: dict[int, Waiting] = {}
        self._by_counter: dict[Counter, dict[int, Waiting]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(list(self._waiting.values()))

    def add(self, case: Case, refused: Refused, now: float) -> Held:
        """Let a request wait as long as its limit says."""
        held = Held(case.id, asyncio.get_running_loop().create_future())
        seconds = refused.window.limit.hold_seconds
        waiting = self._waiting[case.id] = Waiting(case, held, refused, now, now + seconds)
        self._by_counter.setdefault(waiting.counter, {})[case.id] = waiting
        return held

    def get(self, id: int) -> Waiting | None:
        """A request that waits."""
        return self._waiting.get(id)

    def drop(self, id: int) -> Waiting | None:
        """Forget a request whose client has gone."""
        waiting = self._waiting.pop(id, None)
        if waiting is not None:
            self._leave_counter(waiting)
        return waiting

    def decide(self, waiting: Waiting, decision: Ticket | Turned) -> None:
        """Tell the request how it goes on."""
        self.drop(waiting.case.id)
        if not waiting.held.decided.done():
            waiting.held.decided.set_result(decision)

    def wait_on(self, waiting: Waiting, refused: Refused) -> None:
        """Let a request wait for what objects to it now, which may be another counter than before."""
        self._leave_counter(waiting)
        waiting.refused = refused
        self._by_counter.setdefault(waiting.counter, {})[waiting.case.id] = waiting

    def with_room(
        self, room: Callable[[Counter], int | None], counters: Iterable[Counter] | None = None
    ) -> Iterator[Waiting]:
        """Requests whose counter has room for them at the moment they are yielded, the longest waiting first.

        Args:
            room: the room of a counter, in nanodollars; None if it has to be found out by asking.
            counters: those that may have gained room; None: any.
        """
        rooms: dict[Counter, int | None] = {}
        for waiting in self._on(counters):
            counter = waiting.counter
            if counter not in rooms:
                rooms[counter] = room(counter)
            if waiting.fits(rooms[counter]):
                yield waiting
                rooms.clear()

    def _on(self, counters: Iterable[Counter] | None) -> list[Waiting]:
        """Who waits for one of these counters, or for any, in the order they came."""
        if counters is None:
            return list(self._waiting.values())
        groups = [group for counter in counters if (group := self._by_counter.get(counter))]
        return sorted(chain(*(group.values() for group in groups)), key=lambda waiting: waiting.case.id)

    def _leave_counter(self, waiting: Waiting) -> None:
        group = self._by_counter[waiting.counter]
        del group[waiting.case.id]
        if not group:
            del self._by_counter[waiting.counter]
