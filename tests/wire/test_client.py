"""The client against a real server, and against sockets that misbehave."""

import asyncio
import os
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from budgetd.control.server import CommandError, Peer
from budgetwire import client as client_module
from budgetwire import reach as reach_module
from budgetwire.client import Client
from budgetwire.errors import CallError, Unreachable, VersionMismatch
from budgetwire.messages import Call, Pause, QueryRequests, Resume, SetLimit
from budgetwire.peer import Credentials
from control.fakes import WELCOME, FakeViews, serving
from control.raw import packed


@asynccontextmanager
async def connected(path):
    client = await Client.connect(path, "test")
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def pretending(path, talk):
    """A daemon that says what `talk(reader, writer)` says."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    done = asyncio.Event()

    async def come_in(reader, writer):
        await talk(reader, writer)
        await done.wait()
        writer.close()

    server = await asyncio.start_unix_server(come_in, path)
    try:
        yield
    finally:
        done.set()
        server.close()
        path.unlink()


def welcome(**changes: Any) -> bytes:
    return msgspec.msgpack.encode(msgspec.structs.replace(WELCOME, **changes))


async def test_a_client_is_welcomed_and_its_calls_are_answered(path):
    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        assert peer.name == "test"
        return {"requests": [], "more": False} if isinstance(call, QueryRequests) else {}

    async with serving(path, handle=handle), connected(path) as client:
        assert client.welcome == WELCOME
        assert await client.call(lambda n: Pause(id=n)) == {}
        assert await client.call(lambda n: QueryRequests(id=n)) == {"requests": [], "more": False}


async def test_a_refused_call_raises_what_the_daemon_said(path):
    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        raise CommandError("invalid", "A limit cannot be below zero.", "limit_cents")

    async with serving(path, handle=handle), connected(path) as client:
        with pytest.raises(CallError, match="below zero") as caught:
            await client.call(lambda n: SetLimit(id=n, limit="daily", limit_cents=-1))
        assert (caught.value.code, caught.value.field) == ("invalid", "limit_cents")
        assert caught.value.message == str(caught.value)


async def test_calls_made_at_once_get_their_own_answers(path):
    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        return {"id": call.id}

    async with serving(path, handle=handle), connected(path) as client:
        results = await asyncio.gather(*(client.call(lambda n: Pause(id=n)) for _ in range(100)))
    assert sorted(result["id"] for result in results) == list(range(1, 101))


async def test_calls_get_their_own_answers_in_whatever_order_these_come(path):
    paused = asyncio.Event()

    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        if isinstance(call, Pause):
            paused.set()
        else:
            await paused.wait()
        return {"id": call.id}

    async with serving(path, handle=handle), connected(path) as client:
        slow = [asyncio.create_task(client.call(lambda n: QueryRequests(id=n))) for _ in range(3)]
        await asyncio.sleep(0)
        assert await client.call(lambda n: Pause(id=n)) == {"id": 4}
        assert await asyncio.gather(*slow) == [{"id": 1}, {"id": 2}, {"id": 3}]


async def test_a_subscriber_sees_the_whole_state_after_every_change(path):
    views = FakeViews()
    async with serving(path, views=views) as server, connected(path) as client:
        states = await client.subscribe()
        first = await anext(states)
        assert (first.seq, first.limits[0].spent_nusd) == (1, 0)
        views.spent = 9
        server.changed("limits")
        second = await anext(states)
        assert (second.seq, second.limits[0].spent_nusd) == (2, 9)
        assert second.daemon == first.daemon
        await client.call(lambda n: Pause(id=n))


async def test_a_subscriber_that_is_slow_sees_the_latest(path):
    views = FakeViews()
    async with serving(path, views=views) as server, connected(path) as client:
        states = await client.subscribe()
        await anext(states)
        for views.spent in (1, 2, 3):
            server.changed("limits")
            while client._state.limits[0].spent_nusd != views.spent:
                await asyncio.sleep(0.01)
        assert (await anext(states)).limits[0].spent_nusd == 3


async def test_no_daemon_is_told_with_how_to_start_one(path):
    with pytest.raises(Unreachable, match=r"no socket at .* budgetd start"):
        await Client.connect(path, "test")


async def test_a_socket_left_behind_is_told_apart(path):
    async with pretending(path, None):
        left = path.with_name("left")
        os.link(path, left)
    with pytest.raises(Unreachable, match=r"nothing listens at .* budgetd start"):
        await Client.connect(left, "test")


async def test_a_socket_out_of_reach_is_told(path, monkeypatch):
    async def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reach_module.asyncio, "open_unix_connection", denied)
    with pytest.raises(Unreachable, match="another user"):
        await Client.connect(path, "test")


async def test_a_path_that_cannot_be_a_socket_is_told(path):
    with pytest.raises(Unreachable, match="cannot be used"):
        await Client.connect(path / ("x" * 200), "test")


async def test_a_daemon_of_another_user_is_not_believed(path, monkeypatch):
    monkeypatch.setattr(reach_module, "peer_of", lambda writer: Credentials(pid=1, uid=os.getuid() + 1))
    async with serving(path):
        with pytest.raises(Unreachable, match="belongs to another user"):
            await Client.connect(path, "test")


@pytest.mark.parametrize(("version", "advice"), [("2.0", "client is older"), ("0.3", "daemon is older")])
async def test_a_daemon_of_another_major_version_is_refused_with_advice(path, version, advice):
    async with serving(path, welcome=msgspec.structs.replace(WELCOME, version=version)):
        with pytest.raises(VersionMismatch, match=advice):
            await Client.connect(path, "test")


async def test_a_welcome_of_another_major_version_is_refused_by_the_client_too(path):
    async def talk(reader, writer):
        writer.write(welcome(version="7.0"))

    async with pretending(path, talk):
        with pytest.raises(VersionMismatch, match="client is older"):
            await Client.connect(path, "test")


async def test_a_daemon_that_does_not_answer_hello_is_given_up(path, monkeypatch):
    monkeypatch.setattr(client_module, "ANSWER_SECONDS", 0.05)

    async def talk(reader, writer):
        await reader.read(1)

    async with pretending(path, talk):
        with pytest.raises(Unreachable, match="does not answer"):
            await Client.connect(path, "test")


async def test_a_call_without_an_answer_is_given_up_and_the_connection_goes_on(path, monkeypatch):
    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        if isinstance(call, Pause):
            await asyncio.sleep(0.2)
        return {}

    async with serving(path, handle=handle), connected(path) as client:
        monkeypatch.setattr(client_module, "ANSWER_SECONDS", 0.05)
        with pytest.raises(Unreachable, match="did not answer within"):
            await client.call(lambda n: Pause(id=n))
        monkeypatch.setattr(client_module, "ANSWER_SECONDS", 10)
        assert await client.call(lambda n: Resume(id=n)) == {}


@pytest.mark.parametrize(
    ("last_words", "reason"),
    [
        (b"", "closed the connection"),
        (b"\xc1", "does not understand"),
        (packed({"type": "fly", "id": 1}), "does not understand"),
        (
            packed({"type": "error", "code": "failed", "message": "budgetd was stopped."}),
            "was stopped",
        ),
        (packed({"type": "reply", "id": 999}) + b"\x81", "closed the connection"),
    ],
)
async def test_when_the_connection_is_lost_every_waiting_call_fails_and_none_hangs(path, last_words, reason):
    async def talk(reader, writer):
        writer.write(welcome())
        seen = b""
        while seen.count(b"pause") < 50:
            seen += await reader.read(65536)
        writer.write(last_words)
        writer.write_eof()

    async with pretending(path, talk), connected(path) as client:
        calls = [client.call(lambda n: Pause(id=n)) for _ in range(50)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert len(results) == 50
        assert all(isinstance(one, Unreachable) and reason in str(one) for one in results)
        with pytest.raises(Unreachable, match=reason):
            await client.call(lambda n: Pause(id=n))


async def test_a_subscriber_is_told_when_the_daemon_stops(path):
    async with serving(path) as server, connected(path) as client:
        states = await client.subscribe()
        await anext(states)
        await server.stop()
        with pytest.raises(Unreachable, match="stopped"):
            await anext(states)


async def test_closing_ends_what_waits(path):
    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        await asyncio.sleep(0.1)
        return {}

    async with serving(path, handle=handle):
        client = await Client.connect(path, "test")
        waiting = asyncio.create_task(client.call(lambda n: Pause(id=n)))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(Unreachable, match="was closed"):
            await waiting


async def test_nothing_is_left_running_after_all_this(path):
    async with serving(path), connected(path) as client:
        await client.subscribe()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
