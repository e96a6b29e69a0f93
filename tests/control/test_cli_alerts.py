"""The commands about alerts and channels, on a daemon whose answers are given."""

import os
import sys
import time

import msgspec
import pytest

from budgetd import cli
from budgetd.control.server import CommandError
from budgetwire.messages import (
    Acknowledge,
    AcknowledgeReply,
    Alert,
    Channel,
    Delivery,
    QueryAlerts,
    QueryAlertsReply,
    QueryChannels,
    QueryChannelsReply,
    QueryDeliveries,
    QueryDeliveriesReply,
    Redeliver,
    RedeliverReply,
    SendTest,
    SendTestReply,
    Snooze,
    SnoozeReply,
    State,
)
from budgetwire.messages import TestOutcome as Outcome
from budgetwire.places import find_places
from control.fakes import serving
from control.test_cli import Script
from e2e.background import Background

ALERT = Alert(
    id=17,
    rule="threshold",
    severity="warning",
    limit="daily",
    message="daily passed 80 %: $8.01 of $10.00 spent",
    fired_at=60.0,
    advice="Raise it, or let it be.",
    count=1200,
    last_at=3600.0,
)


class Commands:
    """Runs command lines; keeps what was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.script = Script()
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def answer(self, *answers: tuple[type, State | CommandError]) -> None:
        for kind, answer in answers:
            raw = answer if isinstance(answer, CommandError) else msgspec.to_builtins(answer)
            self.script.answers[kind] = raw

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code, what was printed and what was complained of."""
        self._monkeypatch.setattr(sys, "argv", ["budgetd", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self._capsys.readouterr()
        return int(ended.value.code or 0), out, err


@pytest.fixture
def commands(tmp_path_factory, monkeypatch, capsys):
    monkeypatch.setenv("BUDGETD_HOME", str(tmp_path_factory.mktemp("h")))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    commands = Commands(monkeypatch, capsys)
    background = Background()
    with background.inside(serving(find_places(os.environ).socket, handle=commands.script)):
        yield commands
    background.close()


def test_alerts_are_listed_with_how_often_and_how_they_stand(commands) -> None:
    commands.answer((QueryAlerts, QueryAlertsReply(alerts=[ALERT], more=False)))
    code, out, _ = commands.run("alerts", "--state", "firing", "--count", "5")
    assert code == 0
    assert commands.script.calls == [QueryAlerts(id=0, count=5, state="firing")]
    assert out.splitlines() == [
        "ID  LAST              STATE   WHAT",
        "17  Thu 01 Jan 01:00  firing  daily passed 80 %: $8.01 of $10.00 spent (1,200 times)",
    ]


def test_alerts_as_json_are_what_the_wire_says(commands) -> None:
    commands.answer((QueryAlerts, QueryAlertsReply(alerts=[ALERT], more=False)))
    _, out, _ = commands.run("alerts", "--json")
    assert msgspec.json.decode(out, type=list[Alert]) == [ALERT]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([], "No alert is on record.\n"), (["--state", "snoozed"], "No alert is snoozed.\n")],
)
def test_without_alerts_that_is_said(commands, arguments, says) -> None:
    commands.answer((QueryAlerts, QueryAlertsReply(alerts=[], more=False)))
    assert commands.run("alerts", *arguments) == (0, says, "")


def test_one_alert_is_shown_with_what_became_of_it_and_who_was_told(commands) -> None:
    answered = msgspec.structs.replace(
        ALERT, state="resolved", acknowledged_at=60.0, acknowledged_by="ada", acknowledged_from="desktop",
        resolved_at=120.0, resolved_by="the limit was raised",
    )  # fmt: skip
    dead = Delivery(1, 17, "ops", "fired", "msg_1", 60.0, 60.0, 7, "dead", None, "answered \x1b[31m503")
    commands.answer(
        (QueryAlerts, QueryAlertsReply(alerts=[answered], more=False)),
        (QueryDeliveries, QueryDeliveriesReply(deliveries=[dead])),
    )
    code, out, _ = commands.run("alerts", "show", "17")
    assert code == 0
    assert commands.script.calls[0] == QueryAlerts(id=0, count=1, before_id=18)
    for words in (
        "Raise it, or let it be.",
        "by ada with desktop",
        "the limit was raised",
        "1,200, the last",
    ):
        assert words in out
    assert "dead" in out
    assert "\x1b" not in out


def test_an_alert_that_is_not_there_is_told(commands) -> None:
    commands.answer((QueryAlerts, QueryAlertsReply(alerts=[ALERT], more=False)))
    code, _, err = commands.run("alerts", "show", "18")
    assert (code, err) == (1, "budgetd: There is no alert 18; `budgetd alerts` lists them.\n")


