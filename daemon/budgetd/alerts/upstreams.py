"""Upstreams that fail: one alert and two lines of the log for each, until it answers again."""

import logging
from collections.abc import Callable, Collection

import msgspec

from budgetd.alerts.finding import shown
from budgetd.alerts.register import Register
from budgetd.alerts.rules.running import failed_text, upstream_failing

FEW = 3
"""Requests in a row that an upstream fails to answer before that is news. One that cannot be reached is news
at once.
"""

CALM_SECONDS = 10.0
"""It answers again when it did, and has not failed for so long: what fails now and then is one alert."""

log = logging.getLogger(__name__)


class _Trouble(msgspec.Struct):
    """An upstream that has failed."""

    failed: int = 0
    """Requests, since the trouble began."""
    in_a_row: int = 0
    last_at: float = 0.0
    answered: bool = False
    """It has answered since it failed last."""
    told: bool = False
    """There is an alert."""


class Upstreams:
    """How the upstreams do that are asked for something."""

    def __init__(self, register: Register, clock: Callable[[], float]) -> None:
        """Go on with what an earlier daemon has found."""
        self._register = register
        self._clock = clock
        self._troubles: dict[str, _Trouble] = {
            alert.subject: _Trouble(failed=alert.count, last_at=alert.last_at, told=True)
            for alert in register.board.open_of("upstream")
        }

    def failed(self, name: str, what: str, *, reached: bool) -> None:
        """A request has failed. ``what`` the upstream does, like "answers 503"; ``reached``: a connection was
        made.
        """
        trouble = self._troubles.setdefault(name, _Trouble())
        trouble.failed += 1
        trouble.in_a_row += 1
        trouble.last_at = self._clock()
        trouble.answered = False
        if trouble.told or not reached or trouble.in_a_row >= FEW:
            finding = upstream_failing(name, what, trouble.failed)
            if not trouble.told:
                log.warning("%s", finding.message)
            for _ in range(1 if trouble.told else trouble.failed):  # its count has those before it was news
                self._register.fire(finding)
            trouble.told = True

    def answered(self, name: str) -> None:
        """A request was answered as it should be."""
        trouble = self._troubles.get(name)
        if trouble is not None:
            trouble.in_a_row = 0
            trouble.answered = True
            self._end_if_over(name, trouble)

    def tick(self) -> None:
        """End what is over."""
        for name, trouble in list(self._troubles.items()):
            if trouble.answered:
                self._end_if_over(name, trouble)

    def keep(self, names: Collection[str]) -> None:
        """There are these upstreams only."""
        for name in self._troubles.keys() - set(names):
            del self._troubles[name]
            self._end_alert(name, "there is no such upstream any more")

    def _end_if_over(self, name: str, trouble: _Trouble) -> None:
        if not trouble.told:
            del self._troubles[name]
        elif not 0 <= self._clock() - trouble.last_at < CALM_SECONDS:
            del self._troubles[name]
            log.info("%s answers again; %s", shown(name), failed_text(trouble.failed))
            self._end_alert(name, "it answers again")

    def _end_alert(self, name: str, why: str) -> None:
        for alert in self._register.board.open_of("upstream", name):
            self._register.end(alert, why)
