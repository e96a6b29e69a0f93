"""A real session bus and a real notification service. What a person presses comes back."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import get_args

import psutil
import pytest

from alerts.office import CENT, NOON, daily
from alerts.receiver import receiver
from alerts.sending import Sending, hook
from alerts.told import alert
from budgetd.alerts import payload
from budgetd.alerts.channels.channel import Delivered, Message, Retry
from budgetd.alerts.channels.desktop import TITLES, Desktop, Press, Verb, maker
from budgetd.alerts.channels.make import MAKE
from budgetd.alerts.channels.screen import Screen, has_desktop
from budgetd.alerts.rules.limits import crossing
from budgetd.alerts.settings import ChannelSection
from budgetd.budget.counters import Window
from budgetd.budget.decision import Crossing
from support import desktop as place

SHOWN = Delivered("shown")

KEPT = os.environ.get("BUDGETD_SCREENSHOTS")
"""The folder where the picture is kept, if one is wanted."""

needs_desktop = pytest.mark.skipif(bool(place.MISSING), reason=place.WHY_SKIPPED)
linux = pytest.mark.skipif(sys.platform != "linux", reason="the session bus is Linux's")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[place.Desktop]:
    """A desktop that budgetd finds."""
    with tempfile.TemporaryDirectory(prefix="bt-") as folder, place.desktop(Path(folder)) as it:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", it.address)
        yield it


class Office:
    """A channel to the desktop, and what was pressed there."""

    def __init__(self) -> None:
        self.pressed: list[Press] = []
        self.screen = Screen()
        self.channel = Desktop(self.screen, self.pressed.append, 10)

    async def tell(self, event: payload.Event = "fired", **fields: object) -> object:
        row = alert(**{"id": 1, "severity": "warning", "fired_at": NOON, "last_at": NOON} | fields)
        body = payload.write(row, event, "msg_1", NOON, payload.DaemonPart("workshop", "1"))
        return await self.channel.deliver(Message("msg_1", body), NOON)

    async def has(self, count: int) -> list[Press]:
        async with asyncio.timeout(20):
            while len(self.pressed) < count:
                await asyncio.sleep(0.01)
        return self.pressed


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    made = Office()
    yield made
    made.screen.close()


async def gone(shown: place.Desktop, left: int = 0) -> None:
    await asyncio.to_thread(shown.until, lambda: shown.count() == left)


async def press(shown: place.Desktop, verb: Verb) -> None:
    await asyncio.to_thread(shown.press, TITLES[verb])


@needs_desktop
async def test_a_notification_is_seen(office: Office, shown: place.Desktop, tmp_path: Path) -> None:
    empty = shown.colours()
    window = Window(daily(1000), "", NOON, NOON + 86400, spent_nusd=801 * CENT)
    found = crossing(Crossing(window, 80))
    assert await office.tell(message=found.message, advice=found.advice) == SHOWN
    await asyncio.to_thread(shown.until, lambda: shown.colours() > empty)
    assert shown.count() == 1
    shown.photograph((Path(KEPT) if KEPT else tmp_path) / "desktop.png", *place.CROPPED)


@needs_desktop
async def test_what_is_pressed_comes_back(office: Office, shown: place.Desktop) -> None:
    for number, verb in enumerate(("acknowledge", "snooze"), 1):
        assert await office.tell(id=number) == SHOWN
        await press(shown, verb)
        assert (await office.has(number))[-1] == Press(verb, number, None)
        shown.close_all()


@needs_desktop
async def test_a_held_request_is_decided_about_there(office: Office, shown: place.Desktop) -> None:
    for number, verb in enumerate(get_args(Verb), 1):
        assert await office.tell(id=number, rule="held", request_id=70 + number) == SHOWN
        await press(shown, verb)
        assert (await office.has(number))[-1] == Press(verb, number, 70 + number)
        assert shown.menu() == {*TITLES.values()}
        shown.close_all()


@needs_desktop
async def test_news_of_an_alert_take_the_place_of_the_old(office: Office, shown: place.Desktop) -> None:
    await office.tell()
    await office.tell(id=2)
    assert await office.tell("updated", count=3) == SHOWN
    await gone(shown, left=2)


@needs_desktop
async def test_an_alert_that_is_over_is_taken_away(office: Office, shown: place.Desktop) -> None:
    await office.tell()
    assert await office.tell("resolved", resolved_at=NOON, resolved_by="limit raised") == Delivered(
        "taken away"
    )
    await gone(shown)
    assert await office.tell("resolved", id=9, resolved_at=NOON) == Delivered("taken away")


@needs_desktop
async def test_what_was_seen_to_elsewhere_is_taken_away(office: Office, shown: place.Desktop) -> None:
    await office.tell()
    await office.tell(id=2)
    await office.tell("test", id=0, rule="test")
    office.screen.keep({2})
    await gone(shown, left=2)
    await press(shown, "acknowledge")
    assert await office.has(1) == [Press("acknowledge", 2, None)]


@needs_desktop
async def test_markup_is_shown_as_it_is_and_length_is_bounded(office: Office, shown: place.Desktop) -> None:
    assert await office.tell(message="<b>no</b> &amp; \x1b[31m" + "x" * 5000, advice="") == SHOWN
    shown.close_all()
    (text,) = shown.history()
    assert text.startswith("&lt;b&gt;no&lt;/b&gt; &amp;amp; [31mxxx")
    assert text.count("x") < 300
    assert text.endswith("x…")


@needs_desktop
async def test_a_new_notification_service_is_found(office: Office, shown: place.Desktop) -> None:
    assert await office.tell() == SHOWN
    shown.end("dunst")
    assert await office.tell(id=2) == Retry("no notification service is on the session bus")
    shown.start_server()
    assert await office.tell(id=2) == SHOWN
    await press(shown, "acknowledge")
    assert await office.has(1) == [Press("acknowledge", 2, None)]


@needs_desktop
async def test_a_new_bus_is_found(office: Office, shown: place.Desktop) -> None:
    assert await office.tell() == SHOWN
    shown.end("dunst")
    shown.end("dbus-daemon")
    verdict = await office.tell()
    assert verdict == Retry("the session bus cannot be reached: no such file or directory")
    shown.start_bus()
    shown.start_server()
    assert await office.tell(id=2) == SHOWN
    assert shown.count() == 1
    await press(shown, "snooze")
    assert await office.has(1) == [Press("snooze", 2, None)]


@needs_desktop
async def test_a_new_bus_between_two_notifications_is_not_noticed(
    office: Office, shown: place.Desktop
) -> None:
    assert await office.tell() == SHOWN
    shown.end("dunst")
    shown.end("dbus-daemon")
    shown.start_bus()
    shown.start_server()
    assert await office.tell("updated", count=2) == SHOWN
    assert shown.count() == 1


@needs_desktop
async def test_failures_leave_no_open_files_and_no_tracebacks(
    office: Office, shown: place.Desktop, caplog: pytest.LogCaptureFixture
) -> None:
    shown.end("dunst")
    await office.tell()
    before = psutil.Process().num_fds()
    for _ in range(5):
        assert await office.tell() == Retry("no notification service is on the session bus")
    await asyncio.sleep(0)
    assert psutil.Process().num_fds() <= before
    assert not [
        record for record in caplog.records if record.name.startswith(("desktop_notifier", "dbus_fast"))
    ]


@needs_desktop
async def test_the_bus_of_the_session_is_found_without_its_environment(
    office: Office, shown: place.Desktop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shown.folder))
    assert await office.tell() == SHOWN


@linux
def test_a_desktop_is_where_a_session_bus_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert not has_desktop()
    (tmp_path / "bus").touch()
    assert has_desktop()
    (tmp_path / "bus").unlink()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/somewhere")
    assert has_desktop()


@linux
async def test_without_a_bus_another_channel_takes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    there = ChannelSection(name="desk", kind="desktop", fallback="hook", fallback_after=1)
    make = {**MAKE, "desktop": maker(Screen(), lambda press: None)}
    async with (
        receiver() as standing_in,
        Sending(
            tmp_path / "ledger.db", there, hook("hook", standing_in, severity="critical"), make=make
        ) as sending,
    ):
        sending.fire()
        (post,) = await standing_in.has(1)
        assert post.alert_id == 1
        (row,) = sending.rows("desk")
        assert row["error"].startswith("no session bus: $DBUS_SESSION_BUS_ADDRESS is not set")


@needs_desktop
def test_it_works_on_uvloop(shown: place.Desktop) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def show_and_press() -> None:
        office = Office()
        assert await office.tell() == SHOWN
        await press(shown, "acknowledge")
        assert await office.has(1) == [Press("acknowledge", 1, None)]
        office.screen.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(show_and_press())


def test_the_package_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import json, sys, budgetd.daemon, budgetd.alerts.channels.desktop; print(json.dumps([*sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"desktop_notifier", "dbus_fast"} & {*json.loads(done.stdout)}
