"""What is shown and kept at hand, and what people do to it."""

import pytest

from alerts.office import CENT, DOLLAR, NOON, Office, daily
from budgetd.alerts import board
from budgetd.alerts.lifecycle import state_of
from budgetd.alerts.shown import to_wire
from budgetd.budget.decision import Crossing
from budgetd.errors import LedgerError
from budgetd.ledger import alerting
from budgetwire.messages import QueryAlerts


async def test_acknowledging_says_by_whom_and_from_where_and_survives_a_restart(office: Office) -> None:
    office.ask(500 * CENT)
    assert office.acknowledge() == 1
    assert office.acknowledge() == 0
    office.restart()
    alert = office.alert
    assert (alert.acknowledged_by, alert.acknowledged_from) == ("ada", "budgettop")
    assert to_wire(alert, NOON).state == "acknowledged"


async def test_only_what_is_named_is_acknowledged(office: Office) -> None:
    office.ask(500 * CENT)
    office.ask(20 * DOLLAR)
    assert office.acknowledge(1, 1, 99) == 1
    assert office.shown == [("refused", 0, "firing"), ("threshold", 50, "acknowledged")]


async def test_a_snooze_can_be_changed_and_survives_a_restart(office: Office) -> None:
    office.ask(500 * CENT)
    assert office.snooze(600) == 1
    assert office.snooze(7200) == 1
    office.restart()
    office.pass_time(3600)
    assert office.shown == [("threshold", 50, "snoozed")]
    assert office.acknowledge() == 1
    assert office.snooze(600) == 0


@pytest.mark.parametrize("act", ["acknowledge", "snooze"])
async def test_what_cannot_be_recorded_has_not_happened(office: Office, act: str) -> None:
    office.ask(500 * CENT)
    office.ledger.flush()
    office.ledger.db.execute("pragma query_only = on")
    with pytest.raises(LedgerError):
        office.acknowledge() if act == "acknowledge" else office.snooze(600)
    office.ledger.db.execute("pragma query_only = off")
    assert office.shown == [("threshold", 50, "firing")]
    assert office.acknowledge() == 1


async def test_what_was_acknowledged_is_shown_for_a_day_and_what_is_over_for_an_hour(office: Office) -> None:
    office.desk.config_rejected("a mistake")
    office.desk.delivery_failed("slack", "404")
    office.acknowledge(1)
    office.pass_time(86399)
    assert office.shown == [("delivery", 0, "firing"), ("config", 0, "acknowledged")]
    office.pass_time(1)
    assert office.shown == [("delivery", 0, "firing")]
    office.desk.delivery_works("slack")
    office.pass_time(3599)
    assert office.shown == [("delivery", 0, "resolved")]
    before = office.changes
    office.pass_time(1)
    assert office.shown == []
    assert office.changes > before


async def test_the_newest_is_shown_first_also_of_those_that_fired_anew(office: Office) -> None:
    office.ask(20 * DOLLAR)
    office.pass_time(60)
    office.desk.config_rejected("a mistake")
    office.limit(daily(1500))
    assert [rule for rule, _, _ in office.shown] == ["config", "refused"]
    office.now += 60
    office.ask(20 * DOLLAR)
    assert [rule for rule, _, _ in office.shown] == ["refused", "config"]


async def test_only_so_many_are_shown_and_kept(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "SHOWN", 20)
    monkeypatch.setattr(board, "KEPT", 30)
    for number in range(40):
        office.now += 1
        office.desk.delivery_failed(f"channel {number}", "404")
    office.acknowledge(39, 40)
    office.tick()
    kept = {alert.id for alert in office.desk.board.kept()}
    assert len(kept) == 30
    assert kept.isdisjoint({39, 40})
    assert len(office.shown) == 20
    assert len(office.rows()) == 40
    office.restart()
    assert len(office.desk.board.kept()) == 30


async def test_what_is_not_at_hand_any_more_is_found_in_the_ledger(office: Office) -> None:
    office.ask(800 * CENT)
    office.limit(daily(2000))
    office.pass_time(5 * 3600)
    assert office.desk.board.kept() == []
    office.limit(daily(1000))
    (window,) = office.guard.windows
    office.desk.crossed([Crossing(window, 80)])
    assert office.alert.count > 1
    assert len(office.rows()) == 2


async def test_all_on_record_can_be_asked_for_by_rule_limit_and_state(office: Office) -> None:
    office.ask(500 * CENT)
    office.ask(300 * CENT)
    office.ask(20 * DOLLAR)
    office.desk.config_rejected("a mistake")
    office.acknowledge(office.rows()[-1].id)
    office.snooze(600, office.rows()[-2].id)
    office.ledger.flush()

    def ask(**query: object) -> tuple[list[str], bool]:
        rows, more = alerting.query_alerts(office.ledger.db, QueryAlerts(id=1, **query), office.now)
        for row in rows:
            if "state" in query:
                assert state_of(row, office.now) == query["state"]
        return [f"{row.rule} {row.threshold_pct}" for row in rows], more

    everything = ["config 0", "refused 0", "threshold 80", "threshold 50"]
    assert ask() == (everything, False)
    assert ask(count=3) == (everything[:3], True)
    assert ask(before_id=office.rows()[-1].id) == (everything[1:], False)
    assert ask(rule="threshold") == (everything[2:], False)
    assert ask(limit="daily") == (everything[1:], False)
    assert [ask(state=state)[0] for state in ("acknowledged", "snoozed", "firing", "resolved")] == [
        [each] for each in everything
    ]
    office.now += 600
    assert ask(state="firing")[0] == ["refused 0", "threshold 80"]


async def test_a_client_sees_all_there_is_to_say(office: Office) -> None:
    office.desk.delivery_failed("slack", "404 Not Found")
    office.pass_time(5)
    office.desk.delivery_failed("slack", "404 Not Found")
    office.snooze(60)
    seen = to_wire(office.alert, office.now)
    assert (seen.rule, seen.subject, seen.severity, seen.count) == ("delivery", "slack", "warning", 2)
    assert (seen.fired_at, seen.last_at, seen.snoozed_until) == (NOON, NOON + 5, NOON + 65)
    assert (seen.state, to_wire(office.alert, NOON + 65).state) == ("snoozed", "firing")
    office.desk.delivery_works("slack")
    seen = to_wire(office.alert, office.now)
    assert (seen.state, seen.resolved_by, seen.resolved_at) == ("resolved", "it arrives again", NOON + 5)
