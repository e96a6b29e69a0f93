"""Errors in callbacks of the event loop, and in tasks that nobody awaits: logged, once a minute at most.

asyncio's own report prints arguments, results and exceptions as they are: they may hold a prompt or a key.
This one says what failed, the kind of error, and where in the code.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

REPEAT_SECONDS = 60.0
"""How long the same line is not logged again."""

HEARD_ELSEWHERE = frozenset({"dbus_fast"})
"""Packages that leave the errors of a connection that is gone behind. Who uses them hears of it otherwise."""

log = logging.getLogger("asyncio")


class DropRepeats(logging.Filter):
    """Lets a line by once in `REPEAT_SECONDS`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged."""
        now = self._clock()
        line = record.getMessage()
        if now - self._logged_at.get(line, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._logged_at = {each: at for each, at in self._logged_at.items() if now - at < REPEAT_SECONDS}
        self._logged_at[line] = now
        return True


def report_loop_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log what goes wrong in a loop."""
    loop.set_exception_handler(_log_error)
    if not any(isinstance(each, DropRepeats) for each in log.filters):
        log.addFilter(DropRepeats())


def _log_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    del loop
    error: BaseException | None = context.get("exception")
    if error is not None and _package(error) in HEARD_ELSEWHERE:
        return
    what: str = context["message"].partition("\n")[0]
    if what.startswith("Exception in callback"):  # its arguments follow
        what = "Exception in callback"
    coroutine = getattr(context.get("task") or context.get("future"), "get_coro", lambda: None)()
    if coroutine is not None:
        what += f" ({coroutine.__qualname__})"
    log.error("%s%s", what, "" if error is None else f": {_describe(error)}")


def _package(error: BaseException) -> str:
    """The top-level package in whose code an error arose; empty if that is not known."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1].f_globals.get("__name__", "").partition(".")[0] if frames else ""


def _describe(error: BaseException) -> str:
    """Kind and place of an error, without its text unless that is the operating system's."""
    reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    places = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__}{reason}" + (
        f"\nTraceback (most recent call last):\n{places}" if places else ""
    )
