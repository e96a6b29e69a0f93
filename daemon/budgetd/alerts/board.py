"""The alerts that are shown: those that wait to be acknowledged, and the recent ones."""

import msgspec

from budgetd.ledger.queries import alerts_to_show
from budgetd.ledger.rows import AlertRow
from budgetd.ledger.writer import Ledger

SHOWN_SECONDS = 86400.0
"""How long an acknowledged alert is still shown."""


class Board:
    """Alerts by id, as they stand in the ledger."""

    def __init__(self, ledger: Ledger, now: float) -> None:
        """Take over what an earlier daemon left."""
        self._ledger = ledger
        self._alerts = {alert.id: alert for alert in reversed(alerts_to_show(ledger.db, now - SHOWN_SECONDS))}

    def newest_first(self, now: float) -> list[AlertRow]:
        """What is to be shown."""
        oldest = now - SHOWN_SECONDS
        for alert in list(self._alerts.values()):
            if alert.acknowledged_at is not None and alert.fired_at < oldest:
                del self._alerts[alert.id]
        return list(reversed(self._alerts.values()))

    def post(self, alerts: tuple[AlertRow, ...]) -> None:
        """Show alerts that are being written to the ledger."""
        for alert in alerts:
            self._alerts[alert.id] = alert

    def acknowledge(self, ids: list[int] | None, by: str, now: float) -> int:
        """Acknowledge these alerts, or all; how many were waiting. Raises LedgerError: nothing changed."""
        chosen = self._alerts.keys() if ids is None else [id for id in ids if id in self._alerts]
        waiting = [id for id in chosen if self._alerts[id].acknowledged_at is None]
        if not waiting:
            return 0
        marks = ", ".join("?" * len(waiting))
        self._ledger.write(
            f"update alerts set acknowledged_at = ?, acknowledged_by = ? where id in ({marks})",
            (now, by, *waiting),
        )
        for id in waiting:
            self._alerts[id] = msgspec.structs.replace(
                self._alerts[id], acknowledged_at=now, acknowledged_by=by
            )
        return len(waiting)
