"""Requests that wait for a decision: nothing is sent to either side before it comes."""

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest

from budgetd.proxy.incoming import Incoming
from budgetd.proxy.till import Candidate, Held, Turned
from proxy.scripted import ScriptedTill, hold_all, scripted
from proxy.setting import ASK, OK, between, leave, ways
from support.daemon import InProcess, running
from support.stream import Stream, chunked
from support.upstream import Upstream, always


async def test_nothing_moves_while_a_request_is_held_and_then_it_is_sent_once(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        till = scripted(daemon, hold_all)
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await till.until(lambda: till.held)
        assert await client.silent_for(0.05)
        assert upstream.connections == []
        till.approve()
        assert (await client.response()).raw == OK
        assert [request.framed for request in upstream.requests] == [ASK]
        assert till.outcomes == ["ok"]
        assert till.abandoned == []
        assert [row["outcome"] for row in await daemon.rows(1)] == ["ok"]


async def test_a_decision_that_is_there_at_once_does_not_wait(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, _):

        def decide(till: ScriptedTill, candidate: Candidate) -> Held:
            held = till.hold(candidate)
            first = len(till.held) == 1
            held.decided.set_result(till.let_through(candidate) if first else Turned("No."))
            return held

        till = scripted(daemon, decide)
        for status in (200, 402):
            await client.send(daemon.request("POST", "/v1/messages", body=ASK))
            assert (await client.response()).status == status
        assert till.outcomes == ["ok"]


@pytest.mark.parametrize(
    "turned", [Turned("Nobody allowed it."), Turned("The ledger cannot be written.", "fault")]
)
async def test_a_held_request_that_is_turned_away_gets_the_refusal_and_keeps_its_connection(
    home: Path, turned: Turned
) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        till = scripted(daemon, hold_all)
        for number in range(2):
            await client.send(daemon.request("POST", "/v1/messages", body=ASK))
            await till.until(lambda number=number: len(till.held) > number)
            till.held[number].decided.set_result(turned)
            answer = await client.response()
            assert answer.status == 402
            assert json.loads(answer.body)["error"]["message"] == turned.message
            assert not answer.values(b"retry-after")
            assert answer.values(b"x-should-retry") == [b"false"]
        assert upstream.connections == []
        assert (till.settled, till.abandoned) == ([], [])


@ways
async def test_a_client_that_leaves_while_held_gives_its_request_up(home: Path, how: str) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        till = scripted(daemon, hold_all)
        await client.send(daemon.request("POST", "/v1/messages", body=ASK) * 2)  # the second is never taken
        await till.until(lambda: till.held)
        leave(client, how)
        await till.until(lambda: till.abandoned)
        assert till.abandoned == till.held
        assert not till.held[0].decided.done()  # that is for the till to say
        assert len(till.candidates) == 1
        assert till.settled == []
        assert upstream.connections == []


async def handled(daemon: InProcess) -> asyncio.Task[bool]:
    """A request in the forwarder's hands, without a connection around it."""

    async def drain() -> None:
        """Nothing is written."""

    incoming = Incoming(
        method="POST",
        target="/v1/messages",
        http10=False,
        headers=(),
        seen={},
        chunked=False,
        body=None,
        transport=cast(Any, None),
        drain=drain,
    )
    return asyncio.create_task(daemon.daemon._forwarder.handle(incoming))


@pytest.mark.parametrize("first", ["approval", "leaving"])
async def test_a_request_approved_at_the_moment_its_client_leaves_is_settled_unsent(
    home: Path, first: str
) -> None:
    async with between(home, always(OK)) as (_, daemon, upstream):
        till = scripted(daemon, hold_all)
        task = await handled(daemon)
        await till.until(lambda: till.held)
        if first == "approval":
            till.approve()
            task.cancel()
        else:
            task.cancel()
            till.approve()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert till.outcomes == ["failed"]
        assert till.abandoned == []
        assert upstream.connections == []
        row = (await daemon.rows(1))[0]
        assert (row["outcome"], row["cost_nusd"]) == ("failed", 0)


async def test_a_request_refused_at_the_moment_its_client_leaves_needs_nothing_more(home: Path) -> None:
    async with between(home, always(OK)) as (_, daemon, _):
        till = scripted(daemon, hold_all)
        task = await handled(daemon)
        await till.until(lambda: till.held)
        till.held[0].decided.set_result(Turned("No."))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (till.settled, till.abandoned) == ([], [])


@ways
async def test_a_client_that_leaves_after_the_approval_and_before_the_sending_pays_nothing(
    home: Path, how: str
) -> None:
    async def script(peer: Stream) -> None:
        await peer.read_some()
        begun.set()
        await peer.gone()

    begun = asyncio.Event()
    async with Upstream(script) as upstream:
        tls = upstream.url.replace("http:", "https:")  # its handshake is never answered
        async with running(home, {"anthropic": tls}) as daemon, daemon.connect() as client:
            till = scripted(daemon, hold_all)
            await client.send(daemon.request("POST", "/v1/messages", body=ASK))
            await till.until(lambda: till.held)
            till.approve()
            await begun.wait()
            assert till.tickets[0].kill is None
            leave(client, how)
            await till.until(lambda: till.settled)
            assert till.outcomes == ["failed"]
            assert till.abandoned == []
            assert b"claude" not in upstream.received


async def test_held_requests_are_decided_in_any_order(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream), daemon.connect() as other:
        till = scripted(daemon, hold_all)
        for number, each in enumerate((client, other)):
            await each.send(daemon.request("POST", "/v1/messages", body=b'{"n":%d}' % number))
            await till.until(lambda number=number: len(till.held) > number)
        for number, each in ((1, other), (0, client)):
            till.approve(number)
            assert (await each.response()).raw == OK
        assert [request.body for request in upstream.requests] == [b'{"n":1}', b'{"n":0}']


async def test_what_is_pipelined_behind_a_held_request_waits_its_turn(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, _):
        till = scripted(daemon, hold_all)
        await client.send(daemon.request("POST", "/v1/messages", body=ASK) * 2)
        await till.until(lambda: till.held)
        assert await client.silent_for(0.02)
        assert len(till.held) == 1
        till.held[0].decided.set_result(Turned("No."))
        assert (await client.response()).status == 402
        await till.until(lambda: len(till.held) == 2)
        till.approve(1)
        assert (await client.response()).raw == OK


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_long_body_is_held_with_its_rest_unread(home: Path, framing: str) -> None:
    body = bytes(range(256)) * (3 << 12)
    async with between(home, always(OK), proxy={"max_body_mib": 1}) as (client, daemon, upstream):
        till = scripted(daemon, hold_all)
        request = daemon.request("POST", "/v1/messages", body=body)
        if framing == "chunks":
            request = daemon.request("POST", "/v1/messages", b"Transfer-Encoding: chunked") + chunked(body)
        sending = asyncio.create_task(client.send(request))
        await till.until(lambda: till.held)
        till.approve()
        assert (await client.response()).raw == OK
        await sending
        assert upstream.requests[0].body == body
        assert till.outcomes == ["ok"]


async def test_a_long_body_that_is_turned_away_ends_its_connection(home: Path) -> None:
    async with between(home, always(OK), proxy={"max_body_mib": 1}) as (client, daemon, upstream):
        till = scripted(daemon, hold_all)
        await client.send(daemon.request("POST", "/v1/messages", b"Content-Length: 4194304") + bytes(3 << 19))
        await till.until(lambda: till.held)
        till.held[0].decided.set_result(Turned("No."))
        answer = await client.response()
        assert (answer.status, answer.values(b"connection")) == (402, [b"close"])
        await client.send(bytes((4 << 20) - (3 << 19)))
        assert await client.read_to_end() == b""
        assert upstream.connections == []


async def test_a_daemon_that_stops_gives_held_requests_up(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        till = scripted(daemon, hold_all)
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await till.until(lambda: till.held)
        stopping = asyncio.create_task(daemon.daemon._listener.stop(1.0))
        till.held[0].decided.set_result(Turned("budgetd was stopped.", "stopping"))
        assert (await client.response()).status == 402
        await client.gone()
        await stopping
        assert (till.settled, till.abandoned) == ([], [])
        assert upstream.connections == []


async def test_what_costs_nothing_is_never_held(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, _):
        till = scripted(daemon, hold_all)
        await client.send(daemon.request("GET", "/v1/models"))
        assert (await client.response()).raw == OK
        assert till.candidates == []
