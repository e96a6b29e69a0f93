"""Turns of reading: everybody gets one after the other, and the event loop gets on in between."""

import asyncio
from itertools import pairwise

import pytest

from budgetd.proxy import read_queue
from budgetd.proxy.read_queue import ReadQueue

OTHER = "other work"


class Flood:
    """Has more to take for so many turns."""

    def __init__(self, queue: ReadQueue, name: str, turns: int, log: list[str]) -> None:
        self.queue, self.name, self.turns, self.log = queue, name, turns, log
        queue.add(self)

    def take(self, until: float) -> None:
        self.log.append(self.name)
        self.turns -= 1
        if self.turns:
            self.queue.add(self)


async def _until_taken(log: list[str], count: int) -> None:
    while len(log) - log.count(OTHER) < count:
        await asyncio.sleep(0)
        log.append(OTHER)


async def test_each_gets_its_turn_and_other_work_is_done_between_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_queue, "TURN_SECONDS", 0.0)
    log: list[str] = []
    queue = ReadQueue()
    for name in ("a", "b"):
        Flood(queue, name, 3, log)
    await _until_taken(log, 6)
    assert [each for each in log if each != OTHER] == ["a", "b"] * 3
    assert all(OTHER in two for two in pairwise(log))


async def test_a_queue_that_pauses_leaves_the_time_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_queue, "TURN_SECONDS", 0.0)
    log: list[str] = []
    Flood(ReadQueue(0.02), "left", 3, log)
    Flood(ReadQueue(), "here", 3, log)
    await _until_taken(log, 6)
    assert [each for each in log if each != OTHER] == ["here"] * 3 + ["left"] * 3
