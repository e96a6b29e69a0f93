"""A daemon that is told to stop: what runs may end, what is new is refused, and all of it is settled."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from proxy.setting import ASK, END, HEAD, OK, START, STREAM, TEXT, between
from support.daemon import InProcess, running
from support.stream import PATIENCE, Message, Stream
from support.upstream import Upstream

ASK_OF_ANOTHER = ASK.replace(b"hi", b"and another")


@asynccontextmanager
async def stopping(daemon: InProcess) -> AsyncGenerator[asyncio.Task[None]]:
    """It has been told to stop, and refuses what is new."""
    task = asyncio.create_task(daemon.daemon.stop())
    await until(lambda: daemon.daemon._forwarder._stopping)
    yield task
    async with asyncio.timeout(PATIENCE):
        await task


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.005)


def message_of(answer: Message) -> str:
    return json.loads(answer.body)["error"]["message"]


def stream_until(released: asyncio.Event):
    """Answers with a stream whose end waits."""

    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD, START, TEXT)
        await released.wait()
        await peer.send(END)

    return script


async def test_a_stream_that_runs_comes_to_its_end(home: Path) -> None:
    released = asyncio.Event()
    async with between(home, stream_until(released)) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        async with stopping(daemon) as stop:
            assert daemon.daemon._views.daemon().stopping_until is not None
            with pytest.raises(ConnectionRefusedError):
                async with daemon.connect():
                    pass
            assert not stop.done()
            released.set()
            assert await client.read_to_end() == END
        (row,) = daemon.rows_now()
        assert (row["outcome"], row["basis"], row["output_tokens"]) == ("ok", "reported", 700)


async def test_a_client_that_left_is_waited_for_as_well(home: Path) -> None:
    released = asyncio.Event()
    async with between(home, stream_until(released)) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        client.close()
        await until(lambda: all(each.client_left for each in daemon.daemon._forwarder._active))
        async with stopping(daemon) as stop:
            assert not stop.done()
            released.set()
        (row,) = daemon.rows_now()
        assert (row["outcome"], row["basis"], row["output_tokens"]) == ("aborted", "reported", 700)


async def test_a_long_upload_that_runs_comes_to_its_end(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.read_until(b"\r\n\r\n")
        await peer.read(1 << 20)
        begun.set()
        await peer.read(1 << 20)
        await peer.send(OK)

    begun = asyncio.Event()
    async with between(home, script, proxy={"max_body_mib": 1}) as (client, daemon, _):
        request = daemon.request("POST", "/v1/messages", b"Content-Length: %d" % (2 << 20))
        await client.send(request, bytes(3 << 19))
        await begun.wait()
        async with stopping(daemon):
            await client.send(bytes(1 << 19))
            assert (await client.response()).raw == OK
        assert [row["outcome"] for row in daemon.rows_now()] == ["ok"]


@pytest.mark.parametrize("before", [False, True], ids=["while it waits", "before it waits"])
async def test_what_is_cut_breaks_off_and_is_estimated(home: Path, before: bool) -> None:
    async with between(home, stream_until(asyncio.Event())) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        if before:
            daemon.daemon.cut()
        async with stopping(daemon) as stop:
            if not before:
                assert not stop.done()
                daemon.daemon.cut()
            with pytest.raises((EOFError, ConnectionError)):
                await client.read(len(END))
        (row,) = daemon.rows_now()
        assert (row["outcome"], row["basis"]) == ("broken", "estimated")
        assert row["cost_nusd"] > 0


async def test_what_had_no_answer_yet_is_told_why_when_it_is_cut(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    asked = asyncio.Event()
    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await asked.wait()
        daemon.daemon.cut()
        async with stopping(daemon):
            answer = await client.response()
        assert answer.status == 503
        assert message_of(answer).startswith("budgetd was stopped before anthropic answered.")
        (row,) = daemon.rows_now()
        assert (row["outcome"], row["cost_nusd"] > 0) == ("broken", True)


async def test_what_comes_on_a_connection_that_is_busy_is_refused_and_not_sent(home: Path) -> None:
    async def script(peer: Stream) -> None:
        while True:
            await peer.request()
            await released.wait()
            await peer.send(OK)

    released = asyncio.Event()
    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await until(lambda: len(upstream.requests) == 1)
        async with stopping(daemon):
            await client.send(daemon.request("POST", "/v1/messages", body=ASK_OF_ANOTHER))
            released.set()
            assert (await client.response()).raw == OK
            refused = await client.response()
            assert refused.status == 503
            assert message_of(refused) == "budgetd is being stopped. The request was not sent."
            await client.gone()
        assert [request.body for request in upstream.requests] == [ASK]
        assert [row["outcome"] for row in daemon.rows_now()] == ["ok"]


async def test_what_is_still_being_read_is_refused_and_not_sent(home: Path) -> None:
    released = asyncio.Event()
    async with (
        between(home, stream_until(released)) as (client, daemon, upstream),
        daemon.connect() as other,
    ):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        request = daemon.request("POST", "/v1/messages", body=ASK)
        await other.send(request[:-10])
        assert await other.silent_for(0.02)
        async with stopping(daemon):
            await other.send(request[-10:])
            assert (await other.response()).status == 503
            released.set()
        assert len(upstream.requests) == 1
        assert len(daemon.rows_now()) == 1


@pytest.mark.parametrize("cut", [False, True], ids=["it is waited for", "it is cut"])
async def test_what_waits_for_its_connection_costs_nothing_if_it_is_not_sent(home: Path, cut: bool) -> None:
    async def script(peer: Stream) -> None:
        await peer.read_some()
        begun.set()
        await ended.wait()

    begun, ended = asyncio.Event(), asyncio.Event()
    async with Upstream(script) as upstream:
        tls = upstream.url.replace("http:", "https:")  # its handshake is never answered
        async with running(home, {"anthropic": tls}) as daemon, daemon.connect() as client:
            await client.send(daemon.request("POST", "/v1/messages", body=ASK))
            await begun.wait()
            async with stopping(daemon) as stop:
                assert not stop.done()
                daemon.daemon.cut() if cut else ended.set()
            if not cut:
                assert (await client.response()).status == 502
            (row,) = daemon.rows_now()
            assert (row["outcome"], row["cost_nusd"]) == ("failed", 0)


async def test_without_time_to_wait_nothing_is_waited_for(home: Path) -> None:
    async with between(home, stream_until(asyncio.Event()), proxy={"drain_seconds": 0}) as it:
        client, daemon, _ = it
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        async with stopping(daemon):
            pass
        assert [row["outcome"] for row in daemon.rows_now()] == ["broken"]


async def test_the_time_is_that_of_the_configuration_in_force(home: Path) -> None:
    async with between(home, stream_until(asyncio.Event())) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        forwarder = daemon.daemon._forwarder
        forwarder.config = msgspec.structs.replace(forwarder.config, drain_seconds=0)
        async with stopping(daemon):
            pass
        assert [row["outcome"] for row in daemon.rows_now()] == ["broken"]
