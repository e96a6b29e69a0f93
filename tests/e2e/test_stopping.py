"""`budgetd stop` and `start` as a person meets them: requests that still run, sockets that are gone."""

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from budgetd.control.server import MAX_CONNECTIONS
from budgetwire.client import Client
from e2e.ask import begin, end
from e2e.background import Background
from e2e.provider import Provider
from e2e.running import Home, budgetd, environment
from e2e.upstream import Keeping
from support.stream import Message

WAIT_SECONDS = 20.0


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def home(background: Background, provider: Provider) -> Iterator[Home]:
    """A daemon that runs."""
    with (
        background.inside(Keeping(provider)) as upstream,
        Home({"anthropic": upstream.url}).running() as home,
    ):
        yield home


@pytest.fixture
def in_flight(background: Background, provider: Provider, home: Home) -> asyncio.Task[Message]:
    """A request that the provider has begun to answer, and will not end before it is released."""
    background.run(provider.hold())
    asking = background.run(begin(home, 100, "runs"))
    background.run(provider.has_begun(1))
    home.wait_for(lambda state: any(each.phase == "answering" for each in state.in_flight))
    return asking


def stopping(home: Home, *options: str) -> subprocess.Popen[str]:
    """`budgetd stop`, which may wait."""
    command = [sys.executable, "-m", "budgetd.cli", "stop", *options]
    return subprocess.Popen(
        command,
        env=environment(home.path) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_ended(home: Home) -> None:
    """The process has ended as it should, or does so soon."""
    assert home.process is not None
    assert home.process.wait(WAIT_SECONDS) == 0
    home.process = None


def outcome(home: Home) -> tuple[str, str]:
    """How the one request is on record."""
    (row,) = home.rows_on_disk()
    return row["outcome"], row["basis"]


STILL = "1 request is still running; waiting up to 30 s (`budgetd stop --now` cuts it).\n"


def test_stop_says_what_it_waits_for_and_a_second_stop_waits_too(
    background: Background, provider: Provider, home: Home, in_flight: asyncio.Task[Message]
) -> None:
    with stopping(home) as first:
        assert first.stdout.readline() == STILL
        state = home.wait_for(lambda state: state.daemon.stopping_until is not None)
        assert len(state.in_flight) == 1
        assert "STOPPING" in budgetd(home.path, "status").stdout
        started = budgetd(home.path, "start")
        assert (started.returncode, "is stopping and waits" in started.stderr) == (1, True)
        with stopping(home) as second:
            assert second.stdout.readline().startswith("1 request is still running; waiting up to ")
            background.run(provider.release())
            for each in (first, second):
                out, err = each.communicate()
                assert (out, err, each.returncode) == ("budgetd stopped.\n", "", 0)
    assert_ended(home)
    assert background.run(end(in_flight)).status == 200
    assert outcome(home) == ("ok", "reported")
    assert "stopping: waiting up to 30 s for 1 request; Ctrl-C again or" in home.complaints()


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "after a stop that waits"])
def test_stop_now_cuts_what_runs_and_counts_it(
    home: Home, in_flight: asyncio.Task[Message], waits: bool
) -> None:
    first = stopping(home) if waits else None
    if first is not None:
        assert first.stdout.readline() == STILL
        home.wait_for(lambda state: state.daemon.stopping_until is not None)
    stopped = budgetd(home.path, "stop", "--now")
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "budgetd stopped.\n", "")
    if first is not None:
        assert first.communicate() == ("budgetd stopped.\n", "")
    assert_ended(home)
    assert outcome(home)[0] == "broken"
    assert home.rows_on_disk()[0]["cost_nusd"] > 0
    assert home.complaints().count("cutting 1 request") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_what_runs(
    home: Home, in_flight: asyncio.Task[Message], number: signal.Signals
) -> None:
    assert home.process is not None
    home.process.send_signal(number)
    home.wait_for(lambda state: state.daemon.stopping_until is not None)
    home.process.send_signal(number)
    assert_ended(home)
    assert outcome(home)[0] == "broken"


def test_a_socket_that_was_removed_is_there_again(home: Home) -> None:
    assert home.process is not None
    shutil.rmtree(home.places.socket.parent)
    again = budgetd(home.path, "start")
    assert again.returncode == 0
    assert f"is running already (process {home.process.pid}, " in again.stdout
    assert budgetd(home.path, "status").returncode == 0


def test_without_a_socket_the_daemon_is_found_by_its_lock_and_can_be_stopped(home: Home) -> None:
    assert home.process is not None
    folder = home.places.socket.parent
    shutil.rmtree(folder)
    folder.write_text("in the way, so that none can be made again")
    for command in ("status", "limits"):
        done = budgetd(home.path, command)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith(
            f"budgetd: budgetd is running (process {home.process.pid}), but there is"
        )
    started = budgetd(home.path, "start")
    assert started.returncode == 1
    assert f"it is running already (process {home.process.pid}), but there is no socket" in started.stderr
    stopped = budgetd(home.path, "stop")
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "budgetd stopped.\n", "")
    assert_ended(home)
    folder.unlink()
    assert "is not running" in budgetd(home.path, "status").stderr
    home.start()


def test_a_process_that_is_not_the_locks_holder_is_not_stopped(home: Home) -> None:
    folder = home.places.socket.parent
    shutil.rmtree(folder)
    folder.write_text("in the way")
    lock_file = home.places.ledger.with_suffix(".lock")
    with subprocess.Popen(["sleep", "60"]) as another:
        lock_file.write_text(f"{another.pid}\n")
        stopped = budgetd(home.path, "stop")
        assert (stopped.returncode, "its process cannot be told" in stopped.stderr) == (1, True)
        assert another.poll() is None
        another.kill()


def test_one_connection_too_many_is_told_so_by_every_command_and_stop_still_stops(
    background: Background, home: Home
) -> None:
    async def crowd() -> list[Client]:
        return [await Client.connect(home.places.socket, "crowd") for _ in range(MAX_CONNECTIONS)]

    background.run(crowd())
    for command in ("status", "limits", "pause", "start"):
        done = budgetd(home.path, command)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == "budgetd: budgetd has 64 connections already; close one.\n"
    stopped = budgetd(home.path, "stop")
    assert (stopped.returncode, stopped.stdout) == (0, "budgetd stopped.\n")
    assert_ended(home)
