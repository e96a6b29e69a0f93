"""What the client gets of a response: the bytes that the upstream sent, none added and none lost."""

import asyncio
from pathlib import Path

import pytest

from budgetd.ledger.queries import learning_rows
from proxy.answers import ANSWERS, HEADERS, streamed
from proxy.setting import ASK, OK, between, response
from support.stream import Stream, chunked
from support.upstream import always, once


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "byte by byte"])
async def test_a_response_arrives_byte_for_byte_and_leaves_both_connections_open(
    home: Path, answer: bytes, cut: bool
) -> None:
    pieces = [bytes([byte]) for byte in answer] if cut and len(answer) < 5000 else [answer]
    async with between(home, always(*pieces)) as (client, daemon, upstream):
        for _ in range(2):
            await client.send(daemon.request("POST", "/v1/messages", body=ASK))
            assert await client.read(len(answer)) == answer
        assert len(upstream.connections) == 1
        await daemon.rows(2)
        assert await client.silent_for(0.01)


@pytest.mark.parametrize(
    "answer", [response(b"12345", *HEADERS), streamed(body=b"")], ids=["length", "chunks"]
)
async def test_the_answer_to_head_ends_with_its_head(home: Path, answer: bytes) -> None:
    head = answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    async def script(peer: Stream) -> None:
        while True:
            asked = await peer.request()
            await peer.send(head if asked.method == "HEAD" else OK)

    async with between(home, script) as (client, daemon, upstream):
        for _ in range(2):
            await client.send(daemon.request("HEAD", "/"))
            assert await client.read(len(head)) == head
        await client.send(daemon.request("GET", "/v1/models"))
        assert (await client.response()).raw == OK
        assert len(upstream.connections) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n",
    ],
    ids=["bare", "close", "http/1.0", "keep-alive"],
)
async def test_a_body_that_ends_with_the_connection_ends_the_clients_too(home: Path, head: bytes) -> None:
    body = b"data: 1\n\n" * 30_000
    async with between(home, once(head, body[:100], body[100:])) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert await client.read_to_end() == head + body
        assert (await daemon.rows(1))[0]["outcome"] == "ok"


async def test_a_redirect_is_not_followed(home: Path) -> None:
    answer = response(b"", b"Location: /v1/messages2", status=b"308 Permanent Redirect")
    async with between(home, always(answer)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert (await client.response()).raw == answer
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [b"301 Moved Permanently", b"307 Temporary Redirect", b"304 Not Modified"])
async def test_a_redirect_costs_nothing_and_nothing_is_learned_from_it(home: Path, status: bytes) -> None:
    answer = response(b"" if status.startswith(b"304") else b"<html>moved</html>", status=status)
    async with between(home, always(answer)) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await client.response()
        row = (await daemon.rows(1))[0]
        assert (row["cost_nusd"], row["basis"], row["output_tokens"]) == (0, "reported", 0)
        assert learning_rows(daemon.daemon._accounts.ledger.db) == []


async def test_a_redirect_that_reports_what_it_used_costs_that(home: Path) -> None:
    used = b'{"type":"message","model":"claude-opus-4-8","usage":{"input_tokens":10,"output_tokens":5}}'
    async with between(home, always(response(used, status=b"307 Temporary Redirect"))) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await client.response()
        row = (await daemon.rows(1))[0]
        assert (row["input_tokens"], row["output_tokens"], row["basis"]) == (10, 5, "reported")
        assert row["cost_nusd"] > 0


async def test_an_interim_response_comes_before_the_final_one_is_known(home: Path) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(hints)
        await seen.wait()

    seen = asyncio.Event()
    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert (await client.response(interim=True)).raw == hints
        seen.set()


async def test_an_upstream_that_changes_the_protocol_unasked_is_not_believed(home: Path) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nbytes"
    async with between(home, always(switch)) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert (await client.response(interim=True)).status == 502
        assert (await daemon.rows(1))[0]["outcome"] == "broken"


async def test_the_time_to_the_first_byte_and_the_size_are_those_of_the_body(home: Path) -> None:
    async with between(home, always(streamed(b"request-id: req_7", body=chunked(b"hel", b"lo")))) as (
        client,
        daemon,
        _,
    ):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await client.response()
        row = (await daemon.rows(1))[0]
        assert row["response_bytes"] == 5
        assert row["provider_request_id"] == "req_7"
        assert 0 < row["ttft_seconds"] <= row["duration_seconds"]
