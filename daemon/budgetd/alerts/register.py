"""Where alerts are entered: one for each thing that is found, kept in the ledger, told to the channels.

Synchronous. What is entered is committed together with whatever caused it, and so is the word of it.
"""

from collections.abc import Callable
from zoneinfo import ZoneInfo

import msgspec

from budgetd.alerts import lifecycle
from budgetd.alerts.board import Board
from budgetd.alerts.finding import Finding
from budgetd.alerts.lifecycle import Pace
from budgetd.alerts.needs import Teller
from budgetd.alerts.quiet import QuietHours, parse_quiet_hours
from budgetd.alerts.settings import AlertsSection, RulesSection
from budgetd.ledger.alerting import SAVE_ALERT
from budgetd.ledger.rows import AlertRow
from budgetd.ledger.writer import Ledger


class Register:
    """The alerts of one daemon, by the settings in force."""

    def __init__(
        self, ledger: Ledger, clock: Callable[[], float], changed: Callable[..., None], zone: ZoneInfo
    ) -> None:
        """See `Desk`."""
        self._ledger = ledger
        self._clock = clock
        self._changed = changed
        self._zone = zone
        self.board = Board(ledger, clock())
        self.teller: Teller | None = None
        """Until there is one nothing counts as told."""
        self.rules = RulesSection()
        self._pace = Pace()
        self._quiet: QuietHours | None = None

    def reload(self) -> None:
        """Take the alerts as the ledger has them now."""
        self.board = Board(self._ledger, self._clock())
        self._changed("alerts")

    def configure(self, settings: AlertsSection) -> None:
        """Go by other settings. Raises ValueError if they name no hours of a day."""
        self._quiet = parse_quiet_hours(settings.quiet_hours) if settings.quiet_hours else None
        self._pace = Pace(group=settings.group_seconds, repeat=settings.repeat_hours * 3600.0)
        self.rules = settings.rules

    def is_on(self, rule: str) -> bool:
        """Whether a rule fires."""
        return bool(self.rules.request_over_cents if rule == "request_over" else getattr(self.rules, rule))

    def sends_to(self, channel: str) -> bool:
        """Whether anything is sent to a channel, as far as is known."""
        return self.teller is None or self.teller.sends_to(channel)

    def fire(self, finding: Finding) -> AlertRow | None:
        """Enter what was found, as a new alert or once more; None if its rule is switched off."""
        alert = self._enter(finding)
        return None if alert is None else self._keep(alert)

    def fire_superseded(self, finding: Finding) -> None:
        """Enter what was found for the record: the alert of a higher threshold stands in its place."""
        alert = self._enter(finding)
        if alert is not None:
            self.end(alert, lifecycle.SUPERSEDED, quietly=True)

    def restate(self, alert: AlertRow, finding: Finding) -> None:
        """Say what an alert is about as it is now, if that has changed."""
        restated = lifecycle.restated(alert, finding)
        if restated != alert:
            self._keep(restated)

    def end(self, alert: AlertRow, why: str, *, quietly: bool = False) -> None:
        """It is over."""
        if alert.resolved_at is None:
            self._keep(lifecycle.resolve(alert, why, self._clock(), quietly=quietly))

    def go_on(self, now: float) -> None:
        """End the snoozes that are over, give the word that is due, and put away what is past."""
        for alert in self.board.kept():
            awake = lifecycle.wake(alert, now)
            if awake is not alert or self._due(alert, now):
                self._keep(awake)
        if self.board.sweep(now):
            self._changed("alerts")

    def _enter(self, finding: Finding) -> AlertRow | None:
        if not self.is_on(finding.rule):
            return None
        now = self._clock()
        known = self.board.find(finding, now)
        if known is not None:
            return lifecycle.again(known, finding, now)
        return lifecycle.fire(finding, self._ledger.next_alert_id(), now)

    def _keep(self, alert: AlertRow) -> AlertRow:
        """Write an alert down as it stands now, with the word that is due."""
        now = self._clock()
        word = self._due(alert, now)
        if word is not None and self.teller is not None:
            alert = lifecycle.told(alert, now)
            self.teller.put(alert, word, now)
        self._ledger.add(SAVE_ALERT, msgspec.structs.astuple(alert))
        self.board.post((alert,))
        self._changed("alerts")
        return alert

    def _due(self, alert: AlertRow, now: float) -> lifecycle.Word | None:
        """What may be said of it now."""
        if self.teller is None:
            return None
        word = lifecycle.word(alert, now, self._pace)
        if word is None or alert.severity == "critical" or self._quiet is None:
            return word
        return None if self._quiet.hold(now, self._zone) else word
