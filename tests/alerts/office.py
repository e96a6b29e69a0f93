"""A desk on a real ledger, with real counters, a clock that the test sets, and an outbox that is not sent."""

from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from budgetd.alerts import lifecycle
from budgetd.alerts.desk import Desk
from budgetd.alerts.lifecycle import Word
from budgetd.alerts.settings import AlertsSection
from budgetd.budget.burn import Burn
from budgetd.budget.decision import Demand, Refused
from budgetd.budget.guard import Guard
from budgetd.budget.limits import Limit, Subject
from budgetd.ledger import alerting
from budgetd.ledger.rows import AlertRow, DeliveryRow
from budgetd.ledger.schema import INSERT_DELIVERY
from budgetd.ledger.writer import Ledger

NOON = 1_795_435_200.0
"""Mon 23 Nov 2026, 12:00 UTC."""

CENT = 10_000_000
DOLLAR = 100 * CENT
NOBODY = Subject()
DAILY = Limit("daily", "day", 10 * DOLLAR, (50, 80, 95))


class Written:
    """Word of alerts, as rows of the outbox."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.off: set[str] = set()
        """Channels to which nothing is sent."""

    def put(self, alert: AlertRow, event: Word, now: float) -> None:
        assert alert.acknowledged_at is None or event == "resolved"
        id = self._ledger.next_delivery_id()
        row = DeliveryRow(
            id=id, alert_id=alert.id, channel="hook", event=event, message_id=str(id),
            body=f"{alert.message} ×{alert.count} {lifecycle.state_of(alert, now)}",
            created_at=now, due_at=now,
        )  # fmt: skip
        self._ledger.add(INSERT_DELIVERY, msgspec.structs.astuple(row))

    def sends_to(self, channel: str) -> bool:
        return channel not in self.off


class Office:
    """It can be killed and opened again. Every request costs what it was expected to."""

    def __init__(self, folder: Path, *limits: Limit, zone: str = "UTC", **settings: object) -> None:
        self.path = folder / "ledger.db"
        self.zone = ZoneInfo(zone)
        self.now = NOON
        self.limits = list(limits or (DAILY,))
        self.settings = AlertsSection(**settings)
        self.spent: list[tuple[float, Subject, int]] = []
        self.changes = 0
        self.telling = True
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self.path)
        self.desk = Desk(self.ledger, lambda: self.now, self._changed, self.zone)
        self.desk.configure(self.settings)
        self.guard = Guard(self.zone)
        self.burn = Burn([(at, nusd) for at, _, nusd in self.spent if at > self.now - 3600])
        self.limit(*self.limits)
        self.written = Written(self.ledger)
        if self.telling:
            self.desk.tell(self.written)

    def kill(self) -> None:
        """Leave what is committed, as the death of the process would."""
        if self.ledger._timer is not None:
            self.ledger._timer.cancel()
        self.ledger.db.close()

    def restart(self) -> None:
        self.kill()
        self.open()

    async def close(self) -> None:
        await self.ledger.close()

    def _changed(self, *parts: str) -> None:
        self.changes += 1

    # what happens

    def set(self, **settings: object) -> None:
        self.settings = msgspec.structs.replace(self.settings, **settings)
        self.desk.configure(self.settings)

    def limit(self, *limits: Limit) -> None:
        """Put other limits in force."""
        self.ledger.flush()
        self.limits = list(limits)
        history = [] if self.guard.windows else self.spent
        self.guard.configure(self.limits, self.now, history, self.desk.fired_thresholds)
        self.desk.crossed(self.guard.crossed())
        self.desk.review(self.limits, self.guard)

    def grant(self, nusd: int, limit: str = "daily", subject: str = "") -> None:
        self.guard.grant(limit, subject, nusd, self.now)
        self.desk.review(self.limits, self.guard)

    def ask(self, nusd: int, subject: Subject = NOBODY) -> bool:
        """Spend it, or be refused."""
        decision = self.guard.admit(Demand(subject, nusd, nusd), self.now)
        if isinstance(decision, Refused):
            self.desk.refused(decision.window, decision.amount_nusd, decision.reason)
            return False
        self.desk.crossed(self.guard.settle(decision, nusd))
        self.spent.append((decision.admitted_at, subject, nusd))
        self.burn.add(self.now, nusd)
        return True

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.tick()

    def tick(self) -> None:
        self.guard.roll(self.now)
        self.desk.tick(self.limits, self.guard, self.burn)

    # what is seen

    @property
    def shown(self) -> list[tuple[str, int, str]]:
        """Rule, threshold and state of what is shown, newest first."""
        return [
            (alert.rule, alert.threshold_pct, lifecycle.state_of(alert, self.now))
            for alert in self.desk.board.newest_first(self.now)
        ]

    @property
    def alert(self) -> AlertRow:
        """The one that is shown."""
        (alert,) = self.desk.board.newest_first(self.now)
        return alert

    def acknowledge(self, *ids: int) -> int:
        return self.desk.board.acknowledge(list(ids) or None, "ada", self.now, "budgettop")

    def snooze(self, seconds: float, *ids: int) -> int:
        return self.desk.board.snooze(list(ids) or None, self.now + seconds, self.now)

    @property
    def told(self) -> list[str]:
        """The word that went out, oldest first: the event and the threshold or else the rule."""
        self.ledger.flush()
        rows = self.ledger.db.execute(
            "select event, rule, threshold_pct, severity from outbox join alerts on alerts.id = alert_id"
            " order by outbox.id"
        )
        return [f"{event} {pct or rule}" for event, rule, pct, _ in rows]

    @property
    def bodies(self) -> list[str]:
        self.ledger.flush()
        return [row[0] for row in self.ledger.db.execute("select body from outbox order by id")]

    def rows(self) -> list[AlertRow]:
        """All alerts of the ledger, oldest first."""
        self.ledger.flush()
        return alerting.alerts_to_keep(self.ledger.db, float("-inf"), 10_000)


def daily(cents: int, *thresholds: int, **more: object) -> Limit:
    return Limit("daily", "day", cents * CENT, thresholds or (50, 80, 95), **more)
