"""What goes wrong in a callback or an abandoned task is in the log once, without the data it was about."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop

from budgetd.cli.loop_errors import REPEAT_SECONDS, DropRepeats, report_loop_errors

SECRET = "sk-ant-secret"


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """asyncio's, which is left as it was."""
    logger = logging.getLogger("asyncio")
    yield logger
    logger.filters.clear()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        report_loop_errors(runner.get_loop())
        yield runner


def fails(text: str) -> None:
    raise ValueError(text)


async def fails_later(text: str) -> None:
    raise ValueError(text)


async def call_back() -> None:
    asyncio.get_running_loop().call_soon(fails, SECRET)
    await asyncio.sleep(0.01)


async def abandon() -> None:
    asyncio.create_task(fails_later(SECRET))  # noqa: RUF006
    await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (call_back, "Exception in callback: ValueError"),
        (abandon, "Task exception was never retrieved (fails_later): ValueError"),
    ],
)
def test_an_error_that_nobody_awaits_is_logged_with_its_place_and_without_its_data(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture, work: Callable, says: str
) -> None:
    runner.run(work())
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("asyncio", "ERROR")
    assert record.message.startswith(says)
    assert __file__ in record.message
    assert SECRET not in record.message


def test_the_operating_systems_reason_is_told(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    error = OSError(24, "Too many open files")
    runner.get_loop().call_exception_handler({"message": "socket.accept() failed", "exception": error})
    assert caplog.messages == ["socket.accept() failed: OSError: Too many open files"]


def test_what_a_bus_that_went_away_leaves_behind_is_not_logged(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    where: dict[str, Any] = {"__name__": "dbus_fast.aio.message_bus"}
    exec("async def write(): raise OSError(9, 'Bad file descriptor')", where)

    async def abandon() -> None:
        asyncio.create_task(where["write"]())  # noqa: RUF006
        await asyncio.sleep(0.01)

    runner.run(abandon())
    assert caplog.messages == []


def test_the_same_error_is_logged_once(runner: asyncio.Runner, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        runner.run(call_back())
        runner.run(abandon())
    assert len(caplog.records) == 2


def test_an_error_that_goes_on_is_logged_again_each_minute() -> None:
    now = 100.0
    repeats = DropRepeats(lambda: now)
    line, other = (logging.makeLogRecord({"msg": text}) for text in ("it failed", "something else failed"))
    assert [repeats.filter(each) for each in (line, line, other, line)] == [True, False, True, False]
    now += REPEAT_SECONDS
    assert [repeats.filter(each) for each in (line, line)] == [True, False]
