"""Lines of the log about requests that did not simply pass: refused, held, killed, failed. So many at once,
and a count of the others, so that a storm of them does not push everything else out of the log.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable

from budgetd.alerts.finding import shown
from budgetd.budget.limits import Subject

MOST_LINES = 30
"""In each span of"""

SPAN_SECONDS = 10.0

MOST_REASON = 300
"""Characters."""

log = logging.getLogger(__name__)


class RequestLog:
    """The lines of one daemon."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds, of which only differences count."""
        self._clock = clock
        self._began_at = clock()
        self._lines = 0
        self._left_out: Counter[str] = Counter()

    def note(self, id: int, subject: Subject, what: str, why: str = "", level: int = logging.INFO) -> None:
        """Say what became of a request.

        Args:
            id: of the request.
            subject: who asked for what.
            what: a word or two, like "refused".
            why: in short; nothing that a client wrote but names.
            level: `logging.INFO` for what was decided here, `logging.WARNING` for what went wrong.
        """
        self.tick()
        self._lines += 1
        if self._lines > MOST_LINES:
            self._left_out[what] += 1
            return
        reason = f": {shown(why, MOST_REASON)}" if why else ""
        log.log(level, "request %d (%s) %s%s", id, _named(subject), what, reason)

    def tick(self) -> None:
        """Say how many were left out, where the span is over. To be called now and then."""
        if self._clock() - self._began_at >= SPAN_SECONDS:
            self.flush()
            self._began_at = self._clock()

    def flush(self) -> None:
        """Say so at once."""
        if self._left_out:
            counts = ", ".join(f"{count:,} {what}" for what, count in self._left_out.items())
            total = self._left_out.total()
            log.info("and %s more request%s: %s", f"{total:,}", "" if total == 1 else "s", counts)
        self._lines = 0
        self._left_out.clear()


def _named(subject: Subject) -> str:
    whose = [f"{name} {shown(value)}" for name, value in _whose(subject) if value]
    return ", ".join([f"{shown(subject.model) or 'no model'} at {shown(subject.upstream)}", *whose])


def _whose(subject: Subject) -> tuple[tuple[str, str], ...]:
    return ("project", subject.project), ("user", subject.user)
