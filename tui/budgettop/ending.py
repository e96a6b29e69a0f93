"""Ends the dashboard on a signal, with the terminal restored, and at once when the terminal is gone."""

import asyncio
import os
import select
import signal
import sys
from threading import Thread, Timer
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.app import App

EXIT_SECONDS = 5
"""How long the app may take to restore the terminal after a signal, before the process exits anyway."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(app: "App[None]") -> int:
    """Run the app until it exits or something ends it; return the exit code."""

    async def show() -> int:
        return await Ending().show(app)

    return asyncio.run(show())


class Ending:
    """Resolves `code` with the exit code once a signal, or a caller, ends the program.

    A terminal that is gone ends the process at once with 128 + SIGHUP: nothing is left to restore, and
    Textual would block on writing to it and read its end over and over.
    """

    def __init__(self) -> None:
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._showing = False
        for number in _SIGNALS:
            # asyncio's own handlers run on the loop, which stands still while the terminal takes no output.
            signal.signal(number, self._on_signal)
        if sys.stdin.isatty():
            Thread(target=_exit_on_hangup, args=(sys.stdin.fileno(),), daemon=True).start()

    def end(self, code: int) -> None:
        """Resolve `code`, unless something else was first."""
        if not self.code.done():
            self.code.set_result(code)

    async def show(self, app: "App[None]") -> int:
        """Run the app until it exits or `code` resolves; return the exit code."""
        self._showing = True
        running = asyncio.create_task(app.run_async())
        await asyncio.wait({running, self.code}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            app.exit()
        await running
        self._showing = False
        return self.code.result() if self.code.done() else app.return_code or 0

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        code = 128 + number
        self.code.get_loop().call_soon_threadsafe(self.end, code)
        deadline = Timer(EXIT_SECONDS, self._give_up, (code,))
        deadline.daemon = True
        deadline.start()

    def _give_up(self, code: int) -> None:
        if self._showing:
            os._exit(code)


def _exit_on_hangup(terminal: int) -> None:
    """Wait until the terminal is gone, then exit."""
    poll = select.poll()
    poll.register(terminal, 0)  # no event asked for: only a hangup or an error is reported
    ((_, event),) = poll.poll()
    if event & (select.POLLHUP | select.POLLERR):
        os._exit(128 + signal.SIGHUP)
