"""Clients of HTTP/1.0, which know neither chunks nor interim responses."""

from pathlib import Path

import pytest

from proxy.setting import ASK, OK, between, response
from support.stream import Stream, chunked
from support.upstream import always, once

CHUNKS = (
    b"HTTP/1.1 200 OK\r\nX-A: caf\xe9\r\nSet-Cookie: a\r\nTransfer-Encoding: chunked\r\nset-cookie: b\r\n\r\n"
)


def old(request: bytes) -> bytes:
    return request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)


@pytest.mark.parametrize("wish", [[], [b"Connection: keep-alive"]], ids=["plain", "keep-alive"])
async def test_chunks_are_taken_apart_and_the_end_is_the_connections(home: Path, wish: list[bytes]) -> None:
    answer = CHUNKS + chunked(b"hel", b"lo", trailer=b"X-T: 1\r\n")
    async with between(home, always(answer)) as (client, daemon, upstream):
        await client.send(old(daemon.request("POST", "/v1/messages", *wish, body=ASK)))
        got = await client.response()
        assert got.start == b"HTTP/1.1 200 OK"
        assert got.headers == [
            (b"X-A", b"caf\xe9"),
            (b"Set-Cookie", b"a"),
            (b"set-cookie", b"b"),
            (b"Connection", b"close"),
        ]
        assert got.framed == b"hello"
        assert upstream.requests[0].start == b"POST /v1/messages HTTP/1.1"
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["response_bytes"]) == ("ok", 5)


async def test_a_length_is_kept_and_the_upstream_connection_used_again(home: Path) -> None:
    async with between(home, always(response(b"hello"))) as (_, daemon, upstream):
        for _ in range(2):
            async with daemon.connect() as client:
                await client.send(old(daemon.request("GET", "/v1/models")))
                assert (await client.read_to_end()).endswith(
                    b"Content-Length: 5\r\nConnection: close\r\n\r\nhello"
                )
        assert len(upstream.connections) == 1


async def test_interim_responses_are_left_out(home: Path) -> None:
    async with between(home, always(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK)) as (
        client,
        daemon,
        _,
    ):
        await client.send(old(daemon.request("GET", "/v1/models")))
        assert (await client.response(interim=True)).status == 200


async def test_head_204_and_304_have_no_body(home: Path) -> None:
    async def script(peer: Stream) -> None:
        while True:
            asked = await peer.request()
            if asked.method == "HEAD":
                await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            else:
                await peer.send(b"HTTP/1.1 %b X\r\n\r\n" % asked.target[-3:])

    async with between(home, script) as (_, daemon, _):
        for method, target in (("HEAD", "/"), ("GET", "/v1/models?204"), ("GET", "/v1/models?304")):
            async with daemon.connect() as client:
                await client.send(old(daemon.request(method, target)))
                assert (await client.read_to_end()).endswith(b"Connection: close\r\n\r\n")


async def test_a_stream_that_breaks_off_does_not_look_whole(home: Path) -> None:
    async with between(home, once(CHUNKS, b"5\r\nhello\r\n")) as (client, daemon, _):
        await client.send(old(daemon.request("POST", "/v1/messages", body=ASK)))
        with pytest.raises(ConnectionError):
            await client.read_to_end()
        assert client.received.endswith(b"\r\n\r\nhello")
        assert (await daemon.rows(1))[0]["outcome"] == "broken"
