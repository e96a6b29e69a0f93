"""Reading by turns: what came in at once and takes long to parse and meter is taken in slices, so that other
connections are served in between.
"""

import asyncio
import time
from collections import deque
from typing import Protocol

TURN_SECONDS = 0.001
"""How long a turn is; the slice that is under way then is finished."""

LEFT_PAUSE_SECONDS = 0.004
"""Between two turns of responses whose client has left: nobody waits for them, and they have about a fifth of
the time, however many they are.
"""


class Reading(Protocol):
    """A connection that has received what it has not taken yet."""

    def take(self, until: float) -> None:
        """Take some of it, until then by `time.perf_counter`."""
        ...


class ReadQueue:
    """Connections that have more to take, each in its turn."""

    def __init__(self, pause_seconds: float = 0.0) -> None:
        """``pause_seconds``: between two turns; 0 is one in each turn of the event loop."""
        self._pause_seconds = pause_seconds
        self._reading: deque[Reading] = deque()
        self._timer: asyncio.Handle | None = None

    def add(self, reading: Reading) -> None:
        """Let it have one turn; it must not wait for one already."""
        self._reading.append(reading)
        self._go_on()

    def _go_on(self) -> None:
        if self._timer is None and self._reading:
            self._timer = asyncio.get_running_loop().call_later(self._pause_seconds, self._turn)

    def _turn(self) -> None:
        self._timer = None
        until = time.perf_counter() + TURN_SECONDS
        while self._reading:
            self._reading.popleft().take(until)
            if time.perf_counter() >= until:
                break
        self._go_on()
