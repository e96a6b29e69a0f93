"""Where everything that may fire an alert, or end one, is reported.

Synchronous. What is reported is committed to the ledger together with what caused it.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from zoneinfo import ZoneInfo

from budgetd.alerts import ending, lifecycle
from budgetd.alerts.board import Board
from budgetd.alerts.finding import Finding
from budgetd.alerts.holding import Holding
from budgetd.alerts.needs import Counters, Teller
from budgetd.alerts.outlook import Outlook
from budgetd.alerts.register import Register
from budgetd.alerts.rules import clock as clock_rules
from budgetd.alerts.rules import limits as limit_rules
from budgetd.alerts.rules import running, spending
from budgetd.alerts.settings import AlertsSection
from budgetd.alerts.upstreams import Upstreams
from budgetd.budget.burn import Burn
from budgetd.budget.counters import Window
from budgetd.budget.decision import Crossing, Reason
from budgetd.budget.limits import Limit
from budgetd.budget.windows import window_bounds
from budgetd.budget_toml import Budget
from budgetd.ledger import alerting
from budgetd.ledger.rows import AlertRow, Closing, Opening
from budgetd.ledger.writer import Ledger
from budgetwire.messages import ReportDrift
from budgetwire.money import cents_to_nusd

log = logging.getLogger(__name__)

MOST_UNKNOWN = 20
"""Models without a price that have an alert each; a client can ask for any name."""

UTC_ZONE = ZoneInfo("UTC")


class Desk:
    """The alerts of one daemon."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Callable[[], float],
        changed: Callable[..., None],
        zone: ZoneInfo = UTC_ZONE,
    ) -> None:
        """
        Args:
            ledger: open.
            clock: UTC epoch seconds.
            changed: told which parts of the shown state have changed.
            zone: where quiet hours, days and times of the day are the person's.
        """
        self._ledger = ledger
        self._clock = clock
        self._zone = zone
        self._register = Register(ledger, clock, changed, zone)
        self._holding = Holding(self._register)
        self._outlook = Outlook(ledger, self._register, zone)
        self.upstreams = Upstreams(self._register, clock)
        self._caps: dict[int, int] = {}
        """What the cap was, in nanodollars, when the alerts about limits that are open happened last."""

    @property
    def board(self) -> Board:
        """The alerts at hand."""
        return self._register.board

    def configure(self, settings: AlertsSection) -> None:
        """Go by other settings. Raises ValueError if their quiet hours are none."""
        self._register.configure(settings)

    def tell(self, teller: Teller) -> None:
        """Give word of alerts to the channels from now on, of those that have not been told to begin with."""
        self._register.teller = teller
        self._register.go_on(self._clock())

    # limits

    def crossed(self, crossings: Iterable[Crossing]) -> None:
        """Counters have passed thresholds. The highest of a counter speaks for those below it."""
        for crossing in sorted(crossings, key=lambda each: -each.threshold_pct):
            finding = limit_rules.crossing(crossing)
            beside = [alert for alert in self.board.kept() if _is_beside(alert, finding)]
            if any(alert.threshold_pct > finding.threshold_pct for alert in beside):
                self._register.fire_superseded(finding)
            elif self._fire_of(finding, crossing.window) is not None:
                for alert in beside:
                    if alert.threshold_pct < finding.threshold_pct:
                        self._register.end(alert, lifecycle.SUPERSEDED, quietly=True)

    def fired_thresholds(self, limit: str, subject: str, since: float) -> set[int]:
        """Thresholds of a counter that have fired in windows since then, and need not fire again."""
        return alerting.fired_thresholds(self._ledger.db, limit, subject, since, lifecycle.CAUSE_GONE)

    def refused(self, window: Window, amount_nusd: int | None, reason: Reason) -> None:
        """A limit has refused a request that needs so much. What a person has paused is no news."""
        if reason != "paused":
            self._fire_of(limit_rules.refused(window, amount_nusd, reason), window)

    def held(self, request_id: int, window: Window, amount_nusd: int | None) -> None:
        """A request waits for a person."""
        self._holding.held(request_id, window, amount_nusd)

    def decided(self, request_id: int, how: str) -> None:
        """A request that was held waits no more: it was allowed, refused, nobody decided, its client left."""
        self._holding.decided(request_id, how)

    def downgraded(self, window: Window, model: str, fallback: str) -> None:
        """A cheaper model has taken the place of the one that was asked for."""
        self._fire_of(limit_rules.downgraded(window, model, fallback), window)

    # requests

    def settled(self, opening: Opening, closing: Closing) -> None:
        """A request has ended."""
        over_nusd = cents_to_nusd(self._register.rules.request_over_cents)
        if closing.cost_nusd <= over_nusd or opening.billing == "subscription":
            return
        day = window_bounds("day", self._clock(), self._zone)
        self._register.fire(
            spending.request_over(
                opening.id, opening.model, opening.project, closing.cost_nusd, over_nusd, day
            )
        )

    def unknown_model(self, provider: str, model: str, like: str = "") -> None:
        """No price is known of a model that was asked for; it counts as the one that it is like, if any. Many
        of them are one alert.
        """
        finding = running.unknown_model(provider, model, like)
        others = self.board.open_of("unknown_model")
        if len(others) >= MOST_UNKNOWN and all(other.subject != finding.subject for other in others):
            finding = running.many_unknown_models(provider, model)
        self._register.fire(finding)

    def overage(self, account: str) -> None:
        """An answer to a subscription was billed as its paid extra usage."""
        self._register.fire(running.overage(account))

    def prices_changed(self, is_known: Callable[[str, str], bool]) -> None:
        """Other prices are in force; ``is_known`` tells of a provider's model whether it has one."""
        for alert in self.board.open_of("unknown_model"):
            provider, _, model = alert.subject.partition("/")
            if not alert.subject or is_known(provider, model):
                self._register.end(alert, "its price is known")

    # the daemon

    def recovered(self, count: int, nusd: int) -> None:
        """So many requests were in flight when an earlier daemon died."""
        self._register.fire(running.recovered(count, nusd))

    def restarted(self, version: str) -> None:
        """The daemon has been started, not for the first time."""
        self._register.fire(running.restarted(version, self._clock()))

    def config_rejected(self, error: str) -> None:
        """A changed file is not in force."""
        self._register.fire(running.config_rejected(error))

    def config_accepted(self) -> None:
        """The files as they are now are in force."""
        self._end_all("config", "the file is in force")

    def limits_kept(self, why: str) -> None:
        """budget.toml has lost its limits, and those before stay in force."""
        self._register.fire(running.limits_kept(why))

    def limits_removed(self, before: Budget, after: Budget) -> None:
        """An edit of budget.toml by hand is being put in force. Limits that it took out are news."""
        left = {limit.name for limit in after.limits}
        removed = [limit for limit in before.limits if limit.name not in left]
        if removed and not after.enabled:
            self._register.fire(running.limits_disabled(removed))
            return
        for limit in removed:
            self._register.fire(running.limit_removed(limit))

    def prices_stale(self, days: int) -> None:
        """The prices in use are so many days old."""
        finding = running.prices_stale(days)
        known = self.board.open_of("prices_stale")
        for alert in known:
            self._register.restate(alert, finding)
        if not known:
            self._register.fire(finding)

    def prices_fresh(self) -> None:
        """They are new again."""
        self._end_all("prices_stale", "the prices are new")

    def drift(self, found: ReportDrift) -> None:
        """An invoice says something else than the ledger."""
        self._register.fire(running.drift(found))

    def ledger_fails(self, findings: Iterable[Finding]) -> None:
        """All that is wrong with the ledger now; what is not among it is over."""
        failing = {finding.subject: finding for finding in findings}
        for alert in self.board.open_of("ledger"):
            finding = failing.pop(alert.subject, None)
            if finding is None:
                self._register.end(alert, "it is over")
            else:
                self._register.restate(alert, finding)
        for finding in failing.values():
            self._register.fire(finding)

    def records_lost(self, finding: Finding) -> None:
        """Records are not in the ledger that should be."""
        self._register.fire(finding)

    def clock_was_ahead(self, requests: int, last: float) -> None:
        """So many requests were dated up to ``last``, which is yet to come, and are dated anew. What was
        written down of alerts has changed with them.
        """
        self._register.reload()
        if requests:
            finding = clock_rules.redated(requests, last, self._zone)
            log.warning("%s", finding.message)
            self._register.fire(finding)

    def clock_is_behind(self, newest: float | None) -> None:
        """The clock must be wrong, so far ahead is the newest request on record dated; None: it is right."""
        known = self.board.open_of("clock", clock_rules.BEHIND)
        if newest is not None and not known:
            finding = clock_rules.behind(newest, self._zone)
            log.error("%s", finding.message)
            self._register.fire(finding)
        elif newest is None:
            for alert in known:
                self._register.end(alert, "the clock is right")

    def delivery_failed(self, channel: str, error: str) -> None:
        """A channel does not take what is sent to it."""
        self._register.fire(running.delivery_failing(channel, error))

    def delivery_works(self, channel: str) -> None:
        """It takes it again."""
        for alert in self.board.open_of("delivery", channel):
            self._register.end(alert, "it arrives again")

    # as time goes by

    def review(self, limits: Sequence[Limit], counters: Counters) -> None:
        """End what is over: to be called when limits have changed or something was granted, and by `tick`."""
        now = self._clock()
        by_name = {limit.name: limit for limit in limits}
        for alert in self.board.kept():
            if alert.resolved_at is not None:
                continue
            if not self._register.is_on(alert.rule):
                self._register.end(alert, "the rule was switched off", quietly=True)
                continue
            if alert.rule == "delivery" and not self._register.sends_to(alert.subject):
                self._register.end(alert, "nothing is sent there any more")
                continue
            if alert.rule == "limit_removed" and (alert.subject in by_name or (limits and not alert.subject)):
                self._register.end(alert, "in force again")
                continue
            window = _find(counters, alert.limit, alert.subject, now) if alert.limit else None
            if window is not None:
                self._caps.setdefault(alert.id, window.cap_nusd)
            why = ending.why_over(alert, now, by_name, window, self._caps.get(alert.id))
            if why is not None:
                self._register.end(alert, why, quietly=ending.is_of_old(alert, why, by_name))
        self._caps = {id: cap for id, cap in self._caps.items() if self._is_open(id)}

    def tick(self, limits: Sequence[Limit], counters: Counters, burn: Burn) -> None:
        """End what is over, look ahead, and give the word that is due. To be called about once a second."""
        now = self._clock()
        self.review(limits, counters)
        self.upstreams.tick()
        if self._register.is_on("forecast") or self._register.is_on("unusual_burn"):
            self._outlook.look(counters.windows, burn, now)
        self._register.go_on(now)

    def _fire_of(self, finding: Finding, window: Window) -> AlertRow | None:
        alert = self._register.fire(finding)
        if alert is not None:
            self._caps[alert.id] = window.cap_nusd
        return alert

    def _is_open(self, id: int) -> bool:
        alert = self.board.get(id)
        return alert is not None and alert.resolved_at is None

    def _end_all(self, rule: str, why: str) -> None:
        for alert in self.board.open_of(rule):
            self._register.end(alert, why)


def _is_beside(alert: AlertRow, finding: Finding) -> bool:
    """Whether an open alert is about another threshold of the same counter in the same window."""
    return (
        alert.rule in {"threshold", "cap"}
        and alert.resolved_at is None
        and (alert.limit, alert.subject) == (finding.limit, finding.subject)
        and (alert.window_starts_at == finding.window_starts_at or finding.window_ends_at is None)
    )


def _find(counters: Counters, limit: str, subject: str, now: float) -> Window | None:
    try:
        return counters.find(limit, subject, now)
    except KeyError:
        return None
