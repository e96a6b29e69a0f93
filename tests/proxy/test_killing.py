"""Requests that are killed once they were sent: both sides are cut, and what was used is counted."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from budgetd.proxy.till import Ticket, Turned
from budgetd.proxy.wording import KILLED
from proxy.scripted import ScriptedTill, hold_all, pass_all, scripted
from proxy.setting import ASK, END, HEAD, OK, START, STREAM, TEXT, between, leave, ways
from support.daemon import InProcess, running
from support.stream import PATIENCE, Stream
from support.tls import CERTIFICATE, server_context
from support.upstream import Script, Upstream


class Stalling:
    """Answers the first request with these bytes and no more, every later one with OK."""

    def __init__(self, *chunks: bytes) -> None:
        self.asked = asyncio.Event()
        self.cut = asyncio.Event()
        self._chunks = chunks

    async def __call__(self, peer: Stream) -> None:
        first = not self.asked.is_set()
        await peer.request()
        self.asked.set()
        if not first:
            await peer.send(OK)
            return
        await peer.send(*self._chunks)
        await peer.gone()
        self.cut.set()


async def kill(till: ScriptedTill) -> Ticket:
    """Kill the last request once it is sent; it is settled soon after."""
    await till.until(lambda: till.tickets and till.tickets[-1].kill)
    ticket = till.tickets[-1]
    assert ticket.kill is not None
    ticket.kill()
    await till.until(lambda: ticket in [settled for settled, _ in till.settled])
    assert [outcome for settled, outcome in till.settled if settled is ticket] == ["killed"]
    assert ticket.kill is None
    return ticket


async def row(daemon: InProcess, **wanted: Any) -> None:
    """The first request's row, which is never free."""
    async with asyncio.timeout(PATIENCE):
        while not (rows := daemon.rows_now()) or rows[0]["outcome"] is None:
            await asyncio.sleep(0.005)
    assert rows[0]["outcome"] == "killed"
    assert rows[0]["cost_nusd"] > 0
    assert {name: rows[0][name] for name in wanted} == wanted


async def passed(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await event.wait()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/messages", 402),
        ("/v1/chat/completions", 402),
        ("/v1/responses", 400),
        ("/v1beta/models/gemini-2.5-pro:generateContent", 400),
        ("/v1/images/generations", 402),
    ],
)
async def test_a_client_that_has_got_nothing_yet_is_told_and_can_ask_again(
    home: Path, target: str, status: int
) -> None:
    script = Stalling()
    async with between(home, script) as (client, daemon, upstream):
        till = scripted(daemon, pass_all)
        await client.send(daemon.request("POST", target, body=ASK))
        await script.asked.wait()
        await kill(till)
        answer = await client.response()
        assert answer.status == status
        assert json.loads(answer.body)["error"]["message"] == KILLED
        assert answer.values(b"x-should-retry") == [b"false"]
        assert not answer.values(b"retry-after")
        await passed(script.cut)
        await row(daemon, status=0)
        await client.send(daemon.request("POST", target, body=ASK))
        assert (await client.response()).raw == OK
        assert len(upstream.requests) == 2
        assert till.outcomes == ["killed", "ok"]


async def test_what_is_pipelined_behind_a_request_killed_unanswered_has_its_turn(home: Path) -> None:
    script = Stalling()
    async with between(home, script) as (client, daemon, upstream):
        till = scripted(daemon, pass_all)
        await client.send(daemon.request("POST", "/v1/messages", body=ASK) * 2)
        await script.asked.wait()
        await kill(till)
        assert (await client.response()).status == 402
        assert (await client.response()).raw == OK
        assert len(upstream.requests) == 2


async def test_a_streaming_client_sees_a_break(home: Path) -> None:
    script = Stalling(HEAD, START, TEXT)
    async with between(home, script) as (client, daemon, upstream):
        till = scripted(daemon, pass_all)
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM) * 2)
        assert await client.read(len(HEAD + START + TEXT)) == HEAD + START + TEXT
        ticket = await kill(till)
        assert ticket.phase == "answering"
        await client.gone()
        assert client.received == HEAD + START + TEXT  # no chunk of size 0, so that the end is missed
        await passed(script.cut)
        await row(daemon, basis="estimated", status=200, input_tokens=1000)
        assert len(upstream.requests) == len(till.candidates) == 1


