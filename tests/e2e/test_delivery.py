"""Real receivers, good and bad, and a sender that is killed at any instant: every alert arrives."""

import asyncio
import base64
import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier

from alerts.receiver import Answer, Post, Receiver, place, receiver, silence, status, url_at
from alerts.sending import rows_on_disk
from ledger.rows import on_disk

ALERTS = 60
KILLS = 25
SPEED = 8_000.0
"""A day passes in eleven seconds."""

SECRET = "whsec_" + base64.b64encode(random.Random(7).randbytes(32)).decode()
WAIT_SECONDS = 90.0


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(SECRET)
    return tmp_path


async def test_every_alert_arrives_though_the_sender_is_killed_again_and_again(home: Path) -> None:
    rng = random.Random(11)
    clock = Clock()
    async with AsyncExitStack() as stack:
        answers: dict[str, Answer] = {
            "flaky": _sometimes(rng, 0.3, status(500)),
            "busy": _sometimes(rng, 0.3, status(429, Retry_After="600")),
            "hanging": _sometimes(rng, 0.1, silence),
            "slow": _slowly,
            "moved": status(302, Location="/elsewhere"),
            "gone": status(410),
            "spare": _ok,
        }
        there = {name: await stack.enter_async_context(receiver(answer)) for name, answer in answers.items()}
        down = place()
        _configure(home, {name: each.url for name, each in there.items()} | {"down": url_at(down)})
        slow = there["slow"]
        for kill in range(KILLS):
            async with _sender(home, clock, ALERTS):
                if (
                    kill % 2 == 0
                ):  # every other kill may come before anything is sent, however slow the machine
                    before = len(slow.posts)
                    await _until(lambda before=before: len(slow.posts) > before or _has_all(home, "slow"))
                    # Within the time that this one takes to answer, or some time after that.
                    await asyncio.sleep(rng.choice((0.0, rng.uniform(0, 0.25))))
                else:
                    await asyncio.sleep(rng.uniform(0, 0.25))
        async with _sender(home, clock, ALERTS):
            await _until(lambda: _count(home) == ALERTS and not _states(home) & {"pending"})
        assert _states(home, "down") == {"dead"}
        there["down"] = await stack.enter_async_context(receiver(sock=down))
        async with _sender(home, clock, ALERTS + 1) as sender:
            await _until(lambda: _states(home, "down") == {"delivered"})
            for name in ("moved", "gone"):
                there[name].answer = _ok
            sender.send_signal(signal.SIGUSR1)
            await _until(lambda: _states(home) == {"delivered"})
    _check(home, there)


def _check(home: Path, there: dict[str, Receiver]) -> None:
    """Every alert that is on record has arrived everywhere, and what arrived twice is known by its id."""
    alerts = [id for (id,) in on_disk(home / "ledger.db", "select id from alerts order by id")]
    assert alerts == [*range(1, ALERTS + 2)]
    ids: dict[int, set[str]] = defaultdict(set)
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for name, each in there.items():
        for post in each.posts:
            ids[post.alert_id].add(post.id)
            bodies[post.id].add(post.body)
            _verify(post)
        assert {post.alert_id for post in each.posts} == {*alerts}, name
    assert {len(of_alert) for of_alert in ids.values()} == {1}
    assert {len(of_id) for of_id in bodies.values()} == {1}
    assert len(bodies) == len(alerts)
    for name in ("flaky", "busy", "hanging", "slow", "moved", "gone"):
        assert _firsts(there[name]) == alerts, name
    *missed, new = alerts
    assert _firsts(there["down"]) == [new, *missed]
    duplicates = len(there["slow"].posts) - len(alerts)
    assert 0 < duplicates <= KILLS + 1


def _firsts(there: Receiver) -> list[int]:
    """The alerts in the order in which they came first."""
    return list(dict.fromkeys(post.alert_id for post in there.posts))


def _verify(post: Post) -> None:
    """The package's `verify` also asks that a message be of these five minutes: here they fly."""
    at = datetime.fromtimestamp(int(post.headers["webhook-timestamp"]), UTC)
    assert post.headers["webhook-signature"] == Verifier(SECRET).sign(post.id, at, post.body.decode())


def _configure(home: Path, urls: dict[str, str]) -> None:
    fallbacks = {"moved": "spare", "gone": "spare"}
    lines: list[str] = []
    for name, url in urls.items():
        lines += ["[[alerts.channels]]", f'name = "{name}"', 'kind = "webhook"', f'url = "{url}"']
        lines += [f'secret_file = "{home / "secret"}"', "timeout_seconds = 1"]
        lines += [f'fallback = "{fallbacks[name]}"'] if name in fallbacks else []
        lines += ['severity = "critical"'] if name == "spare" else []
    (home / "config.toml").write_text("\n".join(lines))


class Clock:
    """What the senders go by. It stands still while none is up, so that it matters little how slow a machine
    is to start one.
    """

    def __init__(self) -> None:
        self.now = time.time()


@asynccontextmanager
async def _sender(home: Path, clock: Clock, alerts: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    """One that is up, and is killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "e2e.deliverer", str(home), str(clock.now), str(SPEED), str(alerts)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"up\n"
        up_at = time.monotonic()
        yield process
        clock.now += (time.monotonic() - up_at) * SPEED
    finally:
        _kill(process)
        assert await process.wait() == -signal.SIGKILL


def _kill(process: asyncio.subprocess.Process) -> None:
    """By its number: asked by its object, a process that has just died would be reaped behind asyncio's
    back, and its exit code be lost.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _states(home: Path, channel: str | None = None) -> set[str]:
    return {row["state"] for row in rows_on_disk(home / "ledger.db", channel)}


def _has_all(home: Path, channel: str) -> bool:
    """Whether nothing is left to be sent there."""
    return _count(home) == ALERTS and "pending" not in _states(home, channel)


def _count(home: Path) -> int:
    return on_disk(home / "ledger.db", "select count(*) from alerts")[0][0]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.05)


# how receivers answer

_ok = status(200)


async def _slowly(post: Post) -> web.Response:
    await asyncio.sleep(0.05)
    return await _ok(post)


def _sometimes(rng: random.Random, share: float, bad: Answer) -> Answer:
    async def answer(post: Post) -> web.Response:
        return await (bad if rng.random() < share else _ok)(post)

    return answer
