"""The channel to the desktop that is there without having been configured."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alerts.receiver import receiver
from alerts.sending import DAY, Sending, hook
from budgetd.alerts.channels.channel import Delivered, Message, Retry, Verdict
from budgetd.alerts.channels.make import MAKE
from budgetd.alerts.settings import ChannelSection
from budgetd.config import load_config


class Desktop:
    """Shows what it is given, or says why not."""

    target = "this desktop"

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.verdict: Verdict = Delivered("shown")

    async def deliver(self, message: Message, now: float) -> Verdict:
        if isinstance(self.verdict, Delivered):
            self.shown.append(message.id)
        return self.verdict


@pytest.fixture
def desktop() -> Desktop:
    return Desktop()


@pytest.fixture
async def sending(tmp_path: Path, desktop: Desktop) -> AsyncIterator[Sending]:
    """Nothing is configured, and there is a desktop."""
    made = Sending(tmp_path / "ledger.db", make={**MAKE, "desktop": lambda section: desktop})
    made.has_desktop = True
    async with made:
        yield made


def names(sending: Sending) -> list[str]:
    return [channel.name for channel in sending.outbox.channels()]


def section(name: str, **more: object) -> ChannelSection:
    return ChannelSection(name=name, kind="desktop", **more)


async def test_alerts_are_shown_where_nothing_is_configured(
    sending: Sending, desktop: Desktop, caplog: pytest.LogCaptureFixture
) -> None:
    sending.fire()
    sending.fire(severity="info")
    await sending.quiet()
    assert len(desktop.shown) == 1
    (channel,) = sending.outbox.channels()
    assert (channel.name, channel.kind, channel.by_default) == ("desktop", "desktop", True)


async def test_channels_that_are_configured_keep_their_meaning(sending: Sending, desktop: Desktop) -> None:
    async with receiver() as there:
        sending.configure(hook("ops", there))
        assert names(sending) == ["ops", "desktop"]
        sending.fire()
        await there.has(1)
        await sending.quiet()
    assert len(desktop.shown) == 1


@pytest.mark.parametrize(
    ("channels", "settings", "left"),
    [
        ([], {"desktop": False}, []),
        ([section("mine")], {}, ["mine"]),
        ([section("mine", enabled=False)], {}, ["mine"]),
        ([hook("desktop", "https://example.com/x")], {}, ["desktop"]),
    ],
)
async def test_it_makes_way(
    sending: Sending,
    desktop: Desktop,
    channels: list[ChannelSection],
    settings: dict[str, bool],
    left: list[str],
) -> None:
    sending.configure(*channels, **settings)
    assert names(sending) == left
    assert not any(channel.by_default for channel in sending.outbox.channels())


async def test_it_is_there_and_off_where_nothing_is_to_be_sent(sending: Sending, desktop: Desktop) -> None:
    sending.configure(enabled=False)
    sending.fire()
    await sending.quiet()
    assert desktop.shown == []
    assert sending.outbox.channels()[0].disabled_reason == "[alerts] says enabled = false"


async def test_a_desktop_that_comes_later_is_found_and_one_that_goes_is_waited_for(
    sending: Sending, desktop: Desktop
) -> None:
    sending.has_desktop = False
    await sending.restart()
    assert names(sending) == []
    sending.outbox.look_for_desktop()
    assert names(sending) == []
    sending.has_desktop = True
    sending.outbox.look_for_desktop()
    assert names(sending) == ["desktop"]
    sending.has_desktop = False
    sending.configure()
    assert names(sending) == ["desktop"]


async def test_that_it_shows_nothing_is_no_failure(
    sending: Sending, desktop: Desktop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    desktop.verdict = Retry("no notification service is on the session bus")
    for _ in range(5):
        sending.fire()
    await sending.quiet()
    for _ in range(8):
        await sending.pass_time(DAY / 2)
    assert {*sending.states("desktop")} == {"dead"}
    assert sending.failed == []
    assert not [record for record in caplog.records if "desktop" in record.message]
    (channel,) = sending.outbox.channels()
    assert channel.disabled_reason == "no notification service is on the session bus"
    assert (channel.error, channel.disabled_at) == ("", None)


async def test_a_test_of_all_channels_does_not_fail_for_it(sending: Sending, desktop: Desktop) -> None:
    desktop.verdict = Retry("no desktop")
    async with receiver() as there:
        sending.configure(hook("ops", there))
        assert [outcome.channel for outcome in await sending.outbox.test()] == ["ops"]
        (outcome,) = await sending.outbox.test("desktop")
        assert not outcome.delivered
        desktop.verdict = Delivered("shown")
        assert [outcome.channel for outcome in await sending.outbox.test()] == ["ops", "desktop"]


async def test_a_configured_one_that_shows_nothing_still_is(sending: Sending, desktop: Desktop) -> None:
    sending.configure(section("desktop"))
    desktop.verdict = Retry("no notification service is on the session bus")
    sending.fire()
    await sending.quiet()
    for _ in range(8):
        await sending.pass_time(DAY / 2)
    assert [channel for channel, _ in sending.failed] == ["desktop"]
    assert sending.outbox.channels()[0].error


async def test_what_was_given_up_on_does_not_pop_up_days_later(sending: Sending, desktop: Desktop) -> None:
    desktop.verdict = Retry("no desktop")
    sending.fire()
    await sending.quiet()
    for _ in range(8):
        await sending.pass_time(DAY / 8)
    desktop.verdict = Delivered("shown")
    sending.fire()
    await sending.quiet()
    assert len(desktop.shown) == 1


def test_one_word_turns_it_off(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert load_config(path).alerts.desktop
    path.write_text("[alerts]\ndesktop = false\n")
    assert not load_config(path).alerts.desktop