async def test_what_was_reported_before_the_kill_is_what_is_counted(home: Path) -> None:
    script = Stalling(HEAD, START, TEXT, END.removesuffix(b"0\r\n\r\n"))
    async with between(home, script) as (client, daemon, _):
        till = scripted(daemon, pass_all)
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read_until(b"message_stop")
        await kill(till)
        await row(daemon, basis="reported", output_tokens=700)


@pytest.mark.parametrize(
    ("request_line", "head"),
    [
        (b" HTTP/1.1\r\n", HEAD.replace(b"Transfer-Encoding: chunked", b"Connection: close")),
        (b" HTTP/1.0\r\n", HEAD),
        (b" HTTP/1.0\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123"),
    ],
)
async def test_a_client_that_reads_to_the_end_of_the_connection_gets_an_error(
    home: Path, request_line: bytes, head: bytes
) -> None:
    script = Stalling(head)
    async with between(home, script) as (client, daemon, _):
        till = scripted(daemon, pass_all)
        request = daemon.request("POST", "/v1/messages", body=STREAM)
        await client.send(request.replace(b" HTTP/1.1\r\n", request_line))
        await client.read_until(b"\r\n\r\n")
        await kill(till)
        with pytest.raises(ConnectionResetError):
            await client.read_to_end()
        await passed(script.cut)
        await row(daemon)


async def test_an_interim_response_and_no_more_is_a_break_too(home: Path) -> None:
    head = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    script = Stalling(head)
    async with between(home, script) as (client, daemon, _):
        till = scripted(daemon, pass_all)
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(head))
        await kill(till)
        await client.gone()
        assert client.received == head
        await row(daemon)


@ways
@pytest.mark.parametrize("chunks", [(), (HEAD, START, TEXT)])
async def test_what_is_drained_for_a_client_that_left_can_be_killed(
    home: Path, how: str, chunks: tuple[bytes, ...]
) -> None:
    script = Stalling(*chunks)
    async with between(home, script) as (client, daemon, _):
        till = scripted(daemon, pass_all)
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(b"".join(chunks)))
        await script.asked.wait()
        leave(client, how)
        await till.until(lambda: till.tickets[0].phase == "draining")
        await kill(till)
        await passed(script.cut)
        await row(daemon, basis="estimated")


@ways
async def test_a_client_may_leave_at_the_moment_of_the_kill(home: Path, how: str) -> None:
    script = Stalling(HEAD, START, TEXT)
    async with between(home, script) as (client, daemon, _):
        till = scripted(daemon, pass_all)
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        leave(client, how)
        await kill(till)
        await passed(script.cut)
        await row(daemon, basis="estimated")


async def test_a_client_that_does_not_read_is_cut_all_the_same(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD, START)
        filler = b": " + b"x" * 65_536 + b"\n\n"
        while True:
            await peer.send(b"%x\r\n%b\r\n" % (len(filler), filler))

    async with between(home, script, receive_buffer=65536) as (client, daemon, _):
        till = scripted(daemon, pass_all)
        client.stop_reading()
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await till.until(lambda: till.tickets and till.tickets[0].response_bytes > 262_144)
        await kill(till)
        client.read_on()
        await client.gone()
        await row(daemon, basis="estimated", input_tokens=1000)
        assert daemon.daemon._forwarder._active == set()


@pytest.mark.parametrize("framing", [b"Content-Length: 4194304", b"Transfer-Encoding: chunked"])
async def test_a_request_can_be_killed_while_its_long_body_streams_through(
    home: Path, framing: bytes
) -> None:
    async def script(peer: Stream) -> None:
        await peer.read_until(b"\r\n\r\n")
        await peer.read(1 << 20)
        begun.set()
        await peer.gone()
        ended.set()

    begun, ended = asyncio.Event(), asyncio.Event()
    async with between(home, script, proxy={"max_body_mib": 1}) as (client, daemon, upstream):
        till = scripted(daemon, pass_all)
        size = b"400000\r\n" if b"chunked" in framing else b""
        await client.send(daemon.request("POST", "/v1/messages", framing) + size, bytes(3 << 19))
        await begun.wait()
        await kill(till)
        answer = await client.response()  # although nothing more of the body comes
        assert (answer.status, answer.values(b"connection")) == (402, [b"close"])
        await passed(ended)
        await row(daemon, basis="unmetered")
        await client.send(bytes((4 << 20) - (3 << 19)) + (b"\r\n0\r\n\r\n" if size else b""))
        assert await client.read_to_end() == b""
        assert len(upstream.connections) == 1


