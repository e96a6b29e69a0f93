"""`kill -9` at any instant: nothing that was sent is lost, nothing is counted twice."""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from crash.forked import ForkedHome, Forks, until
from e2e import wire_formats as wire
from e2e.ask import MODEL, NUSD_PER_TOKEN, ask, message
from e2e.background import Background
from e2e.exchange import Exchange
from e2e.provider import BYTES_PER_TOKEN, Provider
from e2e.running import Home
from e2e.truth import cost_nusd, reported
from e2e.upstream import Keeping
from support.stream import Stream, connected

BUDGET = """
[budget]
daily_limit_cents = 100000
monthly_limit_cents = 100000
alert_threshold_pct = 100

[[limits]]
name = "rolling"
window = "5h"
limit_cents = 100000

[[limits]]
name = "ever"
window = "total"
limit_cents = 100000
guarantee = "{guarantee}"
"""
GUARANTEES = ("expected", "strict")
DURABILITY = '[ledger]\ndurability = "{}"\n'
DURABILITIES = ("process", "power")
LIMITS = ("daily", "monthly", "rolling", "ever")

STREAMS = 10

KILLS = 200
"""Under load; in every fifth round there is another, while the daemon starts."""
HOMES = 2
"""Daemons that are killed side by side, each in its own home."""
AGENTS = 4
TOKENS = (200, 200, 200, 2000)
"""Output tokens of an agent's answers, by turns: what one of them will cost is not what the last one did."""


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
        Home({"anthropic": upstream.url}, budget=BUDGET.format(guarantee="expected")).running() as home,
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
        assert [limit.spent_nusd for limit in state.limits] == [total] * len(LIMITS)
        assert [limit.reserved_nusd for limit in state.limits] == [0] * len(LIMITS)
        assert (state.burn.today_nusd, state.burn.requests_today) == (total, 1 + STREAMS)
        assert state.in_flight == []
        (alert,) = state.alerts
        assert alert.rule == "recovered"
        assert alert.message.startswith(f"{STREAMS} requests were in flight when budgetd was killed")
        home.kill()
        home.start()


@pytest.fixture
def forks() -> Iterator[Forks]:
    forks = Forks()
    yield forks
    forks.close()


def test_kills_at_any_instant_lose_nothing_and_count_nothing_twice(
    background: Background, forks: Forks
) -> None:
    with ThreadPoolExecutor(HOMES) as threads:
        counted = list(threads.map(lambda seed: _kill_again_and_again(background, forks, seed), range(HOMES)))
    total = sum(counted, Counter())
    assert total["kills"] == KILLS
    assert total["ok"] > KILLS
    assert total["recovered"] > KILLS // 2


def _kill_again_and_again(background: Background, forks: Forks, seed: int) -> Counter[str]:
    """One home's share of the kills, then its books are held against the bill; how often what happened."""
    rng = random.Random(seed)
    budget = BUDGET.format(guarantee=GUARANTEES[seed % 2])
    config = DURABILITY.format(DURABILITIES[seed % 2])
    provider, answered = Provider(), list[str]()
    with (
        background.inside(Keeping(provider)) as upstream,
        ForkedHome(forks, {"anthropic": upstream.url}, budget=budget, config=config) as home,
    ):
        home.start()
        for kill in range(KILLS // HOMES):
            load = background.run(_begin_load(home, kill, answered))
            if kill % 2:  # every other kill may come before anything is answered, however slow the machine
                before = len(answered)
                until(lambda before=before: len(answered) - before >= 2 * AGENTS)
            time.sleep(rng.uniform(0, 0.2))
            home.kill()
            background.run(_end_load(load))
            if kill % 5 == 4:
                _kill_at_the_start(home, rng.uniform(0, 0.15))
            home.start()
        outcomes = _hold_against_the_bill(home, provider, answered, strict=seed % 2 == 1)
    return Counter(outcomes, kills=KILLS // HOMES)


def _kill_at_the_start(home: Home, seconds: float) -> None:
    """Also while it still recovers what the kill before has left, or has just begun to answer."""

    def kill() -> None:
        if home.process is not None:
            home.process.kill()

    timer = threading.Timer(seconds, kill)
    timer.start()
    with suppress(AssertionError):  # it did not start
        home.start()
    timer.join()
    home.kill()


def _hold_against_the_bill(
    home: Home, provider: Provider, answered: list[str], *, strict: bool
) -> Counter[str]:
    rows = home.rows()
    by_mark = {row["session"]: row for row in rows}
    outcomes = Counter(row["outcome"] for row in rows)
    bill = dict(provider.bill)
    assert outcomes.keys() == {"ok", "recovered"}
    assert len(by_mark) == len(rows)
    assert len(bill) == len(provider.bill)
    assert bill.keys() <= by_mark.keys()
    # Every request that was sent is there; one whose reservation was just committed may not have been sent.
    assert {by_mark[mark]["outcome"] for mark in by_mark.keys() - bill.keys()} <= {"recovered"}
    assert set(answered) <= bill.keys()

    asked = {_asks(mark) for mark in bill}
    price = {each: _billed_nusd(*each, rows[0]["admitted_at"]) for each in asked}
    owed = {mark: price[_asks(mark)] for mark in bill}
    for mark, nusd in owed.items():
        row = by_mark[mark]
        if row["outcome"] == "ok":
            assert row["cost_nusd"] == nusd
        else:
            assert row["cost_nusd"] == row["reserved_nusd"]
            assert row["cost_nusd"] >= nusd or not strict  # else an estimate, until it is corrected
    corrected = [
        owed.get(row["session"], 0) if row["outcome"] == "recovered" else row["cost_nusd"] for row in rows
    ]
    assert sum(corrected) == sum(owed.values())

    state = home.state()
    total = sum(row["cost_nusd"] for row in rows)
    assert {limit.name: limit.spent_nusd for limit in state.limits} == dict.fromkeys(LIMITS, total)
    assert [limit.reserved_nusd for limit in state.limits] == [0] * len(LIMITS)
    assert (state.burn.today_nusd, state.burn.requests_today) == (total, len(rows))
    recovered = [alert for alert in state.alerts if alert.rule == "recovered"]
    assert sum(int(alert.message.split()[0]) for alert in recovered) == outcomes["recovered"]
    return outcomes


def _billed_nusd(stream: bool, tokens: int, at: float) -> int:
    """What the provider bills for one question of an agent."""
    question = wire.question("anthropic.messages", MODEL, tokens, stream=stream)
    body = json.dumps(question).encode()
    answer = wire.answer("anthropic.messages", MODEL, len(body) // BYTES_PER_TOKEN, tokens, stream=stream)
    exchange = Exchange(
        id="",
        provider="anthropic",
        path="/v1/messages",
        request_body=body,
        response_body=answer.body,
        response_headers=[],
        reports=answer.reports,
        model_answered=MODEL,
    )
    truth = reported(exchange)
    cost = truth and cost_nusd(exchange, truth, at)
    assert cost
    return cost


def _asks(mark: str) -> tuple[bool, int]:
    """Whether an agent asks for a stream in this turn, and for how many tokens."""
    turn = int(mark.rpartition(".")[2])
    return turn % 2 == 1, TOKENS[turn % len(TOKENS)]


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
    stream, tokens = _asks(mark)
    await client.send(message(home, tokens, mark, stream=stream))
    assert (await client.response()).status == 200
    await asyncio.sleep(0.01)
