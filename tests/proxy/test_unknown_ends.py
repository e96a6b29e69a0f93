"""However an answer fails to come, a strict cap is not passed by what the provider may bill for it."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from proxy.setting import HEAD, START, between, response
from support.daemon import InProcess
from support.stream import Stream
from support.upstream import Script, always

MOST_TOKENS = 1_000
MODEL = "claude-sonnet-4-5"
STRICT = '[[limits]]\nname = "cap"\nwindow = "total"\nlimit_cents = 20\nguarantee = "strict"\n'
CAP_NUSD = 200_000_000
OWN = b'{"type":"error","error":{"type":"timeout_error","message":"no"}}'
TIMEOUT = b"504 Gateway Timeout"
JSON = b"Content-Type: application/json"


def question(**more: Any) -> bytes:
    said = {"model": MODEL, "max_tokens": MOST_TOKENS, "messages": [{"role": "user", "content": "x" * 400}]}
    return json.dumps(said | more).encode()


def billed_nusd(body: bytes) -> int:
    """What the provider may bill at most: all that was asked for."""
    return len(body) * 3_000 + MOST_TOKENS * 15_000


WAYS: dict[str, tuple[bytes, ...]] = {
    "nothing": (),
    "no http": (b"SSH-2.0-OpenSSH_9.6\r\n",),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",),
    "a page": (response(b"<html>504</html>", b"Content-Type: text/html", status=TIMEOUT),),
    "an empty error": (response(b"", status=b"502 Bad Gateway"),),
    "json of a gateway": (response(b'{"message":"Endpoint request timed out"}', JSON, status=TIMEOUT),),
    "cloudflare": (response(b"error code: 524", status=b"524 <none>"),),
    "json that is cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n" + JSON + b'\r\n\r\n{"id":',),
    "a stream that is cut": (HEAD, START),
    "an answer without usage": (response(b'{"type":"message","content":[]}', JSON),),
}


def answering_and_closing(*chunks: bytes) -> Script:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(*chunks)

    return script


async def ask(daemon: InProcess, body: bytes) -> int:
    """The status that a client gets; 0 where its answer breaks off."""
    async with daemon.connect() as client:
        await client.send(daemon.request("POST", "/v1/messages", body=body))
        with suppress(EOFError, ConnectionError):
            return (await client.response()).status
        return 0


async def until_refused(daemon: InProcess, body: bytes, asked: int = 60) -> int:
    """Ask until the limit refuses; how often that was."""
    for count in range(asked):
        if await ask(daemon, body) == 402:
            return count
    raise AssertionError("never refused")


@pytest.mark.parametrize("chunks", WAYS.values(), ids=WAYS)
async def test_the_bill_stays_within_the_cap(home: Path, chunks: tuple[bytes, ...]) -> None:
    body = question(stream=b"event-stream" in b"".join(chunks))
    async with between(home, answering_and_closing(*chunks), budget=STRICT) as (_, daemon, upstream):
        asked = await until_refused(daemon, body)
        assert len(upstream.requests) == asked > 4
        assert asked * billed_nusd(body) <= CAP_NUSD
        rows = [row for row in await daemon.rows(asked + 1) if row["outcome"] != "refused"]
        assert len(rows) == asked
        assert all(row["unknown_nusd"] > 0 for row in rows)
        (counter,) = daemon.daemon._views.limits()
        assert counter.spent_nusd == sum(row["cost_nusd"] for row in rows)
        assert counter.unknown_nusd == sum(row["unknown_nusd"] for row in rows)


async def test_a_gateways_error_is_counted_at_what_was_expected(home: Path) -> None:
    async with between(home, always(*WAYS["a page"]), budget=STRICT) as (_, daemon, _):
        assert await ask(daemon, question()) == 504
        (row,) = await daemon.rows(1)
        assert (row["outcome"], row["basis"], row["status"]) == ("error", "unmetered", 504)
        assert row["cost_nusd"] == row["expected_nusd"] > 0
        assert row["cost_nusd"] + row["unknown_nusd"] == row["worst_nusd"] == row["reserved_nusd"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (TIMEOUT, OWN),
        (b"502 Bad Gateway", OWN),
        (b"500 Internal Server Error", b"<html>"),
        (b"503 Service Unavailable", b"<html>"),
        (b"529 Overloaded", b""),
        (b"429 Too Many Requests", b"<html>"),
        (b"400 Bad Request", b"{}"),
    ],
)
async def test_the_providers_own_error_and_what_says_that_nothing_was_done_is_free(
    home: Path, status: bytes, body: bytes
) -> None:
    async with between(home, always(response(body, status=status)), budget=STRICT) as (_, daemon, _):
        assert await ask(daemon, question()) == int(status[:3])
        (row,) = await daemon.rows(1)
        assert (row["cost_nusd"], row["unknown_nusd"]) == (0, 0)


async def test_a_client_that_leaves_and_an_upstream_that_goes_on_leave_it_unknown(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD, START)
        await peer.gone()

    body = question(stream=True)
    async with between(home, script, budget=STRICT, proxy={"drain_seconds": 0}) as (_, daemon, _):
        async with daemon.connect() as client:
            await client.send(daemon.request("POST", "/v1/messages", body=body))
            await client.read_until(b"message_start")
        (row,) = await daemon.rows(1)
        assert row["outcome"] == "aborted"
        assert row["cost_nusd"] + row["unknown_nusd"] == row["worst_nusd"]


async def test_many_at_once_do_not_pass_it_either(home: Path) -> None:
    body = question()
    async with between(home, always(*WAYS["a page"]), budget=STRICT) as (_, daemon, upstream):
        statuses = await asyncio.gather(*(ask(daemon, body) for _ in range(40)))
        assert set(statuses) == {402, 504}
        assert len(upstream.requests) == statuses.count(504)
        assert len(upstream.requests) * billed_nusd(body) <= CAP_NUSD
