"""Clients that go away: what they had asked for is paid, so it is read to its end, or else estimated."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from proxy.setting import ASK, END, HEAD, OK, START, STREAM, TEXT, between, leave, ways
from support.daemon import InProcess, running
from support.stream import PATIENCE, Stream
from support.upstream import Upstream, always


async def until_draining(daemon: InProcess) -> None:
    """Wait until the daemon has noticed that the client left."""
    async with asyncio.timeout(PATIENCE):
        while any(each.ticket.phase != "draining" for each in daemon.daemon._accounts.in_flight.values()):
            await asyncio.sleep(0.005)


@ways
async def test_a_client_that_leaves_in_the_middle_of_its_upload_has_sent_nothing(
    home: Path, how: str
) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", b"Content-Length: 100") + ASK[:50])
        assert await client.silent_for(0.02)
        leave(client, how)
        async with daemon.connect() as another:
            await another.send(daemon.request("GET", "/v1/models"))
            await another.response()
        assert len(upstream.requests) == 1
        assert await daemon.rows(0) == []


@ways
@pytest.mark.parametrize("framing", [b"Content-Length: 4194304", b"Transfer-Encoding: chunked"])
async def test_a_client_that_leaves_while_a_long_body_streams_through_is_charged_an_estimate(
    home: Path, how: str, framing: bytes
) -> None:
    ended = asyncio.Event()

    async def script(peer: Stream) -> None:
        await peer.read_until(b"\r\n\r\n")
        await peer.read(1 << 20)
        begun.set()
        await peer.gone()
        ended.set()

    begun = asyncio.Event()
    async with between(home, script, proxy={"max_body_mib": 1}) as (client, daemon, _):
        size = b"200000\r\n" if b"chunked" in framing else b""
        await client.send(daemon.request("POST", "/v1/messages", framing) + size, bytes(3 << 19))
        await begun.wait()
        leave(client, how)
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["basis"]) == ("aborted", "unmetered")
        assert row["cost_nusd"] > 0
        async with asyncio.timeout(PATIENCE):
            await ended.wait()  # the upstream is not left waiting for the rest


async def test_a_long_body_whose_framing_goes_wrong_is_charged_an_estimate(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.read_until(b"\r\n\r\n")
        begun.set()
        await peer.gone()
        ended.set()

    begun, ended = asyncio.Event(), asyncio.Event()
    async with between(home, script, proxy={"max_body_mib": 1}) as (client, daemon, _):
        request = daemon.request("POST", "/v1/messages", b"Transfer-Encoding: chunked")
        await client.send(request + b"180000\r\n", bytes(3 << 19))
        await begun.wait()
        await client.send(b"\r\nzz\r\n")
        client.close()
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["basis"]) == ("aborted", "unmetered")
        assert row["cost_nusd"] > 0
        async with asyncio.timeout(PATIENCE):
            await ended.wait()


@ways
async def test_a_client_that_leaves_before_anything_was_sent_pays_nothing(home: Path, how: str) -> None:
    async def script(peer: Stream) -> None:
        await peer.read_some()
        begun.set()
        await peer.gone()

    begun = asyncio.Event()
    async with Upstream(script) as upstream:
        tls = upstream.url.replace("http:", "https:")  # its handshake is never answered
        async with running(home, {"anthropic": tls}) as daemon, daemon.connect() as client:
            await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
            await begun.wait()
            leave(client, how)
            row = (await daemon.rows(1))[0]
            assert (row["outcome"], row["cost_nusd"]) == ("failed", 0)
            assert b"claude" not in upstream.received


@ways
async def test_a_client_that_leaves_before_the_response_pays_what_it_used(home: Path, how: str) -> None:
    left = asyncio.Event()

    async def script(peer: Stream) -> None:
        await peer.request()
        asked.set()
        await left.wait()
        await peer.send(HEAD, START, TEXT, END)
        await peer.gone()

    asked = asyncio.Event()
    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await asked.wait()
        leave(client, how)
        await until_draining(daemon)
        left.set()
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["basis"], row["status"]) == ("aborted", "reported", 200)
        assert (row["input_tokens"], row["output_tokens"]) == (1000, 700)
        assert row["cost_nusd"] > 0
        assert len(upstream.requests) == 1


@ways
async def test_a_client_that_leaves_in_the_middle_of_a_stream_pays_what_it_used(home: Path, how: str) -> None:
    left = asyncio.Event()

    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD, START, TEXT)
        await left.wait()
        for _ in range(100):
            await peer.send(TEXT)
        await peer.send(END)

    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        leave(client, how)
        await until_draining(daemon)
        left.set()
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["basis"]) == ("aborted", "reported")
        assert (row["input_tokens"], row["output_tokens"]) == (1000, 700)
        assert len(upstream.requests) == 1


@ways
async def test_a_client_that_leaves_with_a_full_buffer_does_not_hold_the_upstream_up(
    home: Path, how: str
) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD, START)
        filler = b": " + b"x" * 65_536 + b"\n\n"
        for number in range(400):
            await peer.send(b"%x\r\n%b\r\n" % (len(filler), filler))
            if number == 200:
                half.set()
        await peer.send(END)

    half = asyncio.Event()
    async with between(home, script, receive_buffer=65536) as (client, daemon, _):
        client.stop_reading()
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        before = -1
        while before != daemon.rows_now().__len__():
            before = len(daemon.rows_now())
            await asyncio.sleep(0.1)
        assert not half.is_set()
        leave(client, how)
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["basis"], row["output_tokens"]) == ("aborted", "reported", 700)


@ways
@pytest.mark.parametrize("drain_seconds", [0, 0.05])
async def test_an_upstream_that_does_not_end_in_time_is_cut_and_estimated(
    home: Path, how: str, drain_seconds: float
) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD, START, TEXT)
        await peer.gone()
        cut.set()

    cut = asyncio.Event()
    async with between(home, script) as (client, daemon, _):
        forwarder = daemon.daemon._forwarder
        forwarder.config = msgspec.structs.replace(forwarder.config, drain_seconds=drain_seconds)
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        leave(client, how)
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["basis"]) == ("aborted", "estimated")
        assert row["input_tokens"] == 1000
        assert 100 <= row["output_tokens"] <= 300  # what 500 bytes of words are
        assert row["cost_nusd"] > 0
        async with asyncio.timeout(PATIENCE):
            await cut.wait()


@ways
async def test_with_nothing_answered_and_no_time_to_wait_the_cost_is_still_not_zero(
    home: Path, how: str
) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    asked = asyncio.Event()
    async with between(home, script, proxy={"drain_seconds": 0}) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await asked.wait()
        leave(client, how)
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["basis"], row["status"]) == ("aborted", "estimated", 0)
        assert row["cost_nusd"] > 0


async def test_what_is_pipelined_behind_an_abandoned_request_is_not_sent(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    asked = asyncio.Event()
    async with between(home, script, proxy={"drain_seconds": 0}) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM) * 2)
        await asked.wait()
        client.close()
        assert (await daemon.rows(1))[0]["outcome"] == "aborted"
        assert len(upstream.requests) == 1


async def test_a_connection_drained_to_its_end_is_used_again(home: Path) -> None:
    left = asyncio.Event()

    async def script(peer: Stream) -> None:
        await peer.request()
        asked.set()
        await left.wait()
        await peer.send(HEAD, START, END)
        await peer.request()
        await peer.send(OK)

    asked = asyncio.Event()
    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await asked.wait()
        client.close()
        await until_draining(daemon)
        left.set()
        await daemon.rows(1)
        async with daemon.connect() as another:
            await another.send(daemon.request("POST", "/v1/messages", body=ASK))
            assert (await another.response()).raw == OK
        assert len(upstream.connections) == 1


async def test_stopping_the_daemon_settles_what_still_drains(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD, START, TEXT)
        await peer.gone()

    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        client.close()
        await until_draining(daemon)
        forwarder = daemon.daemon._forwarder
        forwarder.config = msgspec.structs.replace(forwarder.config, drain_seconds=0)
    row = daemon.rows_now()[0]
    assert (row["outcome"], row["basis"]) == ("aborted", "estimated")
    assert row["cost_nusd"] > 0
