"""Where everything that may fire an alert is reported: it fires, is shown, and is told to the channels.

Synchronous. What is noted here is committed to the ledger together with what caused it.
"""

from collections.abc import Callable, Iterable

import msgspec

from budgetd.alerts.board import Board
from budgetd.alerts.rules import config_alert, recovered_alert, threshold_alert
from budgetd.budget.decision import Crossing
from budgetd.ledger import queries
from budgetd.ledger.rows import AlertRow
from budgetd.ledger.schema import INSERT_ALERT
from budgetd.ledger.writer import Ledger


class Desk:
    """The alerts of one daemon."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float], changed: Callable[..., None]) -> None:
        """
        Args:
            ledger: open.
            clock: UTC epoch seconds.
            changed: told which parts of the shown state have changed.
        """
        self._ledger = ledger
        self._clock = clock
        self._changed = changed
        self.board = Board(ledger, clock())

    def crossed(self, crossings: Iterable[Crossing]) -> None:
        """Counters have passed thresholds."""
        for crossing in crossings:
            self._fire(threshold_alert(crossing, self._ledger.next_alert_id(), self._clock()))

    def fired_thresholds(self, limit: str, subject: str, since: float) -> set[int]:
        """Thresholds of a counter that have fired in windows that started then or later."""
        return queries.fired_thresholds(self._ledger.db, limit, subject, since)

    def recovered(self, count: int, cost_nusd: int) -> None:
        """So many requests were in flight when an earlier daemon died."""
        self._fire(recovered_alert(count, cost_nusd, self._ledger.next_alert_id(), self._clock()))

    def config_rejected(self, error: str) -> None:
        """A changed file is not in force."""
        self._fire(config_alert(error, self._ledger.next_alert_id(), self._clock()))

    def _fire(self, alert: AlertRow) -> None:
        self.board.post((alert,))
        self._ledger.add(INSERT_ALERT, msgspec.structs.astuple(alert))
        self._changed("alerts")