async def test_a_request_can_be_killed_from_when_it_is_sent_until_it_is_settled(home: Path) -> None:
    async def script(peer: Stream) -> None:
        for _ in range(2):
            await peer.request()
            kills.append(till.tickets[-1].kill)
            await peer.send(OK)

    kills: list[Any] = []
    async with between(home, script) as (client, daemon, _):
        till = scripted(daemon, hold_all)
        for number in range(2):
            await client.send(daemon.request("POST", "/v1/messages", body=ASK))
            await till.until(lambda number=number: len(till.held) > number)
            till.approve(number)
            assert till.tickets[-1].kill is None
            assert (await client.response()).raw == OK
            assert till.tickets[-1].kill is None
            kills[number]()  # too late: nothing happens, to this request or the next on its connections
        assert till.outcomes == ["ok", "ok"]


async def test_killing_twice_is_killing_once(home: Path) -> None:
    script = Stalling()
    async with between(home, script) as (client, daemon, _):
        till = scripted(daemon, pass_all)
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await script.asked.wait()
        cut = till.tickets[0].kill
        assert cut is not None
        cut()
        cut()
        await till.until(lambda: till.settled)
        cut()
        assert (await client.response()).status == 402
        assert await client.silent_for(0.02)
        assert till.outcomes == ["killed"]


async def test_a_held_request_that_is_killed_gets_the_refusal(home: Path) -> None:
    async with between(home, Stalling()) as (client, daemon, upstream):
        till = scripted(daemon, hold_all)
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await till.until(lambda: till.held)
        till.held[0].decided.set_result(Turned("It was killed by its owner."))
        assert (await client.response()).status == 402
        assert (till.settled, till.abandoned) == ([], [])
        assert upstream.connections == []


async def test_a_downgraded_request_can_be_killed(home: Path) -> None:
    script = Stalling(HEAD, START, TEXT)
    async with between(home, script) as (client, daemon, _):
        till = scripted(daemon, lambda till, candidate: till.let_through(candidate, "claude-haiku-4-5"))
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        await kill(till)
        await client.gone()
        await row(daemon, basis="estimated")


@pytest.mark.parametrize("chunks", [(), (HEAD, START, TEXT)])
async def test_a_request_over_tls_is_killed_the_same_way(
    home: Path, monkeypatch: pytest.MonkeyPatch, chunks: tuple[bytes, ...]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("NO_PROXY", "localhost")
    script: Script = Stalling(*chunks)
    async with Upstream(script, tls=server_context()) as upstream:
        url = f"https://localhost:{upstream.port}"
        async with running(home, {"anthropic": url}) as daemon, daemon.connect() as client:
            till = scripted(daemon, pass_all)
            await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
            await client.read(len(b"".join(chunks)))
            await script.asked.wait()
            await kill(till)
            if chunks:
                await client.gone()
                assert client.received == b"".join(chunks)
            else:
                assert (await client.response()).status == 402
            await passed(script.cut)
            await row(daemon, basis="estimated")


async def test_the_others_are_left_alone(home: Path) -> None:
    script = Stalling(HEAD, START, TEXT)
    async with between(home, script) as (client, daemon, _), daemon.connect() as other:
        till = scripted(daemon, pass_all)
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        await client.read(len(HEAD + START + TEXT))
        await other.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert (await other.response()).raw == OK
        first = till.tickets[0]
        assert first.kill is not None
        first.kill()
        await client.gone()
        await other.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert (await other.response()).raw == OK
        assert till.outcomes == ["ok", "killed", "ok"]
