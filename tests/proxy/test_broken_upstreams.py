"""Upstreams that cannot be reached, break off, say nothing or talk nonsense: what the client is told, and
that nothing is ever sent twice.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from budgetd.proxy import pool, wording
from proxy.setting import ASK, OK, Setting, between
from support.daemon import running
from support.stream import Message, Stream
from support.upstream import Script, Upstream, once

PATHS = {
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "gemini": "/v1beta/models/gemini-3-pro:generateContent",
}
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def message_of(answer: Message, dialect: str) -> str:
    """The error's message, after a look at its shape."""
    assert answer.values(b"content-type") == [b"application/json"]
    body: dict[str, Any] = json.loads(answer.body)
    error = body["error"]
    if dialect == "anthropic":
        assert body["type"] == "error"
        assert error["type"] == "api_error"
    elif dialect == "gemini":
        assert error["code"] == answer.status
        assert error["status"] == "UNAVAILABLE"
    else:
        assert {"message", "type", "param", "code"} <= error.keys()
    return error["message"]


async def refusing_port() -> int:
    async with Upstream(once()) as upstream:
        return upstream.port


@pytest.mark.parametrize("dialect", PATHS)
async def test_a_refused_connection_is_a_502_in_the_providers_shape(home: Path, dialect: str) -> None:
    url = f"http://127.0.0.1:{await refusing_port()}"
    async with (
        running(home, dict.fromkeys(("anthropic", "openai", "gemini"), url)) as daemon,
        daemon.connect() as client,
    ):
        for _ in range(2):  # and the connection stays usable
            await client.send(daemon.request("POST", PATHS[dialect], body=ASK))
            answer = await client.response()
            assert answer.status == 502
            message = message_of(answer, dialect)
            assert "could not reach" in message
            assert "was not sent" in message
        for row in await daemon.rows(2):
            assert (row["outcome"], row["cost_nusd"], row["status"]) == ("failed", 0, 0)


@pytest.mark.parametrize(
    "host",
    [".".join(["a" * 60] * 5), "a" * 70 + ".example", "a..b"],
    ids=["too long", "long label", "empty label"],
)
async def test_a_name_that_does_not_resolve_is_a_502(home: Path, host: str) -> None:
    # Names that no resolver can ask for, so that nothing leaves this machine.
    async with running(home, {"anthropic": f"http://{host}:80"}) as daemon, daemon.connect() as client:
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        answer = await client.response()
        assert answer.status == 502
        assert "was not sent" in message_of(answer, "anthropic")
        assert (await daemon.rows(1))[0]["outcome"] == "failed"


@pytest.mark.parametrize("dialect", PATHS)
async def test_a_connection_that_is_not_made_in_time_is_a_504(
    home: Path, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 0.05)

    async def silent(peer: Stream) -> None:
        await peer.gone()  # no word of TLS

    async with Upstream(silent) as upstream:
        url = upstream.url.replace("http:", "https:")
        async with (
            running(home, dict.fromkeys(("anthropic", "openai", "gemini"), url)) as daemon,
            daemon.connect() as client,
        ):
            await client.send(daemon.request("POST", PATHS[dialect], body=ASK))
            answer = await client.response()
            assert answer.status == 504
            assert "was not sent" in message_of(answer, dialect)
            row = (await daemon.rows(1))[0]
            assert (row["outcome"], row["cost_nusd"]) == ("failed", 0)


async def told(setting: Setting, dialect: str = "anthropic") -> tuple[int, str]:
    """Send one POST; status and message of what budgetd says in its own name."""
    client, daemon, _ = setting
    await client.send(daemon.request("POST", PATHS[dialect], body=ASK))
    answer = await client.response()
    return answer.status, message_of(answer, dialect)


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("dialect", PATHS)
async def test_a_break_before_the_first_byte_is_a_502_that_says_the_request_was_sent_once(
    home: Path, dialect: str, how: str
) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        if how == "reset":
            peer.reset()

    async with between(home, script) as setting:
        for _ in range(2):  # the client's connection stays usable
            status, message = await told(setting, dialect)
            assert status == 502
            assert "sent once" in message
        assert len(setting.upstream.requests) == 2
        for row in await setting.daemon.rows(2):
            assert row["outcome"] == "broken"
            assert row["cost_nusd"] > 0  # whether it was processed is not known


