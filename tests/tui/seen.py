"""A running dashboard as a person sees it: its lines, its keys."""

import asyncio
from collections.abc import Callable

from textual.events import Key
from textual.pilot import Pilot

from budgettop.app import BudgetTop
from tui.hand import HandMade

PATIENCE_SECONDS = 10.0


class Seen:
    """What is on the screen, and what can be done to it."""

    def __init__(self, app: BudgetTop, pilot: Pilot[None], daemon: HandMade) -> None:
        self.app = app
        self.pilot = pilot
        self.daemon = daemon

    @property
    def lines(self) -> list[str]:
        return [strip.text for strip in self.app.screen._compositor.render_strips(self.app.size)]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, word: str) -> str:
        """The first line with this word."""
        return next(line for line in self.lines if word in line)

    async def press(self, *keys: str) -> None:
        """Press one key after the other, each when the one before it was dealt with."""
        for key in keys:
            self._send(key)
            await self.pilot._wait_for_screen()
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        for character in text:
            self._send(character)
        await self.pilot.pause()

    def _send(self, key: str) -> None:
        event = Key(key, key if len(key) == 1 else " " if key == "space" else None)
        event.set_sender(self.app)
        self.app._driver.send_message(event)

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something holds, or fail with what is seen instead."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not true():
                    await self.pilot.pause(0.01)
        except TimeoutError:
            raise AssertionError(f"Not seen on:\n{self.text}") from None
        await self.pilot.pause()

    async def shows(self, word: str) -> None:
        await self.until(lambda: word in self.text)

    async def hides(self, word: str) -> None:
        await self.until(lambda: word not in self.text)
