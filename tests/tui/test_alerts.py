"""Alerts: in the panel, on their own screen, in a toast; answered with one key."""

import msgspec
import pytest

from budgetd.control.server import CommandError
from budgettop import text
from budgettop.alerting import tomorrow
from budgettop.app import BudgetTop
from budgetwire.messages import (
    Acknowledge,
    Approve,
    Channel,
    Grant,
    QueryAlerts,
    QueryChannels,
    QueryDeliveries,
    Redeliver,
    Refuse,
    SendTest,
    Snooze,
)
from budgetwire.messages import (
    TestOutcome as Outcome,
)
from tui import states
from tui.test_sizes import SIZES, outside


def with_alerts(*alerts):
    return msgspec.structs.replace(states.busy(), alerts=list(alerts))


async def test_the_panel_shows_how_often_and_until_when(dashboard):
    async with dashboard(states.alerted()) as seen:
        assert "Alerts 3 new" in seen.text
        assert "×500 15:04" in seen.text
        assert "till 16:04" in seen.line(" z monthly")
        assert " ✓ " in seen.line("研究チーム")


async def test_s_snoozes_the_alert_for_an_hour(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("s")
        await seen.shows("Alerts 1 new")
        (call,) = seen.daemon.of(Snooze)
        assert (call.alert_ids, call.until) == ([2], states.NOW + 3600)
        await seen.shows("Snoozed until Mon 23 Nov 16:04")
        assert " z " in seen.text


async def test_capital_s_snoozes_it_until_tomorrow_morning(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("S")
        await seen.until(lambda: seen.daemon.of(Snooze))
        assert seen.daemon.of(Snooze)[0].until == states.MIDNIGHT + (24 + 9) * 3600


def test_tomorrow_is_by_the_wall_clock_when_clocks_change():
    before_summer = 1_774_700_000.0  # Sat 28 Mar 2026 12:13:20 UTC
    paris = text.zone("Europe/Paris")
    assert text.date_and_time(tomorrow(before_summer, paris), paris) == "Sun 29 Mar 09:00"


async def test_all_on_record_is_listed_with_the_selected_one_in_full(dashboard):
    async with dashboard(states.alerted()) as seen:
        seen.daemon.alerts_on_record = [states.alert(3, "an old one", state="resolved")]
        seen.daemon.deliveries = states.deliveries(58)
        await seen.press("5")
        await seen.shows("an old one")
        await seen.press("down", "down")
        await seen.shows("Alert 58")
        assert "×500" in seen.line("› ▲")
        await seen.shows("500 times, last Mon 23 Nov 15:04:10")
        await seen.press("tab", "end")
        await seen.shows("given up after 7 attempts")
        assert "due 15:09, after 3 attempts" in seen.text


async def test_who_acknowledged_from_where_is_told(dashboard):
    async with dashboard(states.alerted()) as seen:
        await seen.press("5", "end", "up")
        await seen.shows("by ada with desktop")


async def test_why_an_alert_is_over_is_told(dashboard):
    async with dashboard(states.alerted()) as seen:
        await seen.press("5", "end")
        await seen.shows("the limit was raised")


async def test_older_alerts_are_fetched_and_kept(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.alerts_on_record = [
            states.alert(id, f"number {id}", state="resolved") for id in range(1000, 1450)
        ]
        await seen.press("5")
        await seen.shows("o older")
        await seen.press("o")
        await seen.until(lambda: 1250 in [call.before_id for call in seen.daemon.of(QueryAlerts)])
        await seen.shows("newest 403")
        await seen.press("o")
        await seen.shows("newest 453")
        assert "older" not in seen.lines[-1]


async def test_a_and_s_answer_the_selected_alert_alone(dashboard):
    async with dashboard(states.alerted()) as seen:
        await seen.press("5", "down", "a")
        await seen.until(lambda: "✓ ada" in seen.line("daily cap reached"))
        assert [call.alert_ids for call in seen.daemon.of(Acknowledge)] == [[59]]
        assert "a ack" not in seen.text
        await seen.press("a", "s")
        await seen.press("down", "s")
        await seen.until(lambda: "till 16:04" in seen.line("daily refuses"))
        assert [call.alert_ids for call in seen.daemon.of(Snooze)] == [[58]]
        assert len(seen.daemon.of(Acknowledge)) == 1


async def test_what_is_answered_elsewhere_shows_at_once(dashboard):
    async with dashboard(states.alerted()) as seen:
        await seen.press("5")
        await seen.shows("Alert 60")
        seen.daemon._answer([59], state="acknowledged", acknowledged_at=states.NOW, acknowledged_by="grace")
        await seen.until(lambda: "✓ grace" in seen.line("daily cap reached"))


async def test_one_that_leaves_the_state_is_looked_up_on_record(dashboard, monkeypatch):
    async with dashboard(states.alerted()) as seen:
        await seen.press("5")
        await seen.shows("Alert 60")
        over = states.alert(59, "daily cap reached", state="resolved", resolved_at=states.NOW)
        seen.daemon.alerts_on_record = [over]
        monkeypatch.setattr(text, "wall_clock", lambda: states.NOW + 2)
        seen.daemon.show(alerts=[alert for alert in seen.daemon.state.alerts if alert.id != 59])
        await seen.until(lambda: "✓ over" in seen.line("daily cap reached"))


@pytest.mark.parametrize(("key", "kind"), [("enter", Approve), ("f", Grant), ("x", Refuse)])
async def test_a_held_request_is_decided_from_its_alert(dashboard, key, kind):
    async with dashboard(states.alerted()) as seen:
        await seen.press("5")
        await seen.shows("allow once ⏎   +$5 f   refuse x")
        await seen.press(key)
        await seen.until(lambda: seen.daemon.of(kind))
        (call,) = seen.daemon.of(kind)
        if kind is Grant:
            assert (call.limit, call.subject) == ("opus", "acme-api")
        else:
            assert call.request_id == 7
        await seen.hides("allow once ⏎")


async def test_another_alert_decides_upon_nothing(dashboard):
    async with dashboard(states.alerted()) as seen:
        await seen.press("5", "down", "enter", "f", "x")
        assert not [*seen.daemon.of(Approve), *seen.daemon.of(Grant), *seen.daemon.of(Refuse)]


async def test_the_channels_are_shown_with_how_they_do(dashboard):
    async with dashboard(states.alerted()) as seen:
        seen.daemon.channels = states.channels()
        await seen.press("5")
        await seen.shows("Channels 4 · ▲ 2 failing")
        await seen.shows("○ log")
        await seen.shows("the channel is switched off")
        assert "answered 503" in seen.text
        assert "delivered 15:02" in seen.text
        assert "disabled 13:04" in seen.text
        assert "3 given up, R sends again" in seen.text


async def test_a_channel_that_is_there_by_default_says_so_and_is_not_ill(dashboard):
    async with dashboard(states.empty()) as seen:
        why = "no notification service is on the session bus"
        seen.daemon.channels = [
            Channel("desktop", "desktop", "this desktop", "warning", disabled_reason=why, by_default=True)
        ]
        await seen.press("5")
        await seen.shows("there by default; [alerts]")
        assert "no notification service" in seen.text
        assert "failing" not in seen.text


async def test_capital_t_tests_all_channels_or_the_selected_one(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.channels = states.channels()
        seen.daemon.tests = [
            Outcome("ops", False, "No answer within 15 s."),
            Outcome("desktop", True, "shown"),
        ]
        await seen.press("5")
        await seen.shows("T test")
        await seen.press("T")
        await seen.shows("✗ ops: No answer within 15 s.")
        await seen.shows("✓ desktop: shown")
        await seen.press("tab", "tab", "down", "T")
        await seen.until(lambda: len(seen.daemon.of(SendTest)) == 2)
        assert [call.channel for call in seen.daemon.of(SendTest)] == [None, "desktop"]


async def test_capital_r_sends_again_what_was_given_up_on(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.channels = states.channels()
        await seen.press("5")
        await seen.shows("R send again")
        await seen.press("R")
        await seen.shows("3 messages will be sent again.")
        await seen.hides("R send again")
        assert len(seen.daemon.of(Redeliver)) == 1


async def test_a_test_that_cannot_be_made_is_told(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.channels = states.channels()
        await seen.press("5")
        await seen.shows("T test")
        seen.daemon.refusal = CommandError("failed", "The disk is full.")
        await seen.press("T")
        await seen.shows("The disk is full.")
        await seen.hides("testing…")


async def test_without_alerts_and_channels_it_is_said_what_to_do(dashboard):
    async with dashboard(with_alerts()) as seen:
        await seen.press("5")
        await seen.shows("Nothing fired.")
        await seen.shows("[[alerts.channels]]")
        await seen.press("a", "s", "A", "T", "R", "o", "enter")
        assert not [*seen.daemon.of(Acknowledge), *seen.daemon.of(SendTest), *seen.daemon.of(Redeliver)]


async def test_that_nothing_fired_is_said_in_full_where_there_is_little_room(dashboard):
    async with dashboard(with_alerts(), size=(60, 20)) as seen:
        await seen.press("5")
        await seen.shows("here.")


async def test_an_older_daemon_is_told_of_and_its_alerts_are_shown(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.unknown = (QueryAlerts, QueryDeliveries, QueryChannels)
        await seen.press("5")
        await seen.shows("This budgetd is older")
        assert "▲" in seen.line("daily passed 50 %")


async def test_without_a_link_the_screen_stays_and_no_key_acts(dashboard):
    async with dashboard(states.alerted()) as seen:
        seen.daemon.channels = states.channels()
        await seen.press("5")
        await seen.shows("T test")
        await seen.daemon.stop()
        await seen.shows("○ no connection")
        assert "daily cap reached" in seen.text
        assert not {"ack", "snooze", "test", "redeliver"} & set(seen.lines[-1].split())
        await seen.press("a", "s", "T", "R", "enter")


@pytest.mark.parametrize("state", [states.alerted, states.empty])
async def test_nothing_sticks_out_at_any_size(dashboard, state):
    async with dashboard(state()) as seen:
        seen.daemon.channels = states.channels() if state is states.alerted else []
        await seen.press("5")
        await seen.shows("Channels")
        for width, height in SIZES:
            await seen.pilot.resize_terminal(width, height)
            await seen.pilot.pause()
            assert outside(seen) == []


@pytest.fixture
def rung(monkeypatch) -> list[int]:
    rung: list[int] = []
    monkeypatch.setattr(BudgetTop, "bell", lambda app: rung.append(1))
    return rung


async def test_a_new_alert_is_told_and_heard_once(dashboard, rung):
    async with dashboard(states.busy()) as seen:
        assert not seen.app._notifications
        new = states.alert(300, "daily cap reached", "critical")
        seen.daemon.show(alerts=[new, *states.busy().alerts])
        await seen.shows("■ daily cap reached")
        await seen.shows("5 shows all")
        seen.daemon.show(alerts=[msgspec.structs.replace(new, count=7), *states.busy().alerts])
        await seen.shows("×7")
        assert (len(rung), len(seen.app._notifications)) == (1, 1)


async def test_a_storm_is_one_toast_and_then_one_for_the_rest(dashboard, rung, monkeypatch):
    async with dashboard(with_alerts()) as seen:
        storm = [states.alert(id, f"storm {id}", fired_at=states.NOW + id) for id in range(1, 40)]
        seen.daemon.show(alerts=storm[:10])
        await seen.shows("and 9 other alerts")
        for count in (20, 39):
            seen.daemon.show(alerts=storm[:count])
            await seen.shows(f"Alerts {count} new")
        assert len(rung) == 1
        monkeypatch.setattr(text, "wall_clock", lambda: states.NOW + 6)
        await seen.shows("and 28 other alerts")
        assert len(rung) == 2


async def test_info_what_is_held_and_what_was_answered_make_no_noise(dashboard, rung):
    async with dashboard(with_alerts()) as seen:
        seen.daemon.show(
            alerts=[
                states.alert(1, "an info", "info"),
                states.alert(2, "held", rule="held"),
                states.alert(3, "seen", state="acknowledged", acknowledged_at=states.NOW),
                states.alert(4, "later", state="snoozed", snoozed_until=states.NOW + 60),
            ]
        )
        await seen.shows("an info")
        assert not rung
        seen.daemon.show(alerts=[states.alert(4, "later")])
        await seen.until(lambda: rung)
