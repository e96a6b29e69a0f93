"""The alerts that are kept at hand: what goes on, what is yet to be told, and what was over a while ago."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec

from budgetd.alerts import lifecycle
from budgetd.alerts.finding import Finding
from budgetd.alerts.lifecycle import SUPERSEDED, Pace, state_of
from budgetd.ledger import alerting
from budgetd.ledger.rows import AlertRow
from budgetd.ledger.writer import Ledger

ACKNOWLEDGED_SECONDS = 86400.0
"""How long an alert is still shown after it was acknowledged,"""

RESOLVED_SECONDS = 3600.0
"""and after it was over."""

KEPT_SECONDS = 86400.0
"""How far back a new daemon looks for alerts that were over and not told."""

SHOWN = 200
"""At most so many are shown,"""

KEPT = 1000
"""and at most about so many are kept at hand; the ledger has them all."""

_Exact = tuple[str, str, str, int, float]
_Endless = tuple[str, str, str, int]


class Board:
    """Alerts by id, as they stand in the ledger."""

    def __init__(self, ledger: Ledger, now: float) -> None:
        """Take over what an earlier daemon left."""
        self._ledger = ledger
        self._alerts: dict[int, AlertRow] = {}
        self._exact: dict[_Exact, int] = {}
        self._endless: dict[_Endless, int] = {}
        """The newest of those that no window ends."""
        self.post(alerting.alerts_to_keep(ledger.db, now - KEPT_SECONDS, KEPT))

    # what there is

    def newest_first(self, now: float) -> list[AlertRow]:
        """What is to be shown."""
        shown = [alert for alert in self._alerts.values() if _is_shown(alert, now)]
        return sorted(shown, key=lambda alert: (-alert.fired_at, -alert.id))[:SHOWN]

    def kept(self) -> Sequence[AlertRow]:
        """All that are at hand, in no order."""
        return list(self._alerts.values())

    def get(self, id: int) -> AlertRow | None:
        """One of them."""
        return self._alerts.get(id)

    def find(self, finding: Finding, now: float) -> AlertRow | None:
        """The alert that there is already about the same thing; it may be over."""
        if finding.window_ends_at is None and not finding.alone:
            found = self._alerts.get(self._endless.get(_endless(finding), 0))
            if found is not None and found.resolved_at is None:
                return found
        starts_at = now if finding.window_starts_at is None else finding.window_starts_at
        id = self._exact.get((*_endless(finding), starts_at))
        if id is not None:
            return self._alerts[id]
        found = finding.rule, finding.limit, finding.subject
        try:
            return alerting.find_alert(self._ledger.db, *found, starts_at, finding.threshold_pct)
        except sqlite3.Error:  # a ledger that cannot be read must not silence the alerts about that
            return None

    def open_of(self, rule: str, subject: str | None = None) -> list[AlertRow]:
        """Those of a rule, and of a subject, that are not over."""
        return [
            alert
            for alert in self._alerts.values()
            if alert.rule == rule and alert.resolved_at is None and subject in {None, alert.subject}
        ]

    # what becomes of it

    def post(self, alerts: Iterable[AlertRow]) -> None:
        """Keep alerts, new or changed, that are being written to the ledger."""
        for alert in alerts:
            self._alerts[alert.id] = alert
            self._exact[(*_endless(alert), alert.window_starts_at)] = alert.id
            if alert.window_ends_at is None:
                self._endless[_endless(alert)] = alert.id

    def acknowledge(self, ids: list[int] | None, by: str, now: float, program: str = "") -> int:
        """Acknowledge these alerts, or all; how many were waiting. Raises LedgerError: nothing changed."""
        return self._change(ids, now, lambda alert: lifecycle.acknowledge(alert, by, program, now))

    def snooze(self, ids: list[int] | None, until: float, now: float) -> int:
        """Say nothing of these alerts, or of all that wait, until then; how many. Raises LedgerError: nothing
        changed.
        """
        return self._change(ids, now, lambda alert: lifecycle.snooze(alert, until))

    def sweep(self, now: float) -> bool:
        """Put away what is over and told, and the oldest of too many; whether there was any."""
        before = len(self._alerts)
        for alert in self.kept():
            if _is_past(alert, now):
                self._drop(alert)
        if len(self._alerts) > KEPT:
            first = sorted(self.kept(), key=lambda alert: (_waits(alert, now), alert.id))
            for alert in first[: len(first) - KEPT]:
                self._drop(alert)
        return len(self._alerts) < before

    def _change(self, ids: list[int] | None, now: float, change: Callable[[AlertRow], AlertRow]) -> int:
        chosen = self.kept() if ids is None else [self._alerts[id] for id in set(ids) & self._alerts.keys()]
        changed = [change(alert) for alert in chosen if _waits(alert, now)]
        if changed:
            self._ledger.write_all((alerting.SAVE_ALERT, msgspec.structs.astuple(alert)) for alert in changed)
            self.post(changed)
        return len(changed)

    def _drop(self, alert: AlertRow) -> None:
        del self._alerts[alert.id]
        self._exact.pop((*_endless(alert), alert.window_starts_at), None)
        if self._endless.get(_endless(alert)) == alert.id:
            del self._endless[_endless(alert)]


def _endless(of: Finding | AlertRow) -> _Endless:
    return of.rule, of.limit, of.subject, of.threshold_pct


def _waits(alert: AlertRow, now: float) -> bool:
    """Whether it waits for a person."""
    return state_of(alert, now) in {"firing", "snoozed"}


def _is_past(alert: AlertRow, now: float) -> bool:
    if alert.resolved_at is None or now - alert.resolved_at < RESOLVED_SECONDS:
        return False
    return lifecycle.word(alert, now, Pace()) is None


def _is_shown(alert: AlertRow, now: float) -> bool:
    if alert.resolved_at is not None:
        return alert.resolved_by != SUPERSEDED and now - alert.resolved_at < RESOLVED_SECONDS
    return alert.acknowledged_at is None or now - alert.acknowledged_at < ACKNOWLEDGED_SECONDS
