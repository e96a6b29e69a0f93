"""A desktop and a real daemon: what is pressed there is seen everywhere, and the other way round."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from alerts.receiver import Receiver, receiver
from budgetd.alerts.channels.desktop import TITLES, Verb
from budgetwire.messages import Acknowledge, Channel, QueryAudit, QueryChannels, QueryChannelsReply, SendTest
from e2e.background import Background
from e2e.running import Home, budgetd
from e2e.test_alerting import BUDGET, HOLD, ask, said
from support import desktop as place

pytestmark = pytest.mark.skipif(bool(place.MISSING), reason=place.WHY_SKIPPED)

KEPT = os.environ.get("BUDGETD_SCREENSHOTS")
"""The folder where the picture is kept, if one is wanted."""

CHANNELS = """
[[alerts.channels]]
name = "desk"
kind = "desktop"
fallback = "hook"
fallback_after = 1

[[alerts.channels]]
name = "hook"
kind = "webhook"
rules = ["restarted"]
url = """

HELD = f'[[limits]]\nname = "ask me"\nwindow = "day"\nlimit_cents = 0\n{HOLD}'


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[place.Desktop]:
    """A desktop that the daemon finds."""
    with tempfile.TemporaryDirectory(prefix="bt-") as folder, place.desktop(Path(folder)) as it:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", it.address)
        yield it


@pytest.fixture
def hook(background: Background) -> Iterator[Receiver]:
    with background.inside(receiver()) as hook:
        yield hook


def a_home(hook: Receiver, budget: str = BUDGET) -> Home:
    return Home({"anthropic": "http://127.0.0.1:9"}, budget=budget, config=f'{CHANNELS}"{hook.url}"')


@pytest.fixture
def home(shown: place.Desktop, hook: Receiver) -> Iterator[Home]:
    with a_home(hook).running() as home:
        yield home


def test_a_refusal_is_seen_and_acknowledged_there(
    background: Background, home: Home, shown: place.Desktop
) -> None:
    empty = shown.colours()
    assert ask(background, home) == [402]
    shown.until(lambda: shown.count() == 1 and shown.colours() > empty)
    shown.press(TITLES["acknowledge"])
    state = home.wait_for(lambda state: state.alerts and state.alerts[0].state == "acknowledged")
    user = pwd.getpwuid(os.getuid()).pw_name
    (alert,) = state.alerts
    assert (alert.acknowledged_by, alert.acknowledged_from) == (user, "desktop")
    (change,) = home.call(lambda id: QueryAudit(id=id, count=1))["changes"]
    assert (change["name"], change["action"]) == ("desktop", "acknowledge")


def test_without_a_word_in_the_configuration_alerts_are_shown(
    background: Background, shown: place.Desktop, tmp_path: Path
) -> None:
    with Home({"anthropic": "http://127.0.0.1:9"}, budget=BUDGET) as home:
        first, again = budgetd(home.path, "start"), budgetd(home.path, "start")
        try:
            assert "Alerts are shown on this desktop; [alerts] desktop = false in config.toml" in first.stdout
            assert "desktop" not in again.stdout
            assert "alerts are shown on this desktop" in home.complaints()
            home.address = home.state().daemon.listen
            empty = shown.colours()
            assert ask(background, home) == [402]
            shown.until(lambda: shown.count() == 1 and shown.colours() > empty)
            shown.photograph((Path(KEPT) if KEPT else tmp_path) / "desktop-default.png", *place.CROPPED)
            shown.press(TITLES["acknowledge"])
            home.wait_for(lambda state: state.alerts and state.alerts[0].state == "acknowledged")

            with home.places.config.open("a") as config:
                config.write("\n[alerts]\ndesktop = false\n")
            shown.until(lambda: not channels(home))
        finally:
            assert budgetd(home.path, "stop").returncode == 0
        assert "Alerts are shown" not in budgetd(home.path, "start").stdout, "said at the first start only"
        budgetd(home.path, "stop")


def test_by_default_a_desktop_that_shows_nothing_raises_no_alert(
    background: Background, shown: place.Desktop
) -> None:
    shown.end("dunst")
    with Home({"anthropic": "http://127.0.0.1:9"}, budget=BUDGET).running() as home:
        (channel,) = channels(home)
        assert (channel.name, channel.by_default) == ("desktop", True)
        assert ask(background, home) == [402]
        shown.until(lambda: channels(home)[0].disabled_reason)
        (channel,) = channels(home)
        assert channel.disabled_reason == "no notification service is on the session bus"
        assert channel.error == ""
        assert [alert.rule for alert in home.state().alerts] == ["refused"]
        shown.start_server()
        assert home.call(lambda id: SendTest(id=id, channel="desktop"))["tests"][0]["delivered"]
        assert channels(home)[0].disabled_reason == ""


def channels(home: Home) -> list[Channel]:
    return msgspec.convert(home.call(lambda id: QueryChannels(id=id)), QueryChannelsReply).channels


def test_what_is_snoozed_there_is_snoozed(background: Background, home: Home, shown: place.Desktop) -> None:
    ask(background, home)
    shown.until(lambda: shown.count() == 1)
    shown.press(TITLES["snooze"])
    home.wait_for(lambda state: state.alerts and state.alerts[0].state == "snoozed")


def test_what_is_acknowledged_elsewhere_is_taken_away(
    background: Background, home: Home, shown: place.Desktop
) -> None:
    ask(background, home)
    shown.until(lambda: shown.count() == 1)
    home.call(lambda id: Acknowledge(id=id, alert_ids=None))
    shown.until(lambda: shown.count() == 0)


@pytest.mark.parametrize(("verb", "status"), [("approve", 502), ("grant", 502), ("refuse", 402)])
def test_a_held_request_is_decided_about_there(
    background: Background, shown: place.Desktop, hook: Receiver, verb: Verb, status: int
) -> None:
    """Its provider is nowhere, so that what was let through is a 502."""
    with a_home(hook, HELD).running() as home, ThreadPoolExecutor() as elsewhere:
        asking = elsewhere.submit(ask, background, home)
        shown.until(lambda: shown.count() == 1)
        shown.press(TITLES[verb])
        assert asking.result() == [status]


def test_restarts_of_the_desktop_are_survived(
    background: Background, shown: place.Desktop, hook: Receiver, home: Home
) -> None:
    ask(background, home)
    shown.until(lambda: shown.count() == 1)
    shown.end("dunst")
    shown.end("dbus-daemon")
    shown.start_bus()
    shown.start_server()
    home.call(lambda id: SendTest(id=id, channel="desk"))
    assert shown.count() == 1
    assert not hook.posts


def test_without_a_bus_another_channel_takes_over(
    background: Background, shown: place.Desktop, hook: Receiver, home: Home
) -> None:
    shown.end("dunst")
    shown.end("dbus-daemon")
    ask(background, home)
    (document,) = said(background, hook, 1)
    assert document["alert"]["rule"] == "refused"
    assert "the session bus cannot be reached" in home.complaints()
