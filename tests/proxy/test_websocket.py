"""WebSocket sessions: every byte as it was, and each turn admitted, metered and settled."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from budgetd.config import WELL_KNOWN
from budgetd.pricing.settings import UnknownModel
from budgetd.proxy.routes import find_route
from budgetd.proxy.session import KILLED, MOST_WAITING, SLOW, STOPPED
from budgetd.proxy.till import Candidate, Turned
from budgetd.steering import Steering
from proxy.scripted import ScriptedTill, hold_all, scripted
from proxy.setting import between, leave, ways
from proxy.sockets import (
    ACCEPT,
    CREATE,
    GEMINI,
    REALTIME,
    RESPONSES,
    UPGRADE,
    Peer,
    answer_all,
    created,
    delta,
    done,
    session,
)
from support.daemon import InProcess, running
from support.frames import Compressor, closing, frame
from support.stream import PATIENCE, Stream
from support.tls import CERTIFICATE, server_context
from support.upstream import Upstream, always, once

TINY = "[budget]\ndaily_limit_cents = 0\n"
"""A budget that has room for nothing."""


async def listen(peer: Peer) -> None:
    """Take every frame, until the connection is closed."""
    while True:
        await peer.next()


async def settled(daemon: InProcess, count: int) -> list[dict[str, Any]]:
    return await daemon.rows(count)


# the handshake


async def test_the_handshake_goes_up_as_it_came_and_its_answer_comes_back_as_it_was(home: Path) -> None:
    headers = (
        b"OpenAI-Beta: realtime=v1",
        b"X-Budget-Project: p",
        b"sec-websocket-protocol: realtime, openai-beta.realtime-v1",
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    )
    async with session(home, listen, headers=headers) as it:
        (request,) = it.upstream.requests
        host = it.upstream.url.removeprefix("http://").encode()
        lines = [b"GET " + REALTIME.encode() + b" HTTP/1.1", b"Host: " + host, *UPGRADE, *headers]
        lines.remove(b"X-Budget-Project: p")
        assert request.raw == b"\r\n".join(lines) + b"\r\n\r\n"
        assert it.handshake.raw == ACCEPT + b"\r\n"


async def test_what_is_not_accepted_comes_back_as_it_was(home: Path) -> None:
    body = b'{"error":{"message":"no","type":"invalid_request_error"}}'
    refusal = b"HTTP/1.1 401 No\r\nX-Odd: caf\xe9\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with between(home, always(refusal)) as (client, daemon, upstream):
        await client.send(daemon.request("GET", REALTIME, *UPGRADE))
        assert (await client.response()).raw == refusal
        await client.gone()
        assert len(upstream.requests) == 1
        assert daemon.rows_now() == []


async def test_an_answer_that_breaks_off_is_told(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(ACCEPT)

    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("GET", REALTIME, *UPGRADE))
        answer = await client.response()
        assert answer.status == 502
        assert b"did not accept a WebSocket session" in answer.body


async def test_an_acceptance_that_is_malformed_is_written_anew(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 101 Switching\nUpgrade: websocket\nConnection : Upgrade\nX-A: a\x00b\n\n")
        await peer.gone()

    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("GET", REALTIME, *UPGRADE))
        assert (await client.response(interim=True)).raw == (
            b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-A: a b\r\n\r\n"
        )


async def test_an_acceptance_that_cannot_be_read_is_refused(home: Path) -> None:
    async with between(home, once(b"HTTP/1.1 101 Switching\r\nno header\r\n\r\n")) as (client, daemon, _):
        await client.send(daemon.request("GET", REALTIME, *UPGRADE))
        answer = await client.response(interim=True)
        assert answer.status == 502
        assert b"a line of its head is no header" in answer.body


async def test_an_extension_that_cannot_be_read_is_told(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(ACCEPT + b"Sec-WebSocket-Extensions: x-odd; a=1\r\n\r\n")
        await peer.gone()

    async with between(home, script) as (client, daemon, _):
        await client.send(daemon.request("GET", REALTIME, *UPGRADE))
        answer = await client.response()
        assert answer.status == 502
        assert b"x-odd" in answer.body


async def test_without_the_headers_of_an_upgrade_it_is_refused(home: Path) -> None:
    async with between(home, always(b"")) as (client, daemon, upstream):
        await client.send(daemon.request("GET", REALTIME, b"Upgrade: websocket"))
        assert (await client.response()).status == 501
        assert upstream.connections == []


async def test_web_pages_are_refused(home: Path) -> None:
    async with between(home, always(b"")) as (client, daemon, upstream):
        await client.send(daemon.request("GET", REALTIME, *UPGRADE, b"Origin: http://evil.example"))
        assert (await client.response()).status == 403
        assert upstream.connections == []


async def test_a_session_that_asks_for_nothing_has_no_row(home: Path) -> None:
    async with session(home, listen) as it:
        await it.client.say({"type": "session.update", "session": {}})
        await it.client.send(closing(1000, masked=True))
        async with asyncio.timeout(PATIENCE):
            while len(it.provider[0].pieces) < 2:
                await asyncio.sleep(0.005)
        it.client.stream.close()
        await it.provider[0].gone()
        assert it.daemon.rows_now() == []


async def test_the_key_in_a_subprotocol_is_known_and_kept_nowhere(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    protocols = b"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.sk-secret-marker"
    upgrade = [line for line in UPGRADE if not line.startswith(b"Authorization")]

    async def script(stream: Stream) -> None:
        await stream.request()
        await stream.send(ACCEPT + b"\r\n")
        await answer_all(Peer(stream, masked=False))

    async with between(home, script) as (client, daemon, upstream):
        await client.send(daemon.request("GET", REALTIME, *upgrade, protocols))
        await client.response(interim=True)
        peer = Peer(client, masked=True)
        await peer.say(CREATE)
        await peer.hear_until("response.done")
        (row,) = await settled(daemon, 1)
        assert row["key"].startswith("k_")
        assert upstream.requests[0].values(b"sec-websocket-protocol") == [protocols.partition(b": ")[2]]
        assert b"sk-secret-marker" not in daemon.places.ledger.read_bytes()
        assert "sk-secret-marker" not in caplog.text


@pytest.mark.parametrize(
    ("target", "upstream", "path", "api"),
    [
        ("/v1/realtime?model=m", "openai", "/v1/realtime?model=m", "openai.realtime"),
        ("/openai/v1/realtime?call_id=c", "openai", "/v1/realtime?call_id=c", "openai.realtime"),
        ("/xai/v1/realtime", "xai", "/v1/realtime", "openai.realtime"),
        ("/@ann:p/v1/responses", "openai", "/v1/responses", "openai.responses"),
        (GEMINI, "gemini", GEMINI, "gemini.live"),
        (
            f"{GEMINI}Constrained?access_token=t",
            "gemini",
            f"{GEMINI}Constrained?access_token=t",
            "gemini.live",
        ),
        ("/v1/realtime/translations", "openai", "/v1/realtime/translations", None),
    ],
)
def test_a_session_goes_where_its_path_says(target: str, upstream: str, path: str, api: str | None) -> None:
    route = find_route("GET", target, {b"upgrade": b"WebSocket"}, WELL_KNOWN)
    assert route
    assert (route.upstream.name, route.target, route.api) == (upstream, path, api)
    posted = find_route("POST", target, {b"upgrade": b"websocket"}, WELL_KNOWN)
    assert posted
    assert posted.api is None


async def test_an_upstream_behind_tls_is_reached(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    big = random.Random(3).randbytes(1 << 20)

    async def script(stream: Stream) -> None:
        await stream.request()
        peer = Peer(stream, masked=False)
        await stream.send(ACCEPT + b"\r\n" + frame(b'{"early": "one"}'))
        assert (await peer.next()).message == big
        assert await peer.hear() == CREATE
        await peer.say(created(), delta())
        assert await peer.hear() == {"type": "go on"}

    async with Upstream(script, tls=server_context()) as upstream:
        urls = {"openai": f"https://localhost:{upstream.port}"}
        async with running(home, urls) as daemon, daemon.connect() as client:
            await client.send(daemon.request("GET", REALTIME, *UPGRADE))
            await client.response(interim=True)
            peer = Peer(client, masked=True)
            assert await peer.hear() == {"early": "one"}
            await peer.send(frame(big, 2, masked=True))
            await peer.say(CREATE)
            await peer.hear_until("response.output_text.delta")
            await peer.say({"type": "go on"})
            await client.gone()
            (row,) = await settled(daemon, 1)
            assert row["outcome"] == "broken"


@ways
async def test_a_client_that_leaves_an_upstream_behind_tls_is_known_to_have_left(
    home: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    cut = asyncio.Event()

    async def script(stream: Stream) -> None:
        await stream.request()
        await stream.send(ACCEPT + b"\r\n")
        await begin(Peer(stream, masked=False))
        await stream.gone()
        cut.set()

    async with Upstream(script, tls=server_context()) as upstream:
        urls = {"openai": f"https://localhost:{upstream.port}"}
        async with running(home, urls) as daemon, daemon.connect() as client:
            await client.send(daemon.request("GET", REALTIME, *UPGRADE))
            await client.response(interim=True)
            peer = Peer(client, masked=True)
            await peer.say(CREATE)
            await peer.hear_until("response.output_text.delta")
            leave(client, how)
            (row,) = await settled(daemon, 1)
            assert row["outcome"] == "aborted"
            async with asyncio.timeout(PATIENCE):
                await cut.wait()


# the bytes


async def test_frames_pass_byte_for_byte_in_both_directions(home: Path) -> None:
    dice = random.Random(7)
    up = [
        frame(b"one ", final=False, masked=True),
        frame(b"in between", 9, masked=True),
        frame(b"two", 0, masked=True),
        frame(dice.randbytes(70_000), 2, masked=True),
        frame(b"", masked=True),
        frame(b"late", 10, masked=True),
        closing(4321, b"bye", masked=True),
    ]
    down = [
        frame(b"{", final=False),
        frame(b"ping", 9),
        frame(b"}", 0),
        frame(dice.randbytes(70_000), 2),
        closing(4000, b"enough"),
    ]

    async def talk(peer: Peer) -> None:
        await peer.send(*(byte.to_bytes() for byte in down[0] + down[1]), *down[2:])
        await listen(peer)

    async with session(home, talk) as it:
        stream = b"".join(up)
        for length in (1, 1, 2, 3, 5, 8, 13, 21):
            await it.client.send(stream[:length])
            stream = stream[length:]
        await it.client.send(stream)
        assert await it.client.closed() == (4000, "enough")
        (provider,) = it.provider
        async with asyncio.timeout(PATIENCE):
            while provider.received != b"".join(up):
                await asyncio.sleep(0.005)
        assert it.client.received == b"".join(down)


async def test_bytes_after_the_handshake_and_before_its_answer_are_not_lost(home: Path) -> None:
    async def script(stream: Stream) -> None:
        await stream.request()
        peer = Peer(stream, masked=False)
        await asyncio.sleep(0)
        await stream.send(ACCEPT + b"\r\n" + frame(b'{"early": "too"}'))
        assert await peer.hear() == {"early": "one"}
        await peer.say({"heard": True})
        await peer.stream.gone()

    async with between(home, script) as (client, daemon, _):
        early = frame(b'{"early": "one"}', masked=True)
        await client.send(daemon.request("GET", REALTIME, *UPGRADE) + early)
        await client.response(interim=True)
        peer = Peer(client, masked=True)
        assert await peer.hear() == {"early": "too"}
        assert await peer.hear() == {"heard": True}


@pytest.mark.parametrize("takeover", [True, False])
async def test_compressed_messages_pass_and_are_read(home: Path, takeover: bool) -> None:
    agreed = b"Sec-WebSocket-Extensions: permessage-deflate"
    if not takeover:
        agreed += b"; client_no_context_takeover; server_no_context_takeover"
    down, up = Compressor(takeover=takeover), Compressor(takeover=takeover)

    async def talk(peer: Peer) -> None:
        for number in (1, 2):
            assert await peer.hear() == CREATE
            for each in (created(f"r{number}"), delta(f"r{number}"), done(f"r{number}")):
                await peer.send(frame(down(json.dumps(each).encode()), compressed=True))
        await peer.stream.gone()

    async with session(home, talk, accept=agreed + b"\r\n", deflate=True) as it:
        for _ in range(2):
            text = up(json.dumps(CREATE).encode())
            await it.client.send(frame(text, masked=True, compressed=True))
            await it.client.hear_until("response.done")
        rows = await settled(it.daemon, 2)
        assert [(row["basis"], row["input_tokens"]) for row in rows] == [("reported", 1000)] * 2
        assert it.client.received == it.provider[0].sent
        assert it.provider[0].received == it.client.sent


async def test_a_frame_of_five_mebibytes_passes_while_its_reader_is_slow(home: Path) -> None:
    big = frame(random.Random(1).randbytes(5 << 20), 2)
    begun = asyncio.Event()

    async def talk(peer: Peer) -> None:
        begun.set()
        peer.stream._writer.write(big)
        await peer.say({"type": "last"})
        while (await peer.next()).opcode != 1:
            pass

    async with session(home, talk) as it:
        it.client.stream.stop_reading()
        async with asyncio.timeout(PATIENCE):
            await begun.wait()
        (running,) = await _sessions(it.daemon)
        async with asyncio.timeout(PATIENCE):
            while running._client.get_write_buffer_size() <= SLOW:
                await asyncio.sleep(0.005)
        assert running._client.get_write_buffer_size() < 2 << 20
        it.client.stream.read_on()
        last = None
        while last is None or last.opcode != 1:
            last = await it.client.next()
        assert it.client.received == big + frame(b'{"type": "last"}')
        await it.client.send(frame(random.Random(2).randbytes(5 << 20), 2, masked=True))
        await it.client.say({"type": "last"})
        await it.provider[0].gone()
        assert it.provider[0].received == it.client.sent


async def test_a_slow_upstream_slows_its_client_down(home: Path) -> None:
    go = asyncio.Event()

    async def talk(peer: Peer) -> None:
        peer.stream.stop_reading()
        await go.wait()
        peer.stream.read_on()
        count = 0
        while count < 200:
            piece = await peer.next()
            count += piece.opcode == 2
        await peer.say({"type": "all"})
        await peer.stream.gone()

    async with session(home, talk) as it:
        piece = frame(bytes(100_000), 2, masked=True)
        sending = asyncio.create_task(it.client.send(*[piece] * 200))
        (running,) = await _sessions(it.daemon)
        async with asyncio.timeout(PATIENCE):
            while not running._held_back:
                await asyncio.sleep(0.005)
        assert running._upstream.get_write_buffer_size() < 2 << 20
        go.set()
        await sending
        await it.client.hear_until("all")
        assert it.provider[0].received == it.client.sent


async def _sessions(daemon: InProcess) -> list[Any]:
    async with asyncio.timeout(PATIENCE):
        while not daemon.daemon._forwarder._sessions:
            await asyncio.sleep(0.005)
    return list(daemon.daemon._forwarder._sessions)


# turns


async def test_each_turn_is_a_row_of_its_own(home: Path) -> None:
    async with session(home, answer_all, headers=(b"X-Budget-Project: p",)) as it:
        for number in (1, 2, 3):
            await it.client.say({"type": "conversation.item.create", "item": {}}, CREATE)
            await it.client.hear_until("response.done")
            rows = await settled(it.daemon, number)
        for row in rows:
            assert (row["outcome"], row["basis"], row["status"]) == ("ok", "reported", 101)
            assert (row["model"], row["project"], row["path"]) == ("gpt-realtime", "p", "/v1/realtime")
            assert (row["input_tokens"], row["output_tokens"]) == (1000, 200)
            assert row["cost_nusd"] == 1000 * 4_000 + 200 * 16_000
            assert (row["provider_request_id"], row["stream"]) == ("req_7", 1)
            assert row["request_bytes"] > 0
            assert row["response_bytes"] > 0
            assert row["ttft_seconds"] is not None
        assert it.client.received == it.provider[0].sent
        assert it.provider[0].received == it.client.sent


async def test_a_turn_is_on_record_before_it_is_sent(home: Path) -> None:
    seen: list[Any] = []

    async def talk(peer: Peer) -> None:
        await peer.hear()
        seen.extend(scene[0].rows_now())
        await peer.say(created(), done())
        await peer.stream.gone()

    scene: list[InProcess] = []
    async with session(home, talk, budget="[budget]\ndaily_limit_cents = 100\n") as it:
        scene.append(it.daemon)
        await it.client.say(CREATE)
        await it.client.hear_until("response.done")
        assert [row["outcome"] for row in seen] == [None]
        assert seen[0]["reserved_nusd"] > 0


async def test_what_it_has_cost_so_far_is_known_while_it_streams(home: Path) -> None:
    streamed, go = asyncio.Event(), asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.hear()
        await peer.say(created(), delta(text="word " * 2000))
        streamed.set()
        await go.wait()
        await peer.say(done())
        await peer.stream.gone()

    async with session(home, talk) as it:
        await it.client.say(CREATE)
        await it.client.hear_until("response.output_text.delta")
        (entry,) = it.daemon.daemon._accounts.in_flight.values()
        assert entry.ticket.phase == "answering"
        assert entry.cost(None).nusd > 2000 * 16_000
        go.set()
        await it.client.hear_until("response.done")


@pytest.mark.parametrize("between_fragments", [False, True])
async def test_a_refused_turn_leaves_the_session_open(home: Path, between_fragments: bool) -> None:
    go = asyncio.Event()

    async def talk(peer: Peer) -> None:
        if between_fragments:
            await peer.send(frame(b'{"type":', final=False), frame(b"", 9))
            await go.wait()
            await peer.send(frame(b'"x"}', 0))
        assert await peer.hear() == {"type": "session.update"}
        await peer.say({"type": "session.updated", "session": {}})
        await peer.stream.gone()

    async with session(home, talk, budget=TINY) as it:
        await it.client.say(CREATE | {"event_id": "mine"})
        if between_fragments:
            async with asyncio.timeout(PATIENCE):
                while not it.daemon.rows_now():
                    await asyncio.sleep(0.005)
            go.set()
            assert await it.client.hear() == {"type": "x"}
        message = await it.client.hear()
        error = message["error"]
        assert (message["type"], error["type"], error["event_id"]) == ("error", "budget_exceeded", "mine")
        assert "has no room for this request" in error["message"]
        await it.client.say({"type": "session.update"})
        assert await it.client.hear() == {"type": "session.updated", "session": {}}
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["cost_nusd"]) == ("refused", 0)


async def test_a_refused_response_is_told_as_its_clients_expect(home: Path) -> None:
    async with session(home, listen, target=RESPONSES, budget=TINY) as it:
        await it.client.say({"type": "response.create", "model": "gpt-5.4", "input": "hi"})
        message = await it.client.hear()
        assert (message["type"], message["status"]) == ("error", 400)
        assert message["code"] == message["error"]["code"] == "budget_exceeded"
        assert message["message"] == message["error"]["message"]
        (row,) = await settled(it.daemon, 1)
        assert (row["model"], row["outcome"]) == ("gpt-5.4", "refused")


async def test_gemini_is_closed_with_the_reason(home: Path) -> None:
    async with session(home, listen, target=GEMINI, budget=TINY) as it:
        await it.client.say({"setup": {"model": "models/gemini-live-2.5-flash"}})
        await it.client.say({"clientContent": {"turns": [], "turnComplete": True}})
        code, reason = await it.client.closed()
        assert code == 1008
        assert reason.startswith("The daily limit of $0.00 has no room")
        assert len(reason.encode()) <= 123
        await it.client.send(closing(1008, masked=True))
        await it.client.stream.gone()
        await it.provider[0].gone()
        assert b"clientContent" not in b"".join(p.message or b"" for p in it.provider[0].pieces)


async def test_while_all_is_paused_the_handshake_passes_and_turns_do_not(home: Path) -> None:
    async with session(home, answer_all) as it:
        Steering(it.daemon.daemon._accounts).pause("test")
        await it.client.say(CREATE)
        assert "paused" in (await it.client.hear())["error"]["message"]
        Steering(it.daemon.daemon._accounts).resume()
        await it.client.say(CREATE)
        await it.client.hear_until("response.done")


async def test_a_turn_that_would_be_downgraded_is_refused(home: Path) -> None:
    budget = TINY + 'fallback_model_on_exceed = "gpt-realtime-mini"\n'
    async with session(home, answer_all, budget=budget) as it:
        await it.client.say(CREATE)
        assert (await it.client.hear())["error"]["type"] == "budget_exceeded"


async def test_a_held_turn_waits_and_what_follows_waits_behind_it_but_for_pings(home: Path) -> None:
    async with session(home, listen) as it:
        till = scripted(it.daemon, hold_all)
        (running,) = await _sessions(it.daemon)
        running._turns._till = till
        await it.client.say({"type": "before"}, CREATE, {"type": "after"})
        await it.client.send(frame(b"alive?", 9, masked=True))
        await till.until(lambda: till.held)
        await till.until(lambda: frame(b"alive?", 9, masked=True) in it.provider[0].received)
        heard = [json.loads(p.message) for p in it.provider[0].pieces if p.message]
        assert heard == [{"type": "before"}]
        till.approve()
        await till.until(lambda: len(it.provider[0].pieces) == 4)
        heard = [json.loads(p.message) for p in it.provider[0].pieces if p.message]
        assert heard == [{"type": "before"}, CREATE, {"type": "after"}]


async def test_a_client_that_sends_on_and_on_while_it_is_held_is_slowed_down(home: Path) -> None:
    async with session(home, listen) as it:
        till = scripted(it.daemon, hold_all)
        (running,) = await _sessions(it.daemon)
        running._turns._till = till
        await it.client.say(CREATE)
        await till.until(lambda: till.held)
        piece = frame(bytes(100_000), 2, masked=True)
        sending = asyncio.create_task(it.client.send(*[piece] * 200))
        await till.until(lambda: running._held_back)
        assert running._waiting_bytes < 2 * MOST_WAITING
        till.approve()
        await sending
        await till.until(lambda: it.provider[0].received == it.client.sent)


@ways
async def test_a_client_that_leaves_while_it_is_held_gives_up(home: Path, how: str) -> None:
    async with session(home, listen) as it:
        till = scripted(it.daemon, hold_all)
        (running,) = await _sessions(it.daemon)
        running._turns._till = till
        await it.client.say(CREATE)
        await till.until(lambda: till.held)
        leave(it.client.stream, how)
        await till.until(lambda: till.abandoned)
        await it.provider[0].gone()
        assert till.tickets == []


async def test_a_turn_that_cannot_be_recorded_is_not_sent_and_not_to_be_asked_again(home: Path) -> None:
    def decide(till: ScriptedTill, candidate: Candidate) -> Turned:
        return Turned("The ledger cannot be written.", "fault")

    async with session(home, listen) as it:
        (running,) = await _sessions(it.daemon)
        running._turns._till = scripted(it.daemon, decide)
        await it.client.say(CREATE)
        assert (await it.client.hear())["error"]["type"] == "budgetd_error"


async def test_a_response_that_the_provider_begins_itself_is_admitted(home: Path) -> None:
    async def talk(peer: Peer) -> None:
        await peer.say(created(), delta(), done())
        await peer.stream.gone()

    async with session(home, talk) as it:
        await it.client.hear_until("response.done")
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["basis"], row["input_tokens"]) == ("ok", "reported", 1000)


@pytest.mark.parametrize(
    "budget",
    [
        TINY,
        '[[limits]]\nname = "daily"\nwindow = "day"\nlimit_cents = 0\non_exceed = "hold"\n',
        TINY + 'fallback_model_on_exceed = "gpt-realtime-mini"\n',
    ],
    ids=["refuse", "hold", "downgrade"],
)
async def test_a_response_that_the_provider_begins_itself_is_cut_and_counted_where_there_is_no_room(
    home: Path, budget: str
) -> None:
    go = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.hear()
        await go.wait()
        await peer.send(frame(json.dumps(created()).encode()) + frame(b"never seen"))
        await peer.stream.gone()

    async with session(home, talk, budget=budget) as it:
        accounts = it.daemon.daemon._accounts
        await it.client.say({"type": "input_audio_buffer.append", "audio": "A" * 64_000})
        go.set()
        assert (await it.client.hear())["type"] == "response.created"
        code, reason = await it.client.closed()
        assert (code, "daily" in reason, len(reason) <= 123) == (1008, True, True), reason
        await it.provider[0].gone()
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["basis"]) == ("killed", "estimated")
        (window, *_) = accounts.guard.windows
        assert (window.spent_nusd, window.reserved_nusd) == (row["cost_nusd"], 0)
        assert row["cost_nusd"] > 0
        assert [alert.count for alert in accounts.desk.board.kept() if alert.rule == "refused"] == [1]
        assert not accounts.holds


@pytest.mark.parametrize("policy", ["refuse", "allow", "ceiling", "nearest"])
async def test_a_response_of_an_unknown_model_that_the_provider_begins_itself_follows_the_policy(
    home: Path, policy: UnknownModel
) -> None:
    async def talk(peer: Peer) -> None:
        await peer.hear()
        await peer.say(created(), delta(), done())
        await peer.stream.gone()

    async with session(home, talk, target=REALTIME.replace("gpt-realtime", "gpt-realtime-of-nobody")) as it:
        it.daemon.daemon._accounts.unknown_model = policy
        await it.client.say({"type": "input_audio_buffer.append", "audio": "A" * 64_000})
        if policy == "refuse":
            code, reason = await it.client.closed()
            assert (code, "price" in reason) == (1008, True)
        else:
            await it.client.hear_until("response.done")
        (row,) = await settled(it.daemon, 1)
        assert row["outcome"] == ("killed" if policy == "refuse" else "ok")


async def test_a_provider_that_says_no_to_a_turn_is_not_paid(home: Path) -> None:
    async def talk(peer: Peer) -> None:
        await peer.hear()
        await peer.say({"type": "error", "error": {"type": "invalid_request_error", "event_id": None}})
        await peer.stream.gone()

    async with session(home, talk) as it:
        await it.client.say(CREATE)
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["status"], row["cost_nusd"]) == ("error", 400, 0)


async def test_transcriptions_are_counted_with_a_turn_or_on_their_own(home: Path) -> None:
    usage = {"input_tokens": 100, "output_tokens": 20, "input_token_details": {"audio_tokens": 90}}
    heard = {"type": "conversation.item.input_audio_transcription.completed", "usage": usage}
    model = {"input_audio_transcription": {"model": "gpt-4o-mini-transcribe"}}

    async def talk(peer: Peer) -> None:
        await peer.say({"type": "session.updated", "session": model}, heard, created(), heard, done())
        await peer.stream.gone()

    async with session(home, talk) as it:
        await it.client.hear_until("response.done")
        alone, turn = await settled(it.daemon, 2)
        cost = 10 * 1_250 + 90 * 3_000 + 20 * 5_000
        assert (alone["model"], alone["cost_nusd"]) == ("gpt-4o-mini-transcribe", cost)
        assert (alone["basis"], alone["input_audio_tokens"]) == ("reported", 90)
        assert turn["cost_nusd"] == 1000 * 4_000 + 200 * 16_000 + cost


# the end


async def begin(peer: Peer) -> None:
    """Begin an answer and stop in the middle of it."""
    await peer.hear()
    await peer.say(created(), delta())


async def stall(peer: Peer) -> None:
    await begin(peer)
    await peer.stream.gone()


@ways
async def test_a_client_that_leaves_in_a_turn_pays_for_what_has_streamed(home: Path, how: str) -> None:
    async with session(home, stall) as it:
        await it.client.say(CREATE)
        await it.client.hear_until("response.output_text.delta")
        leave(it.client.stream, how)
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["basis"]) == ("aborted", "estimated")
        assert row["cost_nusd"] > 0
        await it.provider[0].gone()


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_an_upstream_that_breaks_off_in_a_turn_is_seen_as_it_was(home: Path, how: str) -> None:
    async def talk(peer: Peer) -> None:
        await begin(peer)
        await peer.hear()
        if how == "reset":
            peer.stream.reset()

    async with session(home, talk) as it:
        await it.client.say(CREATE)
        await it.client.hear_until("response.output_text.delta")
        await it.client.say({"type": "go on"})
        await it.client.stream.gone()
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["basis"]) == ("broken", "estimated")
        assert row["cost_nusd"] > 0


async def test_a_turn_that_is_closed_by_the_client_is_aborted(home: Path) -> None:
    async def talk(peer: Peer) -> None:
        await begin(peer)
        while (await peer.next()).opcode != 8:
            pass
        await peer.send(closing(1000))

    async with session(home, talk) as it:
        await it.client.say(CREATE)
        await it.client.hear_until("response.output_text.delta")
        await it.client.send(closing(1000, masked=True))
        assert await it.client.closed() == (1000, "")
        await it.client.stream.gone()
        (row,) = await settled(it.daemon, 1)
        assert row["outcome"] == "aborted"


async def test_killing_a_turn_cuts_the_session_on_both_sides(home: Path) -> None:
    async with session(home, stall) as it:
        await it.client.say(CREATE)
        await it.client.hear_until("response.output_text.delta")
        (id,) = it.daemon.daemon._accounts.in_flight
        assert Steering(it.daemon.daemon._accounts).kill(id, "ada")
        assert await it.client.closed() == (1008, KILLED)
        await it.client.send(closing(1008, masked=True))
        await it.client.stream.gone()
        await it.provider[0].gone()
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["basis"]) == ("killed", "estimated")
        assert row["cost_nusd"] > 0


async def test_a_daemon_that_stops_lets_the_turn_end_and_says_goodbye(home: Path) -> None:
    go = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await begin(peer)
        await go.wait()
        await peer.say(done())
        await peer.stream.gone()

    async with session(home, talk) as it:
        await it.client.say(CREATE)
        await it.client.hear_until("response.output_text.delta")
        stopping = asyncio.create_task(it.daemon.daemon._listener.stop(PATIENCE))
        (running,) = await _sessions(it.daemon)
        async with asyncio.timeout(PATIENCE):
            while not running._retiring:
                await asyncio.sleep(0.005)
        go.set()
        assert (await it.client.hear())["type"] == "response.done"
        assert await it.client.closed() == (1001, STOPPED)
        await stopping
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["basis"]) == ("ok", "reported")


async def test_a_daemon_that_cannot_wait_settles_what_runs(home: Path) -> None:
    async with session(home, stall) as it:
        await it.client.say(CREATE)
        await it.client.hear_until("response.output_text.delta")
        await it.daemon.daemon._listener.stop(0.01)
        assert await it.client.closed() == (1001, STOPPED)
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["basis"]) == ("broken", "estimated")


async def test_sound_that_was_never_answered_costs_nothing(home: Path) -> None:
    async with session(home, listen, target=GEMINI) as it:
        await it.client.say({"setup": {"model": "models/gemini-live-2.5-flash"}})
        await it.client.say({"realtimeInput": {"audio": {"data": "A" * 4000}}})
        async with asyncio.timeout(PATIENCE):
            while len(it.provider[0].pieces) < 2:
                await asyncio.sleep(0.005)
        it.client.stream.close()
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["cost_nusd"]) == ("failed", 0)


async def test_what_cannot_be_read_any_more_is_passed_on_and_cut(home: Path) -> None:
    async def talk(peer: Peer) -> None:
        await begin(peer)
        await peer.send(frame(b"", 3))
        await peer.stream.gone()

    async with session(home, talk) as it:
        await it.client.say(CREATE)
        await it.client.stream.gone()
        (row,) = await settled(it.daemon, 1)
        assert (row["outcome"], row["basis"]) == ("broken", "estimated")
