"""What fires, what it does over time, and what of it goes out: on a real ledger with real counters."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from alerts.office import CENT, DOLLAR, NOON, Office, daily
from budgetd.alerts.register import Register
from budgetd.alerts.settings import RulesSection
from budgetd.budget.decision import Crossing
from budgetd.budget.limits import Limit, Subject
from budgetd.ledger import alerting
from budgetd.ledger.rows import AlertRow
from budgetwire.messages import ReportDrift
from ledger.rows import closing, on_disk, opening

MIDNIGHT = NOON + 12 * 3600
PROJECT = Limit("opus", "day", DOLLAR, (80,), on_exceed="hold", per="project")


def test_this_is_noon() -> None:
    assert datetime.fromisoformat("2026-11-23T12:00Z").timestamp() == NOON


# thresholds


async def test_a_threshold_fires_once_however_often_it_is_passed(office: Office) -> None:
    office.ask(500 * CENT)
    office.ask(1)
    assert office.shown == [("threshold", 50, "firing")]
    assert office.told == ["fired 50"]
    assert office.alert.message == "daily passed 50 %: $5.00 of $10.00 spent"


async def test_the_highest_threshold_speaks_for_those_below_it(office: Office) -> None:
    office.ask(500 * CENT)
    office.ask(300 * CENT)
    assert office.shown == [("threshold", 80, "firing")]
    office.ask(200 * CENT)
    assert office.shown == [("cap", 100, "firing")]
    assert office.told == ["fired 50", "fired 80", "fired 100"]
    assert office.desk.fired_thresholds("daily", "", 0) == {50, 80, 95, 100}


async def test_a_higher_threshold_fires_though_the_lower_one_is_acknowledged(office: Office) -> None:
    office.ask(500 * CENT)
    office.acknowledge()
    office.ask(300 * CENT)
    assert office.shown == [("threshold", 80, "firing")]


async def test_a_lower_threshold_that_is_added_later_says_nothing(office: Office) -> None:
    office.ask(800 * CENT)
    office.limit(daily(1000, 30, 80))
    assert office.shown == [("threshold", 80, "firing")]
    assert office.told == ["fired 80"]


async def test_each_counter_has_alerts_of_its_own(tmp_path: Path) -> None:
    office = Office(tmp_path, PROJECT)
    office.ask(80 * CENT, Subject(project="acme"))
    office.ask(80 * CENT, Subject(project="notes"))
    assert [alert.subject for alert in office.desk.board.newest_first(NOON)] == ["notes", "acme"]
    await office.close()


async def test_a_window_that_ends_ends_its_alerts(office: Office) -> None:
    office.ask(1000 * CENT)
    office.pass_time(MIDNIGHT - NOON - 1)
    assert office.shown == [("cap", 100, "firing")]
    office.pass_time(1)
    assert office.shown == [("cap", 100, "resolved")]
    assert office.alert.resolved_by == "window over"
    assert office.told == ["fired 100", "resolved 100"]
    office.ask(500 * CENT)
    assert office.shown == [("threshold", 50, "firing"), ("cap", 100, "resolved")]
    office.pass_time(3601)
    assert office.shown == [("threshold", 50, "firing")]


async def test_the_new_window_does_not_wait_for_the_old_one_to_be_put_away(office: Office) -> None:
    office.ask(500 * CENT)
    office.now = MIDNIGHT
    office.guard.roll(office.now)
    office.ask(500 * CENT)
    assert len(office.rows()) == 2
    office.tick()
    assert office.shown == [("threshold", 50, "firing"), ("threshold", 50, "resolved")]


async def test_a_raised_limit_ends_what_is_not_true_any_more(office: Office) -> None:
    office.ask(800 * CENT)
    office.limit(daily(2000))
    assert office.shown == [("threshold", 80, "resolved")]
    assert office.alert.resolved_by == "limit raised"
    assert office.told == ["fired 80", "resolved 80"]


async def test_a_grant_ends_it_too(office: Office) -> None:
    office.ask(1000 * CENT)
    office.grant(5 * DOLLAR)
    assert office.shown == [("cap", 100, "resolved")]


async def test_passing_a_threshold_of_the_raised_limit_is_news(office: Office) -> None:
    office.ask(800 * CENT)
    office.limit(daily(2000))
    (window,) = office.guard.windows
    window.spend(800 * CENT, NOON)
    office.desk.crossed([Crossing(window, 80)])
    assert office.shown == [("threshold", 80, "firing")]
    assert office.alert.count == 2
    assert office.told == ["fired 80", "resolved 80", "fired 80"]
    assert len(office.rows()) == 2


async def test_after_a_raise_the_ledger_does_not_hold_a_threshold_back(office: Office) -> None:
    office.ask(800 * CENT)
    office.limit(daily(2000))
    office.ledger.flush()
    office.restart()
    assert office.desk.fired_thresholds("daily", "", 0) == {50}
    office.ask(800 * CENT)
    assert office.shown == [("threshold", 80, "firing")]


async def test_a_removed_limit_ends_its_alerts(office: Office) -> None:
    office.ask(500 * CENT)
    office.limit()
    assert office.alert.resolved_by == "limit removed"


async def test_a_limit_that_counts_another_window_now_ends_those_of_before(office: Office) -> None:
    office.ask(500 * CENT)
    office.limit(Limit("daily", "month", 10 * DOLLAR))
    assert office.rows()[0].resolved_by == "limit changed"


async def test_a_rolling_window_lets_go_of_its_alert_when_spending_sinks(tmp_path: Path) -> None:
    office = Office(tmp_path, Limit("rolling", "5h", 10 * DOLLAR, (80,)))
    office.ask(800 * CENT)
    office.pass_time(4 * 3600)
    assert office.shown == [("threshold", 80, "firing")]
    office.pass_time(3700)
    assert office.shown == [("threshold", 80, "resolved")]
    assert office.alert.resolved_by == "below again"
    office.pass_time(3700)
    office.ask(800 * CENT)
    assert office.told == ["fired 80", "resolved 80", "fired 80"]
    await office.close()


async def test_a_rolling_window_that_stays_high_keeps_its_one_alert(tmp_path: Path) -> None:
    office = Office(tmp_path, Limit("rolling", "1h", 10 * DOLLAR, (50,), on_exceed="alert"))
    for _ in range(10):
        office.ask(300 * CENT)
        office.pass_time(1800)
    assert office.alert.count > 1
    assert len(office.rows()) == 1
    await office.close()


# refusals


async def test_a_storm_of_refusals_is_one_alert_told_once_and_then_at_intervals(office: Office) -> None:
    for _ in range(1000):
        assert not office.ask(20 * DOLLAR)
        office.now += 0.06
        office.tick()
    assert (office.alert.rule, office.alert.count) == ("refused", 1000)
    assert office.told == ["fired refused"]
    office.pass_time(239)
    assert office.told == ["fired refused"]
    office.pass_time(2)
    assert office.told == ["fired refused", "updated refused"]
    assert "×1000" in office.bodies[-1]
    office.pass_time(3600)
    assert len(office.told) == 2


async def test_refusals_that_go_on_are_told_once_in_each_interval(office: Office) -> None:
    for _ in range(60):
        office.ask(20 * DOLLAR)
        office.pass_time(60)
    assert office.told == ["fired refused", *["updated refused"] * 12]


async def test_what_a_person_paused_is_refused_without_an_alert(office: Office) -> None:
    office.guard.pause("daily")
    assert not office.ask(1)
    assert office.shown == []


async def test_refusals_are_over_when_the_limit_is_raised_and_news_when_they_come_again(
    office: Office,
) -> None:
    office.ask(20 * DOLLAR)
    office.limit(daily(1500))
    assert office.shown == [("refused", 0, "resolved")]
    office.ask(20 * DOLLAR)
    assert office.told == ["fired refused", "resolved refused", "fired refused"]
    assert office.alert.count == 2


async def test_in_a_rolling_window_refusals_are_over_after_an_hour_without(tmp_path: Path) -> None:
    office = Office(tmp_path, Limit("rolling", "5h", DOLLAR))
    office.ask(DOLLAR + 1)
    office.pass_time(3599)
    assert office.shown == [("refused", 0, "firing")]
    office.pass_time(1)
    assert office.shown == [("refused", 0, "resolved")]
    await office.close()


async def test_a_refusal_tells_what_was_needed_and_a_strict_one_what_is_missing(tmp_path: Path) -> None:
    office = Office(tmp_path, Limit("strict", "day", DOLLAR, guarantee="strict", headroom_nusd=CENT))
    office.ask(2 * DOLLAR)
    assert office.alert.message == "strict refuses requests: $0.00 of $1.00 spent, up to $2.00 needed"
    (window,) = office.guard.windows
    office.desk.refused(window, None, "unbounded")
    assert office.alert.message == "strict refuses requests whose cost has no bound: it is strict"
    assert "max_tokens" in office.alert.advice
    await office.close()


# held, downgraded


@pytest.fixture
async def holding(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path, PROJECT)
    office.ask(90 * CENT, Subject(project="acme"))
    office.ledger.flush()
    yield office
    await office.close()


async def test_a_held_request_is_told_at_once_and_over_when_it_is_decided(holding: Office) -> None:
    window = holding.guard.find("opus", "acme", NOON)
    holding.desk.held(7, window, 20 * CENT)
    (alert, _) = holding.desk.board.newest_first(NOON)
    assert alert.message == "opus / acme holds a request: $0.90 of $1.00 spent, about $0.20 needed"
    assert alert.request_id == 7
    assert "`budgetd approve 7`" in alert.advice
    holding.desk.decided(7, "allowed")
    assert holding.told == ["fired 80", "fired held", "resolved held"]
    assert holding.rows()[-1].resolved_by == "allowed"


async def test_several_that_are_held_are_one_alert_until_none_waits(holding: Office) -> None:
    window = holding.guard.find("opus", "acme", NOON)
    for id in (7, 8, 9):
        holding.desk.held(id, window, 20 * CENT)
    holding.desk.decided(7, "refused")
    (alert, _) = holding.desk.board.newest_first(NOON)
    assert (alert.count, alert.request_id) == (3, 8)
    assert "holds 2 requests" in alert.message
    holding.desk.decided(9, "its client left")
    holding.desk.decided(8, "nobody decided")
    assert holding.rows()[-1].resolved_by == "nobody decided"
    holding.desk.held(10, window, 20 * CENT)
    assert holding.told == ["fired 80", "fired held", "resolved held", "fired held"]


async def test_what_is_held_over_midnight_still_waits(holding: Office) -> None:
    holding.desk.held(7, holding.guard.find("opus", "acme", NOON), 20 * CENT)
    holding.pass_time(86400)
    assert ("held", 0, "firing") in holding.shown
    holding.desk.decided(7, "allowed")
    assert ("held", 0, "firing") not in holding.shown


async def test_what_was_held_when_the_daemon_died_is_held_no_more(holding: Office) -> None:
    holding.desk.held(7, holding.guard.find("opus", "acme", NOON), 20 * CENT)
    holding.ledger.flush()
    holding.restart()
    assert holding.rows()[-1].resolved_by == "budgetd was started anew"


async def test_a_decision_about_what_is_not_held_changes_nothing(office: Office) -> None:
    office.desk.decided(7, "allowed")
    assert office.shown == []


async def test_a_downgrade_is_told_once_in_a_window(office: Office) -> None:
    (window,) = office.guard.windows
    for _ in range(100):
        office.desk.downgraded(window, "claude-opus-4-8", "claude-haiku-4-5")
        office.pass_time(60)
    assert office.alert.count == 100
    assert office.told == ["fired downgraded"]
    assert "requests go to claude-haiku-4-5" in office.alert.message


# requests


async def test_dear_requests_are_one_alert_for_each_model_and_day(office: Office) -> None:
    for id, cost in enumerate((5 * DOLLAR, 501 * CENT, 7 * DOLLAR), 1):
        office.desk.settled(opening(id, model="claude-opus-4-8", project="acme"), closing(cost))
    assert (office.alert.rule, office.alert.count) == ("request_over", 2)
    assert office.alert.message == "request 3 to claude-opus-4-8 for acme cost $7.00, more than $5.00"
    office.desk.settled(opening(4, model="gpt-5.4"), closing(6 * DOLLAR))
    assert len(office.shown) == 2
    office.pass_time(86400)
    assert {state for _, _, state in office.shown} == {"resolved"}


async def test_a_subscription_has_no_dear_requests(office: Office) -> None:
    office.desk.settled(opening(1, billing="subscription"), closing(50 * DOLLAR))
    assert office.shown == []


async def test_an_unknown_model_is_told_once_until_it_is_known(office: Office) -> None:
    for _ in range(3):
        office.desk.unknown_model("anthropic", "claude-next")
        office.pass_time(900)
    assert (office.alert.subject, office.alert.count) == ("anthropic/claude-next", 3)
    office.desk.prices_changed(lambda provider, model: (provider, model) == ("anthropic", "claude-other"))
    assert office.shown == [("unknown_model", 0, "firing")]
    office.desk.prices_changed(lambda provider, model: (provider, model) == ("anthropic", "claude-next"))
    assert office.shown == [("unknown_model", 0, "resolved")]
    assert office.told == ["fired unknown_model", "resolved unknown_model"]


async def test_a_client_cannot_flood_the_board_with_names_of_models(office: Office) -> None:
    for number in range(500):
        office.desk.unknown_model("openai", f"gpt-\n{number}" + "x" * 500)
    assert len(office.shown) == 21
    assert all("\n" not in alert.message and len(alert.message) < 250 for alert in office.rows())


# the daemon


async def test_a_rejected_file_is_critical_until_one_is_accepted(office: Office) -> None:
    office.desk.config_rejected("budget.toml, line 3: unknown key")
    office.desk.config_rejected("budget.toml, line 4: unknown key")
    assert (office.alert.severity, office.alert.count) == ("critical", 2)
    assert "line 4" in office.alert.message
    office.desk.config_accepted()
    office.desk.config_accepted()
    assert office.told == ["fired config", "resolved config"]


async def test_prices_that_get_older_stay_one_alert_that_says_how_old(office: Office) -> None:
    for days in (31, 32, 33):
        office.desk.prices_stale(days)
        office.pass_time(86400)
    assert (office.alert.count, office.told) == (1, ["fired prices_stale"])
    assert "33 days old" in office.alert.message
    office.desk.prices_fresh()
    assert office.alert.resolved_by == "the prices are new"


async def test_drift_tells_the_difference_and_its_likely_cause(office: Office) -> None:
    office.desk.drift(
        ReportDrift(
            id=1, provider="anthropic", since="2026-11-20", until="2026-11-22", ledger_nusd=10 * DOLLAR,
            invoice_nusd=12 * DOLLAR, cause="requests that did not pass through budgetd",
        )
    )  # fmt: skip
    assert office.alert.message == (
        "anthropic invoiced $2.00 more than the ledger says for 2026-11-20 to 2026-11-22:"
        " $12.00 against $10.00; requests that did not pass through budgetd"
    )
    office.acknowledge()
    office.pass_time(86400)
    assert office.rows()[-1].resolved_by == "acknowledged"


async def test_a_failing_channel_is_one_alert_until_it_works(office: Office) -> None:
    for _ in range(20):
        office.desk.delivery_failed("slack", "404 Not Found")
        office.pass_time(400)
    office.desk.delivery_works("mail")
    assert office.shown == [("delivery", 0, "firing")]
    office.desk.delivery_works("slack")
    assert office.told == ["fired delivery", "resolved delivery"]


async def test_that_a_channel_fails_is_over_once_nothing_is_sent_there(office: Office) -> None:
    office.desk.delivery_failed("slack", "404 Not Found")
    office.tick()
    assert office.shown == [("delivery", 0, "firing")]
    office.written.off.add("slack")
    office.tick()
    assert office.shown == [("delivery", 0, "resolved")]
    assert office.told == ["fired delivery", "resolved delivery"]


async def test_what_little_was_recovered_is_only_for_the_record(office: Office) -> None:
    office.desk.recovered(2, 30 * CENT)
    assert office.alert.severity == "info"


async def test_every_crash_has_an_alert_of_its_own_that_says_what_was_counted(office: Office) -> None:
    for count in (1, 2):
        office.now += 1
        office.desk.recovered(count, 2 * DOLLAR)
    assert [(alert.severity, alert.message.split(" in")[0]) for alert in office.rows()] == [
        ("warning", "1 request was"),
        ("warning", "2 requests were"),
    ]


async def test_a_restart_is_told_only_to_who_asks_for_it_and_over_a_day_later(office: Office) -> None:
    office.desk.restarted("1.0")
    assert office.shown == []
    office.set(rules=RulesSection(restarted=True))
    office.desk.restarted("1.0")
    office.pass_time(86400)
    assert office.shown == [("restarted", 0, "resolved")]


# switched off


@pytest.mark.parametrize("rule", ["threshold", "cap", "refused"])
async def test_a_rule_that_is_switched_off_does_not_fire_and_the_others_do(tmp_path: Path, rule: str) -> None:
    office = Office(tmp_path, rules=RulesSection(**{rule: False}))
    office.ask(800 * CENT)
    office.ask(200 * CENT)
    office.ask(CENT)
    assert {alert.rule for alert in office.rows()} == {"threshold", "cap", "refused"} - {rule}
    await office.close()


async def test_switching_a_rule_off_ends_its_alerts_without_a_word(office: Office) -> None:
    office.ask(800 * CENT)
    office.set(rules=RulesSection(threshold=False))
    office.tick()
    assert office.shown == [("threshold", 80, "resolved")]
    assert office.told == ["fired 80"]


# acknowledge, snooze, repeat, quiet hours


async def test_an_acknowledged_alert_is_not_told_again_but_that_it_is_over(tmp_path: Path) -> None:
    office = Office(tmp_path, repeat_hours=1)
    office.ask(20 * DOLLAR)
    office.pass_time(3600)
    assert office.acknowledge() == 1
    for _ in range(10):
        office.ask(20 * DOLLAR)
        office.pass_time(3600)
    assert office.alert.count == 11
    office.pass_time(3600)
    assert office.told == ["fired refused", "repeated refused", "resolved refused"]
    await office.close()


async def test_a_snooze_that_ends_fires_again_if_it_is_still_true(office: Office) -> None:
    office.ask(500 * CENT)
    assert office.snooze(3600) == 1
    office.pass_time(3599)
    assert office.shown == [("threshold", 50, "snoozed")]
    office.pass_time(1)
    assert office.shown == [("threshold", 50, "firing")]
    assert office.told == ["fired 50", "fired 50"]


async def test_a_snooze_that_ends_after_its_window_fires_nothing(office: Office) -> None:
    office.ask(500 * CENT)
    office.snooze(86400)
    office.pass_time(MIDNIGHT - NOON)
    office.pass_time(86400)
    assert office.told == ["fired 50", "resolved 50"]


async def test_quiet_hours_keep_word_back_but_not_what_is_critical(tmp_path: Path) -> None:
    office = Office(tmp_path, quiet_hours="22:00-07:00", zone="America/New_York")
    office.now = datetime.fromisoformat("2026-11-24T04:00Z").timestamp()  # 23:00 there
    office.tick()
    office.ask(800 * CENT)
    for _ in range(100):
        office.ask(20 * DOLLAR)
    assert office.told == []
    office.ask(200 * CENT)
    assert office.told == ["fired 100"]
    office.now = datetime.fromisoformat("2026-11-24T11:59:59Z").timestamp()
    office.tick()
    assert office.told == ["fired 100", "resolved 100"]
    office.pass_time(1)
    assert office.told == ["fired 100", "resolved 100", "fired refused"]
    assert office.bodies[-1].endswith("×100 resolved")
    office.pass_time(86400)
    assert len(office.told) == 3
    await office.close()


async def test_word_that_waits_for_the_morning_survives_a_restart(tmp_path: Path) -> None:
    office = Office(tmp_path, quiet_hours="11:00-13:00")
    office.ask(500 * CENT)
    office.ledger.flush()
    office.restart()
    office.tick()
    assert office.told == []
    office.pass_time(3600)
    assert office.told == ["fired 50"]
    await office.close()


# the clock


async def test_a_clock_that_is_set_back_fires_nothing_twice(office: Office) -> None:
    office.ask(500 * CENT)
    office.pass_time(13 * 3600)
    office.ask(500 * CENT)
    told = office.told
    assert told == ["fired 50", "resolved 50", "fired 50"]
    office.pass_time(-86400)
    office.pass_time(60)
    office.ask(CENT)
    assert office.told == told
    assert office.shown[0] == ("threshold", 50, "firing")
    assert len(office.rows()) == 2


async def test_a_clock_that_is_set_forward_ends_snoozes_and_windows(office: Office) -> None:
    office.ask(500 * CENT)
    office.snooze(600)
    office.pass_time(30 * 86400)
    assert office.told == ["fired 50", "resolved 50"]


# restarts


async def test_what_was_not_told_before_the_daemon_died_is_told_at_the_next_start(office: Office) -> None:
    office.telling = False
    office.restart()
    office.ask(500 * CENT)
    office.ledger.flush()
    office.telling = True
    office.restart()
    assert office.told == ["fired 50"]
    office.restart()
    assert office.told == ["fired 50"]


async def test_an_alert_and_its_word_are_one_transaction_with_their_cause(office: Office) -> None:
    request = opening(1)
    await office.ledger.reserve(request)
    office.ledger.settle(request, closing(500 * CENT))
    office.ask(500 * CENT)
    assert on_disk(office.path, "select count(*) from alerts") == [(0,)]
    office.ledger.flush()
    both = "select (select count(*) from alerts where told_at is not null), (select count(*) from outbox)"
    assert on_disk(office.path, both) == [(1, 1)]
    assert on_disk(office.path, "select outcome from requests") == [("ok",)]


async def test_what_a_kill_left_uncommitted_fires_when_it_is_found_again(office: Office) -> None:
    office.ask(500 * CENT)
    office.restart()
    assert office.shown == [("threshold", 50, "firing")]
    assert office.told == ["fired 50"]


async def test_the_daemon_was_off_over_midnight(office: Office) -> None:
    office.ask(800 * CENT)
    office.ledger.flush()
    office.now += 3 * 86400
    office.restart()
    office.tick()
    assert office.told == ["fired 80", "resolved 80"]


async def test_alerts_of_a_version_without_ends_are_over_without_a_word(office: Office) -> None:
    for id, threshold in enumerate((80, 100), 1):
        old = AlertRow(
            id=id, rule="threshold", severity="warning", limit="daily", window_starts_at=NOON - 4.5 * 86400,
            threshold_pct=threshold, message="", fired_at=NOON - 4 * 86400, last_at=NOON - 4 * 86400,
            told_at=NOON - 4 * 86400,
        )  # fmt: skip
        office.ledger.add(alerting.SAVE_ALERT, msgspec.structs.astuple(old))
    office.ledger.flush()
    office.restart()
    office.tick()
    assert [alert.resolved_by for alert in office.rows()] == ["window over", "window over"]
    assert office.told == []


async def test_an_old_alert_at_the_cap_counts_as_fired_in_its_window(office: Office) -> None:
    old = AlertRow(
        id=1, rule="threshold", severity="critical", limit="daily", window_starts_at=NOON - 12 * 3600,
        threshold_pct=100, message="", fired_at=NOON - 60, last_at=NOON - 60, told_at=NOON - 60,
    )  # fmt: skip
    office.ledger.add(alerting.SAVE_ALERT, msgspec.structs.astuple(old))
    assert office.desk.fired_thresholds("daily", "", NOON - 12 * 3600) == set()
    office.ledger.flush()
    assert office.desk.fired_thresholds("daily", "", NOON - 12 * 3600) == {100}


async def test_without_channels_to_tell_nothing_counts_as_told(office: Office) -> None:
    register = Register(office.ledger, lambda: office.now, lambda *_: None, office.zone)
    assert register.teller is None
    office.telling = False
    office.restart()
    office.ask(500 * CENT)
    assert office.alert.told_at is None
