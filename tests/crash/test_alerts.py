"""`kill -9` of a real daemon whose limits refuse: every alert on record arrives at a receiver that fails."""

import asyncio
import base64
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier

from alerts.receiver import Post, Receiver, receiver
from crash.forked import ForkedHome, Forks, until
from e2e.ask import ask
from e2e.background import Background
from e2e.running import Home
from ledger.rows import on_disk

KILLS = 25
AT_ONCE = 4
FAILING = 0.3
WAIT_SECONDS = 60.0

SECRET = "whsec_" + base64.b64encode(random.Random(3).randbytes(32)).decode()

BUDGET = """
[[limits]]
name = "each"
window = "day"
limit_cents = 0
per = "session"
"""
"""Every session is refused, and each has an alert of its own."""

CHANNEL = """
[[alerts.channels]]
name = "hook"
kind = "webhook"
url = "{url}"
secret_env = "HOOK_SECRET"
"""


@pytest.fixture
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.close()


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forks]:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def hook(background: Background) -> Iterator[Receiver]:
    """It fails so many of its messages at their first attempt."""
    rng, seen = random.Random(5), set[str]()

    async def answer(post: Post) -> web.Response:
        fails = post.id not in seen and rng.random() < FAILING
        seen.add(post.id)
        return web.Response(status=503 if fails else 200)

    with background.inside(receiver(answer)) as hook:
        yield hook


def test_alerts_of_a_daemon_that_is_killed_again_and_again_all_arrive(
    background: Background, forks: Forks, hook: Receiver
) -> None:
    rng = random.Random(9)
    config = CHANNEL.format(url=hook.url)
    with ForkedHome(forks, {"anthropic": "http://127.0.0.1:9"}, budget=BUDGET, config=config) as home:
        home.start()
        for kill in range(KILLS):
            asking = background.run(_begin(home, kill))
            if kill % 2 == 0:  # every other kill may come before there is any, however slow the machine
                before = len(_alerts(home))
                until(lambda before=before: len(_alerts(home)) - before >= AT_ONCE)
            time.sleep(rng.uniform(0, 0.15))
            home.kill()
            background.run(_end(asking))
            home.start()
        assert background.run(_refused(home, "last")) == 402
        home.rows()  # which commits what is pending
        alerts = _alerts(home)
        _await_arrival(home)
    assert "last" in alerts.values()
    assert len(alerts) > KILLS
    _check(hook, alerts)


def _alerts(home: Home) -> dict[int, str]:
    """The alerts that are committed, by id, and whose each is."""
    return dict(on_disk(home.places.ledger, "select id, subject from alerts where rule = 'refused'"))


def _check(hook: Receiver, alerts: dict[int, str]) -> None:
    """Each has arrived, signed, and word that came twice has the same id and body."""
    bodies: dict[str, set[bytes]] = defaultdict(set)
    fired: dict[int, set[str]] = defaultdict(set)
    for post in hook.posts:
        Verifier(SECRET).verify(post.body, post.headers)
        bodies[post.id].add(post.body)
        if post.document["event"] == "fired":
            fired[post.alert_id].add(post.id)
    assert {len(each) for each in bodies.values()} == {1}
    assert alerts.keys() <= fired.keys()
    assert {len(each) for each in fired.values()} == {1}
    assert len(hook.posts) > len(bodies)
    firsts = [id for id in dict.fromkeys(post.alert_id for post in hook.posts) if id in alerts]
    assert firsts == sorted(alerts)


def _await_arrival(home: Home) -> None:
    """Wait until nothing is left to be sent, and see that nothing was given up on."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (states := _states(home)) != {"delivered"}:
        assert time.monotonic() < deadline, states
        time.sleep(0.05)


def _states(home: Home) -> set[str]:
    return {state for (state,) in on_disk(home.places.ledger, "select distinct state from outbox")}


async def _begin(home: Home, kill: int) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(_agent(home, f"{kill}-{number}")) for number in range(AT_ONCE)]


async def _agent(home: Home, name: str) -> None:
    """Ask in one session after the other, until nobody answers any more."""
    for number in range(3):
        with suppress(OSError, EOFError):
            assert await _refused(home, f"{name}-{number}") == 402
            continue
        return


async def _refused(home: Home, session: str) -> int:
    return int((await ask(home, 100, session)).start.split()[1])


async def _end(asking: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*asking)
