"""Alerts of a real daemon: from what causes them over the socket to a channel, and through a kill."""

import asyncio
import os
import pwd
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from alerts.receiver import Receiver, receiver
from budgetwire.messages import Acknowledge, Alert, QueryAlerts, Refuse, SetLimit, Snapshot, Snooze
from e2e.background import Background
from e2e.running import Home

BUDGET = "[budget]\ndaily_limit_cents = 0\n"
HOLD = 'on_exceed = "hold"\nhold_seconds = 60\n'
GROUP_SECONDS = 2
BODY = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def hook(background: Background) -> Iterator[Receiver]:
    with background.inside(receiver()) as hook:
        yield hook


@pytest.fixture
def home(hook: Receiver) -> Iterator[Home]:
    """Its daily limit is nothing, so that every request is refused; its provider is nowhere."""
    config = (
        f"[alerts]\ngroup_seconds = {GROUP_SECONDS}\n"
        f'[[alerts.channels]]\nname = "hook"\nkind = "webhook"\nurl = "{hook.url}"\n'
    )
    with Home({"anthropic": "http://127.0.0.1:9"}, budget=BUDGET, config=config).running() as home:
        yield home


def ask(background: Background, home: Home, times: int = 1) -> list[int]:
    """The status of each of so many requests."""
    return background.run(_ask(f"{home.url}/v1/messages", times))


async def _ask(url: str, times: int) -> list[int]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20)) as session:

        async def once() -> int:
            async with session.post(url, json=BODY, headers={"x-api-key": "k"}) as response:
                await response.read()
                return response.status

        return await asyncio.gather(*(once() for _ in range(times)))


def alert(home: Home, condition: Callable[[Alert], object]) -> Alert:
    """The one alert, once it is as expected; that a test took a limit out of the file has one of its own."""

    def found(state: Snapshot) -> list[Alert]:
        return [alert for alert in state.alerts if alert.rule != "limit_removed"]

    state = home.wait_for(lambda state: (alerts := found(state)) and condition(alerts[0]))
    (alert,) = found(state)
    return alert


def said(background: Background, hook: Receiver, count: int) -> list[dict[str, Any]]:
    """What the channel was told, once it is so much."""
    return [post.document for post in background.run(hook.has(count))]


def events(documents: list[dict[str, Any]]) -> list[str]:
    return [document["event"] for document in documents]


def test_a_thousand_refusals_are_one_alert_and_little_word(
    background: Background, home: Home, hook: Receiver
) -> None:
    assert set(ask(background, home, 1000)) == {402}
    found = alert(home, lambda alert: alert.count == 1000)
    assert (found.rule, found.limit, found.severity, found.state) == ("refused", "daily", "warning", "firing")
    assert "daily refuses requests: $0.00 of $0.00 spent" in found.message
    assert "press e in budgettop" in found.advice

    documents = said(background, hook, 2)
    while documents[-1]["alert"]["count"] < 1000:
        documents = said(background, hook, len(documents) + 1)
    assert events(documents) == ["fired", *["updated"] * (len(documents) - 1)]
    at = [document["created_at_epoch"] for document in documents]
    assert all(later - before >= GROUP_SECONDS for before, later in pairwise(at))
    assert {document["alert"]["id"] for document in documents} == {found.id}


def test_a_kill_keeps_the_alert_and_a_person_ends_it(
    background: Background, home: Home, hook: Receiver
) -> None:
    ask(background, home, 3)
    before = alert(home, lambda alert: alert.count == 3)
    home.rows()
    home.kill()
    home.start()
    ask(background, home)
    after = alert(home, lambda alert: alert.count == 4)
    assert (after.id, after.fired_at) == (before.id, before.fired_at)

    assert home.call(lambda id: Acknowledge(id=id, alert_ids=None)) == {"acknowledged": 1}
    known = alert(home, lambda alert: alert.state == "acknowledged")
    user = pwd.getpwuid(os.getuid()).pw_name
    assert (known.acknowledged_by, known.acknowledged_from) == (user, "test")

    home.call(lambda id: SetLimit(id=id, limit="daily", limit_cents=1000))
    over = alert(home, lambda alert: alert.state == "resolved")
    assert over.resolved_by == "limit raised"
    documents = said(background, hook, 2)
    while documents[-1]["event"] != "resolved":
        documents = said(background, hook, len(documents) + 1)
    assert events(documents)[0] == "fired"
    reply = home.call(lambda id: QueryAlerts(id=id, state="resolved"))
    assert [each["id"] for each in reply["alerts"]] == [before.id]


def test_a_snooze_that_ends_is_told(background: Background, home: Home, hook: Receiver) -> None:
    ask(background, home)
    alert(home, lambda alert: alert.state == "firing")
    until = time.time() + 1
    assert home.call(lambda id: Snooze(id=id, alert_ids=None, until=until)) == {"snoozed": 1}
    assert alert(home, lambda alert: alert.state == "snoozed").snoozed_until == until
    alert(home, lambda alert: alert.state == "firing")
    documents = said(background, hook, 2)
    assert events(documents) == ["fired", "fired"]
    assert documents[1]["created_at_epoch"] >= until


def test_a_file_with_a_mistake_fires_until_it_is_mended(home: Home) -> None:
    home.places.budget.write_text("[budget]\ndaily_limit_cent = 0\n")
    found = alert(home, lambda alert: alert.rule == "config")
    assert (found.severity, "did you mean `daily_limit_cents`" in found.message) == ("critical", True)
    home.places.budget.write_text(BUDGET)
    assert alert(home, lambda alert: alert.state == "resolved").resolved_by == "the file is in force"


def test_quiet_hours_that_are_none_are_told_with_their_line(home: Home) -> None:
    text = home.places.config.read_text()
    home.places.config.write_text(text.replace("[alerts]\n", '[alerts]\nquiet_hours = "22-7"\n'))
    found = alert(home, lambda alert: alert.rule == "config")
    assert "`alerts.quiet_hours`: '22-7' are no hours of a day; write them like 22:00-07:00." in found.message


def test_a_held_request_has_an_alert_that_ends_with_the_decision(background: Background, home: Home) -> None:
    limit = f'[[limits]]\nname = "ask me"\nwindow = "day"\nlimit_cents = 0\n{HOLD}'
    home.places.budget.write_text(BUDGET.replace("= 0", "= 500") + limit)
    home.wait_for(lambda state: [limit.name for limit in state.limits] == ["daily", "ask me"])
    asking = background.run(_begin(f"{home.url}/v1/messages"))
    held = alert(home, lambda alert: alert.rule == "held")
    assert held.request_id is not None
    assert f"`budgetd refuse {held.request_id}`" in held.advice
    request_id = held.request_id
    home.call(lambda id: Refuse(id=id, request_id=request_id))
    assert background.run(_end(asking)) == [402]
    assert alert(home, lambda alert: alert.state == "resolved").resolved_by == "refused"


async def _begin(url: str) -> asyncio.Task[list[int]]:
    return asyncio.create_task(_ask(url, 1))


async def _end(asking: asyncio.Task[list[int]]) -> list[int]:
    return await asking
