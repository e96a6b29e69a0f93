"""Handshake, calls, and what happens to clients that break the rules."""

import asyncio
import contextlib
import os
import shutil
import stat
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgetd.control import connection, server
from budgetd.control.server import CommandError, Peer
from budgetwire.messages import Call, Pause, SendTest, SetLimit
from budgetwire.peer import Credentials
from control.fakes import WELCOME, serving
from control.raw import HELLO, greeted, raw
from support.stream import PATIENCE


async def test_hello_is_answered_by_a_welcome(path):
    async with serving(path), raw(path, HELLO) as client:
        assert await client.read() == {
            "type": "welcome",
            "version": WELCOME.version,
            "daemon": "0.1.0",
            "pid": 4711,
            "started_at": 1.0,
            "listen": "127.0.0.1:8766",
        }


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        ("2.0", "The daemon is older"),
        ("0.9", "The client is older"),
        ("new", "A version is written like 1.0"),
    ],
)
async def test_another_major_version_is_refused_with_advice(path, version, advice):
    async with serving(path), raw(path, HELLO | {"version": version}) as client:
        (error,) = await client.read_until_end()
        assert error["code"] == "version"
        assert advice in error["message"]


async def test_another_minor_version_is_welcome(path):
    async with serving(path), raw(path, HELLO | {"version": "1.99", "colour": "unknown"}) as client:
        assert (await client.read())["type"] == "welcome"