GARBAGE: dict[str, bytes] = {
    "tls": b"\x15\x03\x01\x00\x02\x02\x46",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "html": b"<html>502</html>",
    "http/2": b"HTTP/2 200\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
    "two framings": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
    "zeros": bytes(100_000),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_an_upstream_that_does_not_speak_http_is_a_502(home: Path, garbage: bytes) -> None:
    async with between(home, once(garbage)) as setting:
        status, message = await told(setting)
        assert status == 502
        assert "sent once" in message
        assert (await setting.daemon.rows(1))[0]["outcome"] == "broken"


async def test_a_head_without_end_is_cut(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(b"X-Filler: %s\r\n" % (b"x" * 10_000))

    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        answer = await client.response()
        assert answer.status == 502
        assert b"its head is longer than 256 KiB" in answer.body
        assert (await daemon.rows(1))[0]["outcome"] == "broken"


MIDDLES: dict[str, tuple[bytes, ...]] = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",),
    "chunks": (CHUNKS, b"5\r\nhello\r\n"),
    "chunk": (CHUNKS, b"5\r\nhel"),
    "bad chunk": (CHUNKS, b"5\r\nhello\r\n", b"zz\r\n"),
    "after interim": (b"HTTP/1.1 103 Early\r\n\r\n",),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("chunks", MIDDLES.values(), ids=MIDDLES)
async def test_a_break_in_the_middle_reaches_the_client_as_it_was(
    home: Path, chunks: tuple[bytes, ...], how: str
) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        for chunk in chunks:
            await peer.send(chunk)
            await seen.get()
        if how == "reset":
            peer.reset()

    seen: asyncio.Queue[None] = asyncio.Queue()
    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        for chunk in chunks:
            if chunk != b"zz\r\n":
                assert await client.read(len(chunk)) == chunk
            seen.put_nowait(None)
        await client.gone()
        assert client.received in {b"".join(chunks), b"".join(chunks).removesuffix(b"zz\r\n")}
        row = (await daemon.rows(1))[0]
        assert row["outcome"] == "broken"
        assert row["cost_nusd"] > 0
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_half_a_head_is_not_passed_on(home: Path, how: str) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
        if how == "reset":
            peer.reset()

    async with between(home, script) as setting:
        for _ in range(2):  # the client's connection stays usable
            status, message = await told(setting)
            assert status == 502
            assert "broke off before it answered" in message
        assert {row["outcome"] for row in await setting.daemon.rows(2)} == {"broken"}


async def test_a_reset_is_not_taken_for_the_end_of_the_last_chunk(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(CHUNKS + b"5\r\nhello\r\n0\r\n")
        await seen.wait()
        peer.reset()

    seen = asyncio.Event()
    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await client.read_until(b"hello\r\n")
        seen.set()
        await client.gone()
        assert client.received == CHUNKS + b"5\r\nhello\r\n"
        assert (await daemon.rows(1))[0]["outcome"] == "broken"


async def test_a_reset_is_not_taken_for_the_end_of_a_body_without_length(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await peer.read(1)
        peer.reset()

    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await client.read_until(b"hello")
        upstream.connections[0].reset()
        with pytest.raises(ConnectionError):
            await client.read_to_end()
        assert (await daemon.rows(1))[0]["outcome"] == "broken"


@pytest.mark.parametrize("dialect", PATHS)
async def test_an_upstream_that_says_nothing_is_given_up_with_a_504(
    home: Path, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.gone()

    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("POST", PATHS[dialect], body=ASK))
        while not upstream.requests:
            assert await client.silent_for(0.01)
        daemon.daemon._forwarder.check_silence()
        assert await client.silent_for(0.02)
        monkeypatch.setattr(wording, "SILENCE_SECONDS", 0.0)
        daemon.daemon._forwarder.check_silence()
        answer = await client.response()
        assert answer.status == 504
        assert "sent once" in message_of(answer, dialect)
        assert (await daemon.rows(1))[0]["outcome"] == "broken"


async def test_an_upstream_that_falls_silent_in_the_middle_is_cut(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(CHUNKS + b"5\r\nhello\r\n")
        await peer.gone()

    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await client.read_until(b"hello\r\n")
        monkeypatch.setattr(wording, "SILENCE_SECONDS", 0.0)
        daemon.daemon._forwarder.check_silence()
        await client.gone()
        assert client.received == CHUNKS + b"5\r\nhello\r\n"


def failing_once(then: bytes) -> Script:
    """Breaks off at HEAD, answers all else."""

    async def script(peer: Stream) -> None:
        while (await peer.request()).method != "HEAD":
            await peer.send(then)

    return script


async def test_head_is_told_of_a_failure_without_a_body(home: Path) -> None:
    async with between(home, failing_once(OK)) as (client, daemon, _):
        await client.send(daemon.request("HEAD", "/") + daemon.request("GET", "/v1/models"))
        assert (await client.response("HEAD")).status == 502
        assert (await client.response()).raw == OK


async def test_head_is_told_of_our_own_refusals_without_a_body(home: Path) -> None:
    async with between(home, failing_once(OK)) as (client, daemon, _):
        for target in ("/nowhere", "/-/health", "/-/elsewhere"):
            await client.send(daemon.request("HEAD", target) + daemon.request("GET", "/v1/models"))
            assert (await client.response("HEAD")).status in {200, 404}
            assert (await client.response()).raw == OK
