"""`kill -9` at any instant: nothing that was sent is lost, nothing is counted twice."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from e2e.ask import NUSD_PER_TOKEN, ask, message
from e2e.background import Background
from e2e.provider import Provider
from e2e.running import Home
from e2e.upstream import Keeping
from support.stream import Stream, connected

BUDGET = "[budget]\ndaily_limit_cents = 100000\nmonthly_limit_cents = 100000\nalert_threshold_pct = 100\n"

STREAMS = 10
KILLS = 10
AGENTS = 4


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.close()


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def home(background: Background, provider: Provider) -> Iterator[Home]:
    with (
        background.inside(Keeping(provider)) as upstream,
        Home({"anthropic": upstream.url}, budget=BUDGET).running() as home,
    ):
        yield home


def test_streams_that_a_kill_cuts_are_counted_once(
    background: Background, home: Home, provider: Provider
) -> None:
    async def begin() -> list[asyncio.Task[str]]:
        await provider.hold()
        streaming = [asyncio.create_task(_stream(home, f"cut {number}")) for number in range(STREAMS)]
        await provider.has_begun(1 + STREAMS)
        return streaming

    async def end(streaming: list[asyncio.Task[str]]) -> list[str]:
        return await asyncio.gather(*streaming)

    background.run(ask(home, 100, "settled"))
    (settled,) = home.rows()
    streaming = background.run(begin())
    home.kill()
    assert background.run(end(streaming)) == ["broken"] * STREAMS

    home.start()
    for _ in range(3):  # what was recovered once stays as it is, however often the daemon is killed
        rows = {row["session"]: row for row in home.rows()}
        assert len(rows) == len(home.rows()) == 1 + STREAMS
        assert dict(rows.pop("settled")) == dict(settled)
        for row in rows.values():
            assert (row["outcome"], row["basis"]) == ("recovered", "recovered")
            assert row["cost_nusd"] == row["reserved_nusd"] > 100 * NUSD_PER_TOKEN
        total = settled["cost_nusd"] + sum(row["cost_nusd"] for row in rows.values())
        state = home.state()
        assert [limit.spent_nusd for limit in state.limits] == [total, total]
        assert [limit.reserved_nusd for limit in state.limits] == [0, 0]
        assert (state.burn.today_nusd, state.burn.requests_today) == (total, 1 + STREAMS)
        assert state.in_flight == []
        (alert,) = state.alerts
        assert alert.rule == "recovered"
        assert alert.message.startswith(f"{STREAMS} requests were in flight when budgetd was killed")
        home.kill()
        home.start()


def test_kills_at_any_instant_lose_nothing_and_count_nothing_twice(
    background: Background, home: Home, provider: Provider
) -> None:
    rng = random.Random(20)
    answered: list[str] = []
    for kill in range(KILLS):
        load = background.run(_begin_load(home, kill, answered))
        time.sleep(rng.uniform(0.01, 0.25))
        home.kill()
        background.run(_end_load(load))
        home.start()

    rows = home.rows()
    marks = Counter(row["session"] for row in rows)
    outcomes = Counter(row["outcome"] for row in rows)
    by_mark = {row["session"]: row for row in rows}
    assert outcomes.keys() <= {"ok", "recovered", "aborted", "broken"}
    assert outcomes["ok"] > 0
    assert outcomes["recovered"] > 0
    assert set(marks.values()) == {1}
    assert {mark for mark, _ in provider.bill} <= marks.keys()
    assert len({mark for mark, _ in provider.bill}) == len(provider.bill)
    for mark in answered:
        assert by_mark[mark]["outcome"] in {"ok", "recovered"}
    for mark, tokens in provider.bill:
        assert by_mark[mark]["cost_nusd"] >= tokens * NUSD_PER_TOKEN

    state = home.state()
    total = sum(row["cost_nusd"] for row in rows)
    assert [limit.spent_nusd for limit in state.limits] == [total, total]
    assert [limit.reserved_nusd for limit in state.limits] == [0, 0]
    assert (state.burn.today_nusd, state.burn.requests_today) == (total, len(rows))
    # Every request that was sent is there; one whose reservation was just committed may not have been sent.
    unsent = marks.keys() - {mark for mark, _ in provider.bill}
    assert {by_mark[mark]["outcome"] for mark in unsent} <= {"recovered"}
    recovered = [alert for alert in state.alerts if alert.rule == "recovered"]
    assert sum(int(alert.message.split()[0]) for alert in recovered) == outcomes["recovered"]


async def _stream(home: Home, mark: str) -> str:
    """Read a stream to its end."""
    async with connected(*home.proxy) as client:
        await client.send(message(home, 200, mark, stream=True))
        try:
            await client.response()
        except (EOFError, ConnectionError):
            return "broken"
    return "whole"


async def _begin_load(home: Home, kill: int, answered: list[str]) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(_work(home, f"{kill}.{agent}", answered)) for agent in range(AGENTS)]


async def _end_load(load: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*load)


async def _work(home: Home, name: str, answered: list[str]) -> None:
    """One agent: ask again and again on one connection, until it breaks."""
    try:
        async with connected(*home.proxy) as client:
            for turn in range(10_000):
                mark = f"{name}.{turn}"
                await _turn(client, home, mark)
                answered.append(mark)
    except (EOFError, ConnectionError):
        return


async def _turn(client: Stream, home: Home, mark: str) -> None:
    await client.send(message(home, 200, mark, stream=mark.endswith(("1", "3"))))
    assert (await client.response()).status == 200
    await asyncio.sleep(0.01)