@pytest.mark.parametrize(
    "first",
    [
        {"type": "pause", "id": 1},
        {"type": "unheard of", "id": 1},
        {"type": "hello", "version": "1.0"},
        {"type": "hello", "version": "1.0", "name": ""},
        {"type": "hello", "version": "1.0", "name": "x" * 101},
        {"type": "hello", "version": "1.0", "name": "two\nlines"},
        {"hello": 1},
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_does_not_begin_with_hello_is_told_so_and_closed(path, first):
    async with serving(path), raw(path, first) as client:
        (error,) = await client.read_until_end()
        assert (error["type"], error["code"]) == ("error", "bad_message")
        assert error["message"]


async def test_a_client_that_says_nothing_is_closed(path, monkeypatch):
    monkeypatch.setattr(connection, "HELLO_SECONDS", 0.05)
    async with serving(path), raw(path) as client:
        (error,) = await client.read_until_end()
        assert "hello" in error["message"]


async def test_a_call_reaches_its_handler_with_who_made_it(path):
    calls: list[tuple[Call, Peer]] = []

    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        calls.append((call, peer))
        return {"acknowledged": 2}

    set_limit = {"type": "set_limit", "id": 7, "limit": "daily", "limit_cents": 500}
    async with serving(path, handle=handle), greeted(path, set_limit) as client:
        assert await client.read() == {"type": "reply", "id": 7, "result": {"acknowledged": 2}}
    peer = Peer(pid=os.getpid(), uid=os.getuid(), name="test")
    assert calls == [(SetLimit(id=7, limit="daily", limit_cents=500), peer)]


async def test_a_refused_call_is_answered_by_its_error_and_the_connection_goes_on(path):
    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        if isinstance(call, Pause):
            return {}
        raise CommandError("not_found", "There is no limit 'dayly'.", "limit")

    set_limit = {"type": "set_limit", "id": 1, "limit": "dayly", "limit_cents": 500}
    async with serving(path, handle=handle), greeted(path, set_limit, {"type": "pause", "id": 2}) as client:
        assert await client.read() == {
            "type": "error",
            "id": 1,
            "code": "not_found",
            "message": "There is no limit 'dayly'.",
            "field": "limit",
        }
        assert await client.read() == {"type": "reply", "id": 2, "result": {}}


@pytest.mark.parametrize("fault", [ZeroDivisionError("secret"), object()])
async def test_a_fault_in_a_handler_is_an_answer_without_its_details(path, fault, caplog):
    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        if isinstance(fault, Exception):
            raise fault
        return {"not": fault}

    async with serving(path, handle=handle), greeted(path, {"type": "pause", "id": 1}) as client:
        error = await client.read()
        assert (error["id"], error["code"]) == (1, "failed")
        assert "secret" not in error["message"]
    assert "the call Pause failed" in caplog.text


async def test_an_unknown_call_is_answered_and_the_connection_goes_on(path):
    newer = {"type": "fly", "id": 1}
    async with serving(path), greeted(path, newer, {"type": "pause", "id": 2}) as client:
        error = await client.read()
        assert (error["id"], error["code"], error["field"]) == (1, "bad_message", "type")
        assert "'fly'" in error["message"]
        assert (await client.read())["id"] == 2


async def test_a_call_with_a_wrong_field_is_answered_with_the_name_of_the_field(path):
    wrong = {"type": "set_limit", "id": 1, "limit": "daily", "limit_cents": "five"}
    async with serving(path), greeted(path, wrong) as client:
        assert (await client.read())["field"] == "limit_cents"


async def test_a_second_hello_closes_the_connection(path):
    async with serving(path), greeted(path, HELLO) as client:
        (error,) = await client.read_until_end()
        assert error["code"] == "bad_message"


GARBAGE = [
    b"\xc1",
    msgpack.packb([1, 2]),
    msgpack.packb({"type": "pause"}),
    b"\x81\xa4type" + b"\x91" * 40 + b"\xc0",
    b"\x91" * 5000,
    b"\xdd\xff\xff\xff\xff",
    b"\xdb\x7f\xff\xff\xff" + b"x" * 1024 * 1024,
    msgpack.packb({"type": "pause", "id": 1, "more": "x" * 1024 * 1024}),
    msgpack.packb(msgpack.ExtType(5, b"x")),
    b"\x81\x01\x02",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda data: data[:6].hex())
async def test_garbage_closes_that_connection_alone(path, garbage):
    async with serving(path), greeted(path) as good, greeted(path) as bad:
        sending = asyncio.create_task(bad.send(garbage))
        (error,) = await bad.read_until_end()
        assert (error["type"], error["code"]) == ("error", "bad_message")
        assert "id" not in error or error["id"] is None
        await asyncio.wait([sending])
        sending.exception()
        await good.send({"type": "pause", "id": 1})
        assert (await good.read())["type"] == "reply"


async def test_good_messages_before_garbage_are_answered(path):
    async with serving(path), greeted(path, {"type": "pause", "id": 1}, b"\xc1") as client:
        first, second = await client.read_until_end()
        assert (first["type"], second["type"]) == ("reply", "error")


async def test_a_client_that_has_said_all_still_gets_its_answers(path):
    calls = [{"type": "pause", "id": n} for n in range(5)]
    async with serving(path), raw(path, HELLO, *calls) as client:
        client.writer.write_eof()
        answers = await client.read_until_end()
    assert [answer.get("id") for answer in answers] == [None, 0, 1, 2, 3, 4]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_no_bytes_stop_the_server(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("s") / "run" / "d.sock"

    async def scenario():
        async with serving(path), greeted(path) as good:
            async with greeted(path, data) as bad:
                bad.writer.write_eof()
                await bad.read_until_end()
            await good.send({"type": "pause", "id": 1})
            assert (await good.read())["type"] == "reply"

    asyncio.run(scenario())


class Slow:
    """Does `send_test` when it is told to, and everything else at once."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.begun = asyncio.Semaphore(0)
        self.ended: list[int] = []

    async def __call__(self, call: Call, peer: Peer) -> dict[str, Any]:
        if isinstance(call, SendTest):
            self.begun.release()
            await self.go_on.wait()
            self.ended.append(call.id)
        return {"was": call.id}


def slow_call(id: int) -> dict[str, Any]:
    return {"type": "send_test", "id": id, "channel": None}


async def test_a_call_that_waits_does_not_hold_up_those_behind_it(path):
    slow = Slow()
    async with serving(path, handle=slow), greeted(path, slow_call(1)) as client:
        await client.send(*({"type": "pause", "id": n} for n in range(2, 40)))
        assert [(await client.read())["id"] for _ in range(2, 40)] == [*range(2, 40)]
        slow.go_on.set()
        assert await client.read() == {"type": "reply", "id": 1, "result": {"was": 1}}


async def test_only_so_many_calls_of_a_connection_wait_and_one_more_is_told_so(path):
    slow, most = Slow(), connection.MAX_WAITING
    async with serving(path, handle=slow), greeted(path, *map(slow_call, range(most + 1))) as client:
        error = await client.read()
        assert (error["id"], error["code"]) == (most, "conflict")
        assert f"{most} calls" in error["message"]
        await client.send({"type": "pause", "id": 100})
        assert await client.read() == {"type": "reply", "id": 100, "result": {"was": 100}}
        slow.go_on.set()
        assert {(await client.read())["id"] for _ in range(most)} == {*range(most)}
        await client.send(slow_call(most))
        assert (await client.read())["type"] == "reply"
    assert most in slow.ended


async def test_a_call_that_waits_is_done_though_its_client_leaves(path):
    slow = Slow()
    async with serving(path, handle=slow), greeted(path, slow_call(1)) as client:
        await slow.begun.acquire()
        client.writer.transport.abort()
        async with greeted(path, {"type": "pause", "id": 1}) as another:
            await another.read()
        assert slow.ended == []
        slow.go_on.set()
        async with asyncio.timeout(10):
            while slow.ended != [1]:
                await asyncio.sleep(0.005)


async def test_a_call_that_would_wait_for_ever_does_not_keep_the_server_from_stopping(path, monkeypatch):
    monkeypatch.setattr(server, "STOP_SECONDS", 0.05)
    slow = Slow()
    async with serving(path, handle=slow) as it, greeted(path, slow_call(1)) as client:
        await slow.begun.acquire()
        await it.stop()
        (error,) = await client.read_until_end()
        assert "stopped" in error["message"]
    assert slow.ended == []


async def test_more_connections_than_allowed_are_told_so(path, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)
    async with serving(path), greeted(path), greeted(path) as last:
        async with raw(path, HELLO) as third:
            (error,) = await third.read_until_end()
            assert "2 connections" in error["message"]
        last.writer.transport.abort()
        while True:  # the place becomes free when the server notices
            async with raw(path, HELLO) as fourth:
                if (await fourth.read())["type"] == "welcome":
                    break


async def until_welcome(path) -> None:
    """Wait until a client is welcomed there."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                async with raw(path, HELLO) as client:
                    assert (await client.read())["type"] == "welcome"
                    return
            await asyncio.sleep(0.01)


async def test_a_socket_that_was_removed_is_made_again(path, monkeypatch):
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.01)
    async with serving(path), greeted(path) as first:
        for _ in range(2):
            shutil.rmtree(path.parent)
            await until_welcome(path)
            assert stat.filemode(path.lstat().st_mode) == "srw-------"
            assert stat.filemode(path.parent.lstat().st_mode) == "drwx------"
            await first.send({"type": "pause", "id": 1})
            assert (await first.read())["type"] == "reply"
    assert not path.exists()


async def test_a_socket_that_cannot_be_made_again_is_logged_once_and_tried_until_it_can(
    path, monkeypatch, caplog
):
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.01)
    async with serving(path):
        shutil.rmtree(path.parent)
        path.parent.write_text("in the way")
        async with asyncio.timeout(PATIENCE):
            while "cannot be made again" not in caplog.text:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # it is tried again
        path.parent.unlink()
        await until_welcome(path)
    assert caplog.text.count("cannot be made again") == 1
    assert caplog.text.count("it is there again") == 1


async def test_another_user_is_turned_away(path, monkeypatch):
    monkeypatch.setattr(server, "peer_of", lambda writer: Credentials(pid=1, uid=os.getuid() + 1))
    async with serving(path), raw(path) as client:
        (error,) = await client.read_until_end()
        assert "another user" in error["message"]


async def test_stopping_tells_the_clients_and_lets_a_running_call_end(path):
    started, finished = asyncio.Event(), asyncio.Event()
    go_on = asyncio.Event()

    async def handle(call: Call, peer: Peer) -> dict[str, Any]:
        started.set()
        await go_on.wait()
        finished.set()
        return {}

    async with serving(path, handle=handle) as server, greeted(path, {"type": "pause", "id": 1}) as client:
        await started.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        await server.stop()
        assert finished.is_set()
        (error,) = await client.read_until_end()
        assert "stopped" in error["message"]
