"""Connections that carry more than one exchange, and those that must not."""

import asyncio
from pathlib import Path

import pytest

from budgetd.proxy import pool
from proxy.setting import ASK, OK, between, response
from support.stream import PATIENCE, Stream, chunked
from support.upstream import always, once


async def test_one_upstream_connection_serves_many_clients_in_turn(home: Path) -> None:
    async with between(home, always(OK)) as (_, daemon, upstream):
        for _ in range(3):
            async with daemon.connect() as client:
                await client.send(daemon.request("POST", "/v1/messages", body=ASK))
                assert (await client.response()).raw == OK
        assert len(upstream.connections) == 1


async def test_requests_at_the_same_time_have_a_connection_each(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await together.wait()
        await peer.send(OK)

    together = asyncio.Barrier(5)
    async with between(home, script) as (_, daemon, upstream):

        async def ask() -> None:
            async with daemon.connect() as client:
                await client.send(daemon.request("POST", "/v1/messages", body=ASK))
                assert (await client.response()).raw == OK

        await asyncio.gather(*(ask() for _ in range(5)))
        assert len(upstream.connections) == 5


async def test_hundreds_of_streams_can_be_open_at_once(home: Path) -> None:
    count = 300
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(head)
        await together.wait()
        await peer.send(chunked(b"ok"))

    together = asyncio.Barrier(count)
    async with between(home, script) as (_, daemon, _):

        async def ask() -> None:
            async with daemon.connect() as client:
                await client.send(daemon.request("POST", "/v1/messages", body=ASK))
                assert (await client.response()).body == b"ok"

        await asyncio.gather(*(ask() for _ in range(count)))
        assert {row["outcome"] for row in await daemon.rows(count)} == {"ok"}


async def test_pipelined_requests_are_answered_in_their_order(home: Path) -> None:
    async def script(peer: Stream) -> None:
        while True:
            asked = await peer.request()
            body = asked.target + b" " + asked.body
            await peer.send(response(body))

    async with between(home, script) as (client, daemon, upstream):
        chunks = daemon.request("POST", "/v1/files?c", b"Transfer-Encoding: chunked") + chunked(b"x", b"yz")
        await client.send(
            daemon.request("POST", "/v1/files?a", body=b"one")
            + daemon.request("GET", "/v1/models?b")
            + chunks
            + daemon.request("GET", "/-/health")
            + daemon.request("POST", "/v1/files?d", body=b"four" * 50_000)
            + daemon.request("GET", "/v1/models?e")
        )
        bodies = [(await client.response()).body for _ in range(6)]
        assert bodies == [
            b"/v1/files?a one",
            b"/v1/models?b ",
            b"/v1/files?c xyz",
            b'{"status":"ok"}',
            b"/v1/files?d " + b"four" * 50_000,
            b"/v1/models?e ",
        ]
        assert len(upstream.requests) == 5


async def test_more_pipelined_requests_than_are_queued_are_all_answered(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("GET", "/v1/models") * 200)
        for _ in range(200):
            assert (await client.response()).raw == OK
        assert len(upstream.requests) == 200


async def test_a_client_that_asks_to_close_is_closed_and_the_upstream_kept(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", b"connection: Close", body=ASK))
        assert await client.read_to_end() == OK
        async with daemon.connect() as another:
            await another.send(daemon.request("POST", "/v1/messages", body=ASK))
            assert (await another.response()).raw == OK
        assert len(upstream.connections) == 1
        assert not upstream.requests[0].values(b"connection")


@pytest.mark.parametrize(
    "answer",
    [
        response(b"ok", b"Connection: close"),
        response(b"ok", b"CONNECTION: foo, Close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["close", "close among others", "http/1.0"],
)
async def test_an_upstream_that_announces_its_close_is_not_used_again(home: Path, answer: bytes) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(answer)
        await peer.gone()

    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert await client.read_to_end() == answer  # with the announcement, which is kept
        async with daemon.connect() as another:
            await another.send(daemon.request("POST", "/v1/messages", body=ASK))
            assert await another.read_to_end() == answer
        assert [len(each.messages) for each in upstream.connections] == [1, 1]


@pytest.mark.parametrize("surplus", [b"x", OK, b"HTTP/1.1 200 OK\r\nContent-Le", b"\x00" * 1000])
async def test_bytes_after_a_response_never_answer_another_request(home: Path, surplus: bytes) -> None:
    async def script(peer: Stream) -> None:
        while True:
            await peer.request()
            await peer.send(OK + surplus)

    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("GET", "/v1/models?1") + daemon.request("GET", "/v1/models?2"))
        assert await client.read(2 * len(OK)) == OK + OK
        async with daemon.connect() as another:
            await another.send(daemon.request("GET", "/v1/models?3"))
            assert await another.read(len(OK)) == OK
        assert await client.silent_for(0.01)
        assert [len(each.messages) for each in upstream.connections] == [1, 1, 1]


@pytest.mark.parametrize("body", [b"hello", b"", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
async def test_a_body_that_answers_head_is_not_passed_on(home: Path, framing: bytes, body: bytes) -> None:
    head = b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n"

    async def script(peer: Stream) -> None:
        while True:
            asked = await peer.request()
            await peer.send(head + body if asked.method == "HEAD" else OK)

    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("HEAD", "/"))
        assert await client.read(len(head)) == head
        rest = b""
        try:
            await client.send(daemon.request("GET", "/v1/models"))
            rest = await client.read_some()
        except ConnectionError:
            pass
        assert rest in {b"", OK}
        async with daemon.connect() as another:
            await another.send(daemon.request("GET", "/v1/models"))
            assert (await another.response()).raw == OK


async def test_a_connection_that_the_upstream_closed_while_idle_is_not_used(home: Path) -> None:
    async with between(home, once(OK)) as (client, daemon, upstream):
        for number in range(1, 6):
            await client.send(daemon.request("POST", "/v1/messages", body=ASK))
            assert (await client.response()).raw == OK
            assert len(upstream.requests) == number


async def test_a_connection_on_which_the_upstream_spoke_while_idle_is_not_used(home: Path) -> None:
    spoken = asyncio.Event()

    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(OK)
        if not spoken.is_set():
            await go.wait()
            await peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            spoken.set()
            await peer.gone()

    go = asyncio.Event()
    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert (await client.response()).raw == OK
        go.set()
        await spoken.wait()
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert (await client.response()).raw == OK
        assert [len(each.messages) for each in upstream.connections] == [1, 1]


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_request_that_meets_a_closing_connection_is_not_sent_again(home: Path, how: str) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        peer.reset() if how == "reset" else peer.close()

    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert (await client.response()).raw == OK
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        answer = await client.response()
        assert answer.status == 502
        assert b"sent once" in answer.body
        first, second = await daemon.rows(2)
        assert (first["outcome"], second["outcome"]) == ("ok", "broken")
        assert len(upstream.requests) == 2
        assert len(upstream.connections) == 1


async def test_an_upstream_that_answers_before_it_has_the_body_is_not_used_again(home: Path) -> None:
    early = response(b"too large", status=b"413 Content Too Large")

    async def script(peer: Stream) -> None:
        await peer.read_until(b"\r\n\r\n")
        await peer.send(early)
        await peer.gone()

    async with between(home, script, proxy={"max_body_mib": 1}) as (client, daemon, upstream):
        for connection in (client, None):
            async with daemon.connect() as fresh:
                asking = connection or fresh
                request = daemon.request("POST", "/v1/files", b"Transfer-Encoding: chunked")
                await asking.send(request + b"%x\r\n" % (4 << 20), bytes((1 << 20) + 1))
                assert (await asking.response()).raw == early
        assert [stream.received.count(b"POST") for stream in upstream.connections] == [1, 1]


async def test_an_idle_connection_is_closed_after_a_while(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.02)
    closed = asyncio.Event()

    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.gone()
        closed.set()

    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("GET", "/v1/models"))
        await client.response()
        async with asyncio.timeout(PATIENCE):
            await closed.wait()
