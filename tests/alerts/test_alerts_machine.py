"""Any course of events over the alerts, with kills in between."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerts.office import CENT, Office, daily
from budgetd.alerts import lifecycle
from budgetd.budget.limits import Limit, Subject
from budgetd.ledger import writer
from budgetd.ledger.rows import AlertRow

EACH = Limit("each", "day", 200 * CENT, (80,), on_exceed="hold", per="project")
ROLLING = Limit("rolling", "2h", 500 * CENT, (50,), on_exceed="alert")
PROJECTS = ("acme", "notes")


class AlertsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(writer, "SETTLE_SECONDS", 3600)  # only what the test commits is committed
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.office = self.run(
            lambda: Office(Path(self.folder.name), daily(1000), EACH, ROLLING, repeat_hours=2)
        )
        self.request = 0
        self.held: list[int] = []
        self.counts: dict[int, int] = {}

    def run(self, work):
        async def inside():
            return work()

        return self.loop.run_until_complete(inside())

    def teardown(self) -> None:
        self.run(self.office.kill)
        self.loop.close()
        self.patch.undo()
        self.folder.cleanup()

    # events

    @rule(cents=st.integers(1, 300), project=st.sampled_from(PROJECTS), times=st.integers(1, 5))
    def ask(self, cents: int, project: str, times: int) -> None:
        self.run(lambda: [self.office.ask(cents * CENT, Subject(project=project)) for _ in range(times)])

    @rule(project=st.sampled_from(PROJECTS))
    def hold(self, project: str) -> None:
        try:
            window = self.office.guard.find("each", project, self.office.now)
        except KeyError:
            return
        self.request += 1
        self.held.append(self.request)
        self.run(lambda: self.office.desk.held(self.request, window, CENT))

    @rule(data=st.data())
    def decide(self, data) -> None:
        if self.held:
            id = data.draw(st.sampled_from(self.held))
            self.held.remove(id)
            self.run(lambda: self.office.desk.decided(id, "allowed"))

    @rule(name=st.sampled_from(["a", "b"]), fails=st.booleans())
    def deliver(self, name: str, fails: bool) -> None:
        desk = self.office.desk
        self.run(lambda: desk.delivery_failed(name, "404") if fails else desk.delivery_works(name))

    @rule(cents=st.sampled_from([500, 1000, 2000]))
    def limit(self, cents: int) -> None:
        self.run(lambda: self.office.limit(daily(cents), EACH, ROLLING))

    @rule(data=st.data())
    def acknowledge(self, data) -> None:
        ids = [alert.id for alert in self.office.desk.board.kept()]
        if ids:
            self.run(lambda: self.office.acknowledge(data.draw(st.sampled_from(ids))))

    @rule(data=st.data(), seconds=st.sampled_from([60, 3600, 90000]))
    def snooze(self, data, seconds: int) -> None:
        ids = [alert.id for alert in self.office.desk.board.kept()]
        if ids:
            self.run(lambda: self.office.snooze(seconds, data.draw(st.sampled_from(ids))))

    @rule(seconds=st.sampled_from([0, 1, 59, 301, 3599, 3 * 3600, 86400]))
    def wait(self, seconds: int) -> None:
        self.run(lambda: self.office.pass_time(seconds))
        self.all_that_is_due_is_told()

    @rule(seconds=st.sampled_from([1, 59, 61, 3600, 90000]))
    def set_the_clock_back(self, seconds: int) -> None:
        self.office.now -= seconds

    @rule(quiet=st.sampled_from([None, "22:00-07:00", "00:00-00:00"]))
    def keep_quiet(self, quiet: str | None) -> None:
        self.run(lambda: self.office.set(quiet_hours=quiet))

    @rule()
    def commit(self) -> None:
        self.run(self.office.ledger.flush)
        self.the_ledger_says_what_the_board_says()

    @rule()
    def die(self) -> None:
        """What was not committed never was; limits are put in force again, which may find it again."""
        self.run(self.office.restart)
        self.held.clear()
        self.counts.clear()
        self.the_ledger_says_what_the_board_says()

    # what holds

    def the_ledger_says_what_the_board_says(self) -> None:
        rows = {row.id: row for row in self.run(self.office.rows)}
        assert {id for id, row in rows.items() if row.resolved_at is None} == {each.id for each in self.open}
        for alert in self.office.desk.board.kept():
            assert rows[alert.id] == alert

    @property
    def open(self) -> list[AlertRow]:
        return [alert for alert in self.office.desk.board.kept() if alert.resolved_at is None]

    @invariant()
    def one_alert_is_open_for_each_thing(self) -> None:
        things = [
            (*key(alert), alert.window_starts_at if alert.window_ends_at else None) for alert in self.open
        ]
        assert len(things) == len(set(things))

    @invariant()
    def no_two_are_of_the_same_thing_and_window(self) -> None:
        things = [(*key(alert), alert.window_starts_at) for alert in self.office.desk.board.kept()]
        assert len(things) == len(set(things))

    @invariant()
    def one_threshold_of_a_counter_is_open(self) -> None:
        counters = [
            (alert.limit, alert.subject, alert.window_starts_at if alert.window_ends_at else None)
            for alert in self.open
            if alert.rule in {"threshold", "cap"}
        ]
        assert len(counters) == len(set(counters))

    @invariant()
    def counts_never_fall(self) -> None:
        kept = self.office.desk.board.kept()
        assert all(alert.count >= self.counts.get(alert.id, 1) for alert in kept)
        self.counts |= {alert.id: alert.count for alert in kept}

    @invariant()
    def a_held_alert_is_open_while_anything_waits(self) -> None:
        assert len([alert for alert in self.open if alert.rule == "held"]) <= len(self.held)

    def all_that_is_due_is_told(self) -> None:
        """Whatever fired and was not acknowledged, snoozed or held back is in the outbox."""
        office = self.office
        self.run(office.ledger.flush)
        told = {row[0] for row in office.ledger.db.execute("select distinct alert_id from outbox")}
        for alert in self.run(office.rows):
            if alert.resolved_by == lifecycle.SUPERSEDED or alert.acknowledged_at or alert.snoozed_until:
                continue
            if alert.severity != "critical" and office.settings.quiet_hours:
                continue
            assert alert.id in told
            assert alert.told_at is not None


def key(alert: AlertRow) -> tuple[object, ...]:
    return alert.rule, alert.limit, alert.subject, alert.threshold_pct


TestAlerts = AlertsMachine.TestCase
TestAlerts.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
