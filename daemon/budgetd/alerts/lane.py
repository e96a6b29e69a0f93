"""One channel's share of the outbox: its messages are delivered one at a time.

New ones come first and in the order they were written, those that failed come when they are due: one that
keeps failing holds up no other for longer than its time-out.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from budgetd.alerts.backoff import LONGEST
from budgetd.alerts.channels.channel import Channel, Message, Verdict, attempt
from budgetd.alerts.settings import ChannelSection
from budgetd.ledger.deliveries import Disabled
from budgetd.ledger.rows import DeliveryRow

log = logging.getLogger(__name__)

RECHECK_SECONDS = 60.0
"""How often the clock is looked at, which may have been set, or slept with its machine."""


class Lane:
    """What waits for one channel, and the task that delivers it."""

    def __init__(
        self,
        section: ChannelSection,
        channel: Channel,
        clock: Callable[[], float],
        *,
        commit: Callable[[], None],
        settled: Callable[["Lane", DeliveryRow, Verdict], None],
    ) -> None:
        """
        Args:
            section: its configuration.
            channel: where it leads.
            clock: UTC epoch seconds.
            commit: sees that every message is on record before it is sent, so that one that is sent again
                after a kill has the same id.
            settled: told what became of an attempt; the message does not wait any more.
        """
        self.section = section
        self.channel = channel
        self.disabled: Disabled | None = None
        self.by_default = False
        """Nobody configured it: what does not arrive is no news."""
        self.unanswered = True
        """Whether anything may have been given up on here for lack of an answer."""
        self.task: asyncio.Task[None] | None = None
        self._clock = clock
        self._commit = commit
        self._settled = settled
        self._waiting: dict[int, DeliveryRow] = {}
        self._woken = asyncio.Event()
        self._finishing = False

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.section.name

    def start(self) -> None:
        """Deliver from now on."""
        self.task = asyncio.create_task(self._run(), name=f"channel {self.name}")

    def wake(self) -> None:
        """See again what is due."""
        self._woken.set()

    def finish(self) -> None:
        """End the task once no attempt is under way. What waits stays in the ledger."""
        self._finishing = True
        self.wake()

    def add(self, row: DeliveryRow) -> None:
        """Let a message wait, unless it does already."""
        self._waiting.setdefault(row.id, row)
        self.wake()

    def holds(self, message_id: str) -> bool:
        """Whether a message waits here."""
        return any(row.message_id == message_id for row in self._waiting.values())

    def empty(self) -> list[DeliveryRow]:
        """Take everything that waits, oldest first."""
        rows = sorted(self._waiting.values(), key=lambda row: row.id)
        self._waiting.clear()
        return rows

    async def _run(self) -> None:
        while not self._finishing:
            self._woken.clear()
            row = self._next()
            if row is None:
                await self._rest()
                continue
            self._commit()
            message = Message(row.message_id, row.body)
            verdict = await attempt(self.name, self.channel, message, self._clock())
            del self._waiting[row.id]
            try:
                self._settled(self, row, verdict)
            except Exception:  # the message stays on record as it was, and is sent again at the next start
                log.exception("channel %s: what became of a message could not be noted", self.name)

    def _next(self) -> DeliveryRow | None:
        """The message whose turn it is."""
        now = self._clock()
        # What is due later than any message is put off for was written before the clock was set back.
        due = (
            row
            for row in self._waiting.values()
            if row.attempts == 0 or not now < row.due_at <= now + LONGEST
        )
        return min(due, key=_turn, default=None)

    async def _rest(self) -> None:
        """Wait until a message is due, or there is another."""
        now = self._clock()
        seconds = min((row.due_at - now for row in self._waiting.values()), default=RECHECK_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(seconds, 0.0), RECHECK_SECONDS)):
                await self._woken.wait()


def _turn(row: DeliveryRow) -> tuple[bool, float, int]:
    """First attempts in the order of their writing, then the others by when they are due."""
    again = row.attempts > 0
    return again, row.due_at if again else 0.0, row.id
