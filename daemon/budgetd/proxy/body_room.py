"""Bounds the memory that long request bodies take at once. Who finds no room waits, and reads no further."""

import asyncio
from collections import deque

SHORT = 1 << 20
"""Bytes of a body up to which it needs no room: most have fewer, and they never wait."""

ROOM = 128 << 20
"""Bytes of long bodies that are held at once."""


class Place:
    """What the body of one request has of the room; nothing at first."""

    __slots__ = ("room", "size")

    def __init__(self) -> None:
        self.room: BodyRoom | None = None
        self.size = 0

    def keep(self, size: int) -> None:
        """Give back what is more than this."""
        if self.room is not None and size < self.size:
            surplus, self.size = self.size - size, size
            self.room.take_back(surplus)

    def release(self) -> None:
        """Give all of it back; it may be called again."""
        room, self.room = self.room, None
        if room is not None:
            room.leave(self.size)


class BodyRoom:
    """The room, given out in the order in which it is asked for. A body that is alone has room whatever its
    size, so that one can always go on.
    """

    def __init__(self, size: int = ROOM) -> None:
        self._free = size
        self._places = 0
        """How many have some of it."""
        self._waiting: deque[tuple[Place, int, asyncio.Future[None]]] = deque()

    async def give(self, place: Place, size: int) -> None:
        """Wait until there is so much room, and let a place that has none have it."""
        entry = place, size, asyncio.get_running_loop().create_future()
        self._waiting.append(entry)
        self._go_on()
        try:
            await entry[2]
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
                self._go_on()
            raise

    def take_back(self, size: int) -> None:
        """A place does not need so much."""
        self._free += size
        self._go_on()

    def leave(self, size: int) -> None:
        """A place does not need its room any more, which was so much."""
        self._places -= 1
        self.take_back(size)

    def _go_on(self) -> None:
        """Let in who waits, as far as there is room."""
        while self._waiting and (self._waiting[0][1] <= self._free or not self._places):
            place, size, ready = self._waiting.popleft()
            self._free -= size
            self._places += 1
            place.room, place.size = self, size
            if not ready.done():
                ready.set_result(None)