@pytest.mark.parametrize(("length", "seconds"), [("30m", 1800), ("2h", 7200), ("2d", 172_800)])
def test_a_snooze_lasts_as_long_as_is_said(commands, length, seconds) -> None:
    commands.answer((Snooze, SnoozeReply(snoozed=2)))
    before = time.time()
    code, out, _ = commands.run("alerts", "snooze", "17", "18", "--for", length)
    (call,) = commands.script.calls
    assert isinstance(call, Snooze)
    assert (code, call.alert_ids) == (0, [17, 18])
    assert before + seconds <= call.until <= time.time() + seconds
    assert out.startswith("2 snoozed until ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["alerts", "snooze"],
        ["alerts", "snooze", "17", "--all"],
        ["alerts", "snooze", "17", "--for", "soon"],
        ["alerts", "--state", "gone"],
        ["ack"],
        ["ack", "17", "--all"],
    ],
    ids=" ".join,
)
def test_wrong_usage_calls_nothing(commands, arguments) -> None:
    code, out, _ = commands.run(*arguments)
    assert (code, out, commands.script.calls) == (2, "", [])


@pytest.mark.parametrize(("arguments", "ids"), [(["17", "18"], [17, 18]), (["--all"], None)])
def test_ack_names_alerts_or_all(commands, arguments, ids) -> None:
    commands.answer((Acknowledge, AcknowledgeReply(acknowledged=2)))
    assert commands.run("ack", *arguments) == (0, "2 acknowledged.\n", "")
    assert commands.script.calls == [Acknowledge(id=0, alert_ids=ids)]


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        (Channel("ops", "webhook", "https://x", "warning"), "nothing was sent yet"),
        (Channel("ops", "webhook", "https://x", "warning", delivered_at=60.0), "last delivered Thu 01 Jan"),
        (Channel("ops", "webhook", "https://x", "warning", error="answered 503"), "failing: answered 503"),
        (
            Channel("ops", "webhook", "https://x", "warning", disabled_at=60.0, disabled_reason="gone"),
            "disabled Thu 01 Jan 00:01: gone",
        ),
        (
            Channel(
                "ops",
                "webhook",
                "https://x",
                "warning",
                disabled_reason="the channel is switched off",
                delivered_at=60.0,
                error="answered 503",
            ),
            "  the channel is switched off",
        ),
        (
            Channel("desktop", "desktop", "this desktop", "warning", by_default=True),
            "nothing was sent yet; there by default, [alerts] desktop = false removes it",
        ),
    ],
)
def test_a_channel_is_told_with_how_it_goes(commands, channel, says) -> None:
    commands.answer((QueryChannels, QueryChannelsReply(channels=[channel])))
    code, out, _ = commands.run("alerts", "channels")
    assert code == 0
    assert says in out.splitlines()[1]


def test_without_a_channel_it_is_said_where_alerts_show(commands) -> None:
    commands.answer((QueryChannels, QueryChannelsReply(channels=[])), (SendTest, SendTestReply(tests=[])))
    assert "No channel is configured" in commands.run("alerts", "channels")[1]
    assert "No channel is configured" in commands.run("alerts", "test")[1]


def test_a_test_that_does_not_arrive_fails_the_command(commands) -> None:
    outcomes = [Outcome("ops", True, "answered 204"), Outcome("mail", False, "apprise is not installed")]
    commands.answer((SendTest, SendTestReply(tests=outcomes)))
    code, out, _ = commands.run("alerts", "test")
    assert code == 1
    assert out == "ops: delivered: answered 204\nmail: FAILED: apprise is not installed\n"
    commands.answer((SendTest, SendTestReply(tests=outcomes[:1])))
    assert commands.run("alerts", "test", "ops")[0] == 0
    assert commands.script.calls == [SendTest(id=0), SendTest(id=0, channel="ops")]


def test_redelivery_says_how_much_will_be_sent(commands) -> None:
    commands.answer((Redeliver, RedeliverReply(deliveries=3)))
    assert commands.run("alerts", "redeliver", "ops") == (0, "3 will be sent again.\n", "")
    commands.answer((Redeliver, RedeliverReply(deliveries=0)))
    assert commands.run("alerts", "redeliver") == (0, "Nothing was given up on.\n", "")
    assert commands.script.calls == [Redeliver(id=0, channel="ops"), Redeliver(id=0)]


def test_what_the_daemon_refuses_is_passed_on(commands) -> None:
    commands.answer((SendTest, CommandError("not_found", "There is no channel gone.", "channel")))
    assert commands.run("alerts", "test", "gone") == (1, "", "budgetd: There is no channel gone.\n")
