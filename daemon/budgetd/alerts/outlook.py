"""Looks ahead and back every few minutes: caps that will be reached, hours that are unusual."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from budgetd.alerts.finding import Finding
from budgetd.alerts.lifecycle import CAUSE_GONE
from budgetd.alerts.register import Register
from budgetd.alerts.rules import spending
from budgetd.budget.burn import Burn
from budgetd.budget.counters import Window
from budgetd.ledger.alerting import hour_nusd, same_hours
from budgetd.ledger.rows import AlertRow
from budgetd.ledger.writer import Ledger

FORECAST_SECONDS = 60.0
"""How often caps are foretold,"""

UNUSUAL_SECONDS = 300.0
"""and an hour is compared with others."""

COMPARED_DAYS = 14

CALM_PCT = 90
"""A forecast is over once it has stayed below this per cent of the cap"""

CALM_SECONDS = 900.0
"""for so long."""


class Outlook:
    """What is foretold, and what was before."""

    def __init__(self, ledger: Ledger, register: Register, zone: ZoneInfo) -> None:
        """``zone``: where hours and days are the person's."""
        self._ledger = ledger
        self._register = register
        self._zone = zone
        self._foretold_at = self._compared_at = float("-inf")
        self._calm: dict[int, float] = {}
        """Forecasts that may be over, and since when."""

    def look(self, windows: Sequence[Window], burn: Burn, now: float) -> None:
        """See whether it is time to look, and do."""
        if not 0 <= now - self._foretold_at < FORECAST_SECONDS:
            self._foretold_at = now
            self._foretell(windows, burn, now)
        if not 0 <= now - self._compared_at < UNUSUAL_SECONDS:
            self._compared_at = now
            self._compare(now)

    def _foretell(self, windows: Sequence[Window], burn: Burn, now: float) -> None:
        known = {
            (alert.limit, alert.subject, alert.window_starts_at): alert
            for alert in self._register.board.open_of("forecast")
        }
        self._calm = {id: at for id, at in self._calm.items() if id in {each.id for each in known.values()}}
        for window in windows:
            alert = known.get((window.limit.name, window.subject, window.starts_at))
            finding = self._forecast(window, burn, now)
            if alert is not None:
                self._follow(alert, finding, window, burn, now)
            elif finding is not None and self._is_news(finding, now):
                self._register.fire(finding)

    def _forecast(self, window: Window, burn: Burn, now: float) -> Finding | None:
        if burn.since is None or now - burn.since < spending.LEAST_SECONDS or not spending.ripe(window, now):
            return None
        between = burn.cap_between(window, now)
        return None if between is None else spending.forecast(window, between, now, self._zone)

    def _is_news(self, finding: Finding, now: float) -> bool:
        """Once in a window, unless its cap has been raised since."""
        before = self._register.board.find(finding, now)
        return before is None or before.resolved_by in CAUSE_GONE

    def _follow(
        self, alert: AlertRow, finding: Finding | None, window: Window, burn: Burn, now: float
    ) -> None:
        """What becomes of a forecast that has been told."""
        if window.spent_nusd >= window.cap_nusd:
            self._register.end(alert, "the cap is reached", quietly=True)
            return
        if finding is not None:
            self._register.restate(alert, finding)
        foretold = burn.forecast(window, now) or 0
        if foretold * 100 >= CALM_PCT * window.cap_nusd:
            self._calm.pop(alert.id, None)
        elif now - self._calm.setdefault(alert.id, now) >= CALM_SECONDS:
            self._register.end(alert, "it goes slower now")

    def _compare(self, now: float) -> None:
        if not self._register.is_on("unusual_burn"):
            return
        hour = int(now // 3600)
        nusd = hour_nusd(self._ledger.db, hour)
        if nusd < spending.LEAST_UNUSUAL_NUSD:
            return
        finding = spending.unusual_burn(hour, nusd, same_hours(self._ledger.db, self._hours_before(now)))
        if finding is None:
            return
        before = self._register.board.find(finding, now)
        if before is None:
            self._register.fire(finding)
        elif before.resolved_at is None:
            self._register.restate(before, finding)

    def _hours_before(self, now: float) -> list[int]:
        """The hours since the epoch at the same time of the days before, by the clock on the wall."""
        local = datetime.fromtimestamp(now, UTC).astimezone(self._zone)
        days = [local - timedelta(days=count) for count in range(1, COMPARED_DAYS + 1)]
        return [int(day.timestamp() // 3600) for day in days]
