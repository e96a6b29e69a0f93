"""What a person hears of upstreams that fail, and of requests that did not simply pass."""

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from budgetd.control.needs import Peer
from budgetd.ledger.rows import AlertRow
from budgetwire.messages import Approve, Refuse
from proxy.setting import ASK, HEAD, OK, START, STREAM, between, leave, response
from proxy.sockets import RESPONSES, UPGRADE
from support.daemon import InProcess, running
from support.stream import PATIENCE, Stream
from support.upstream import Upstream, always, once

KEY = b"x-api-key: mark-key-4711"


def alerts(daemon: InProcess) -> list[AlertRow]:
    return daemon.daemon._accounts.desk.board.open_of("upstream")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of single requests."""
    return [record.message for record in caplog.records if record.message.startswith("request ")]


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def ask(daemon: InProcess, target: str = "/v1/messages", method: str = "POST") -> int:
    body = ASK if method == "POST" else None
    async with daemon.connect() as client:
        await client.send(daemon.request(method, target, KEY, body=body))
        return (await client.response()).status


async def until(daemon: InProcess, count: int) -> None:
    """Wait until so many upstreams have an alert."""
    async with asyncio.timeout(PATIENCE):
        while len(alerts(daemon)) != count:
            await asyncio.sleep(0.005)


async def test_an_upstream_that_cannot_be_reached_is_heard_of_until_it_answers(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("budgetd.alerts.upstreams.CALM_SECONDS", 0.0)
    async with (
        Upstream(always(OK)) as upstream,
        running(home, {"anthropic": "http://127.0.0.1:9"}) as daemon,
    ):
        for number in range(7):
            free = number == 3
            assert await ask(daemon, *(("/v1/messages?x", "GET") if free else ())) == 502
        (alert,) = alerts(daemon)
        assert (alert.subject, alert.count) == ("anthropic", 7)
        assert alert.message.startswith("anthropic cannot be reached: no connection to 127.0.0.1:9: ")
        assert alert.message.endswith("; 7 requests failed")
        assert lines(caplog)[0].startswith(
            "request 1 (claude-opus-4-8 at anthropic) not sent: no connection to 127.0.0.1:9: "
        )
        assert len(lines(caplog)) == 6
        forwarder = daemon.daemon._forwarder
        known = forwarder.config.upstreams
        there = msgspec.structs.replace(known["anthropic"], url=upstream.url)
        forwarder.config = msgspec.structs.replace(forwarder.config, upstreams={**known, "anthropic": there})
        assert await ask(daemon) == 200
        await until(daemon, 0)
        assert "anthropic answers again; 7 requests failed" in caplog.text
    assert "4711" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (response(b"{}", status=b"503 Service Unavailable"), "answers 503"),
        (b"", "does not answer properly: the connection broke off before it answered"),
        (HEAD, "does not answer properly: the connection broke off in the middle of its response"),
        (b"nonsense\r\n\r\n", "does not answer properly: its response is not valid HTTP"),
    ],
    ids=["503", "break", "break in the middle", "no http"],
)
async def test_one_that_answers_nothing_useful_several_times_is_heard_of(
    home: Path, answer: bytes, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Upstream(once(answer)) as upstream, running(home, {"anthropic": upstream.url}) as daemon:
        for number in range(1, 5):
            async with daemon.connect() as client:
                await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
                await client.read_some()
                await daemon.rows(number)
            assert bool(alerts(daemon)) == (number >= 3)
        (alert,) = alerts(daemon)
        assert alert.message.startswith(f"anthropic {what}")
        assert (alert.count, alert.message.endswith("; 4 requests failed")) == (4, True)
        assert len(lines(caplog)) == 4
        assert lines(caplog)[0].startswith(
            f"request 1 (claude-opus-4-8 at anthropic) failed: anthropic {what}"
        )


async def test_what_the_provider_says_no_to_is_the_clients_business(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    no = response(b"{}", status=b"401 Unauthorized")
    async with between(home, always(no)) as (_, daemon, _):
        for _ in range(5):
            assert await ask(daemon) == 401
        await daemon.rows(5)
        assert alerts(daemon) == []
        assert lines(caplog) == []


async def test_what_was_cut_from_here_says_nothing_of_the_upstream(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD, START)
        await peer.gone()

    async with between(home, script, proxy={"drain_seconds": 0}) as (_, daemon, _):
        for number in range(1, 7):
            async with daemon.connect() as client:
                await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
                await client.read(len(HEAD + START))
                if number % 2:
                    leave(client, "reset")
                else:
                    kill = daemon.daemon._accounts.in_flight[number].ticket.kill
                    assert kill is not None
                    kill()
                await daemon.rows(number)
        assert alerts(daemon) == []
    killed = [line for line in lines(caplog) if " killed: " in line]
    assert [line.partition(" (")[0] for line in killed] == ["request 2", "request 4", "request 6"]
    assert len(lines(caplog)) == 3
    assert all(line.endswith(" counted") for line in killed)


async def test_an_upstream_that_refuses_sessions_is_heard_of(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.request()

    async with between(home, script) as (_, daemon, _):
        for number in range(1, 4):
            async with daemon.connect() as client:
                await client.send(daemon.request("GET", RESPONSES, *UPGRADE))
                assert (await client.response()).status == 502
            assert bool(alerts(daemon)) == (number == 3)


async def test_a_daemon_that_stops_blames_no_upstream(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("budgetd.daemon.GRACE_SECONDS", 0.05, raising=False)

    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(HEAD, START)
        await peer.gone()

    async with (
        AsyncExitStack() as clients,
        between(home, script, proxy={"drain_seconds": 0}) as (_, daemon, _),
    ):
        for _ in range(4):
            client = await clients.enter_async_context(daemon.connect())
            await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
            await client.read(len(HEAD + START))
        board = daemon.daemon._accounts.desk.board
    assert board.open_of("upstream") == []
    assert [": budgetd was stopped; " in line for line in lines(caplog)] == [True] * 4


REFUSING = "[budget]\ndaily_limit_cents = 0\n"
HOLDING = (
    '[[limits]]\nname = "daily"\nwindow = "day"\nlimit_cents = 0\non_exceed = "hold"\nhold_seconds = 60\n'
)


async def test_a_refused_request_is_a_line_of_the_log(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with between(home, always(OK), budget=REFUSING) as (_, daemon, _):
        assert await ask(daemon, "/@maria:acme/v1/messages") == 402
    (line,) = lines(caplog)
    assert line.startswith(
        "request 1 (claude-opus-4-8 at anthropic, project acme, user maria) refused: daily has no room ("
    )
    assert "4711" not in caplog.text


@pytest.mark.parametrize(
    ("decide", "status", "how"),
    [
        (Approve, 200, "let in after it was held: allowed"),
        (Refuse, 402, "refused after it was held: refused"),
        (None, 0, "given up after it was held: its client left"),
    ],
    ids=["allowed", "refused", "left"],
)
async def test_a_held_request_is_a_line_and_so_is_what_became_of_it(
    home: Path, caplog: pytest.LogCaptureFixture, decide: type[Approve | Refuse] | None, status: int, how: str
) -> None:
    async with between(home, always(OK), budget=HOLDING) as (client, daemon, _):
        accounts = daemon.daemon._accounts
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        async with asyncio.timeout(PATIENCE):
            while not accounts.holds:
                await asyncio.sleep(0.005)
        (waiting,) = accounts.holds
        if decide is not None:
            control = daemon.daemon._control
            assert control is not None
            await control._handle(decide(id=1, request_id=waiting.case.id), Peer(1, 0, "test"))
            assert (await client.response()).status == status
        else:
            leave(client, "reset")
        async with asyncio.timeout(PATIENCE):
            while len(lines(caplog)) < 2:
                await asyncio.sleep(0.005)
    held, decided = lines(caplog)
    assert held.startswith("request 1 (claude-opus-4-8 at anthropic) held: daily has no room (")
    assert decided == f"request 1 (claude-opus-4-8 at anthropic) {how}"
