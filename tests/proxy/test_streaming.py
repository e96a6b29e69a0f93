"""Pace: each piece of a response goes on as soon as it came, and no side is sent more than it takes."""

import asyncio
from pathlib import Path

import pytest

from proxy.setting import ASK, OK, between
from support.stream import Stream
from support.upstream import once

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_each_chunk_is_passed_on_before_the_next_is_sent(home: Path, version: bytes) -> None:
    seen: asyncio.Queue[None] = asyncio.Queue()
    chunks = [b"data: %d\n\n" % number for number in range(50)]

    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD)
        for chunk in chunks:
            await peer.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await seen.get()  # waits for the client
        await peer.send(b"0\r\n\r\n")

    async with between(home, script) as (client, daemon, _):
        request = daemon.request("POST", "/v1/messages", body=ASK)
        await client.send(request.replace(b"HTTP/1.1", version))
        for chunk in chunks:
            await client.read_until(chunk)
            seen.put_nowait(None)
        assert (await daemon.rows(1))[0]["outcome"] == "ok"


async def test_a_chunk_that_comes_in_parts_is_passed_on_in_parts(home: Path) -> None:
    seen: asyncio.Queue[None] = asyncio.Queue()
    # Heads and what stands between chunks go on whole, data as it comes.
    parts = [b"4\r\nd", b"a", b"t", b"a", b"\r", b"\n", b"1;x=y\r\n:", b"\r", b"\n", b"0\r\nX: y\r\n\r\n"]

    async def script(peer: Stream) -> None:
        await peer.request()
        for part in (HEAD, *parts):
            for byte in part:
                await peer.send(bytes([byte]))
            await seen.get()

    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        for part in (HEAD, *parts):
            assert await client.read(len(part)) == part
            seen.put_nowait(None)


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_a_client_that_does_not_read_holds_the_upstream_and_loses_nothing(
    home: Path, version: bytes
) -> None:
    piece = bytes(range(256)) * 256
    pieces = 1024
    sent = 0

    async def script(peer: Stream) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * len(piece)))
        for _ in range(pieces):
            await peer.send(piece)
            sent += len(piece)

    async with between(home, script, receive_buffer=65536) as (client, daemon, _):
        client.stop_reading()
        request = daemon.request("POST", "/v1/messages", body=ASK)
        await client.send(request.replace(b"HTTP/1.1", version))
        before = -1
        while sent != before:  # until nothing flows any more
            before = sent
            await asyncio.sleep(0.1)
        assert 0 < sent < 16 << 20  # buffers of two connections, not the 64 MiB
        client.read_on()
        await client.read_until(b"\r\n\r\n")
        for _ in range(pieces):
            assert await client.read(len(piece)) == piece
            client.received = b""
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["response_bytes"]) == ("ok", pieces * len(piece))


async def test_a_slow_client_does_not_hold_others(home: Path) -> None:
    async with between(
        home, once(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (32 << 20), bytes(32 << 20))
    ) as (
        client,
        daemon,
        _,
    ):
        client.stop_reading()
        await client.send(daemon.request("GET", "/v1/files/f/content"))
        async with daemon.connect() as other:
            await other.send(daemon.request("GET", "/v1/files/f/content"))
            for _ in range(32):
                await other.read(1 << 20)
                other.received = b""


async def test_an_upstream_that_takes_a_long_body_slowly_holds_the_client(home: Path) -> None:
    go = asyncio.Event()
    size = 64 << 20

    async def script(peer: Stream) -> None:
        await peer.read_until(b"\r\n\r\n")
        peer.stop_reading()
        await go.wait()
        peer.read_on()
        for _ in range(size >> 20):
            await peer.read(1 << 20)
            peer.received = b""
        await peer.send(OK)

    async with between(home, script, proxy={"max_body_mib": 1}) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/files", b"Content-Length: %d" % size))
        sent = 0

        async def upload() -> None:
            nonlocal sent
            for _ in range(size >> 20):
                await client.send(bytes(1 << 20))
                sent += 1 << 20

        uploading = asyncio.create_task(upload())
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 32 << 20
        go.set()
        await uploading
        assert (await client.response()).raw == OK


async def test_an_upstream_that_reads_slowly_gets_a_held_body_whole(home: Path) -> None:
    body = bytes(range(256)) * (20 << 12)

    async def script(peer: Stream) -> None:
        await peer.read_until(b"\r\n\r\n")
        got = b""
        while len(got) < len(body):
            got += await peer.read_some()
        assert got == body
        await peer.send(OK)

    async with between(home, script, receive_buffer=65536) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=body))
        assert (await client.response()).raw == OK
