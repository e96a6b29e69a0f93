"""What a request cost is told by the provider's own ids, without a byte of its answer changed; and costs that
are told late, of a response that ran in the background, replace what was estimated."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from e2e.background import Background
from e2e.http_bytes import head_of
from e2e.running import Home, budgetd
from e2e.upstream import Keeping
from support.stream import Message, Stream, chunked, connected

USAGE = {"input_tokens": 1000, "output_tokens": 200, "total_tokens": 1200}
NUSD = 1000 * 2_500 + 200 * 15_000
"""Of that usage, at gpt-5.4's prices."""


class Provider:
    """Answers Responses; one that runs in the background is done once it is fetched a second time."""

    def __init__(self) -> None:
        self.fetched = 0
        self.failing = False
        """What runs in the background comes to nothing."""
        self.let_on = asyncio.Event()
        """A stream stops after its first event until this is set."""

    async def __call__(self, request: Message) -> AsyncIterator[bytes]:
        if request.method == "POST" and json.loads(request.body).get("stream"):
            async for piece in self._stream():
                yield piece
            return
        answer: dict[str, Any] = {"id": "resp_1", "model": "gpt-5.4", "object": "response", "output": []}
        if request.method == "GET":
            self.fetched += 1
            done = self.fetched > 1
        else:
            done = not json.loads(request.body).get("background")
        answer |= {"background": True, "status": "completed" if done else "queued"}
        answer |= {"usage": USAGE if done else None}
        if self.failing and done:
            answer |= {"status": "failed", "usage": None, "error": {"code": "server_error", "message": "no"}}
        body = json.dumps(answer).encode()
        headers = [(b"Content-Type", b"application/json"), (b"x-request-id", b"req_%d" % self.fetched)]
        yield head_of(b"HTTP/1.1 200 OK", [*headers, (b"Content-Length", b"%d" % len(body))]) + body

    async def _stream(self) -> AsyncIterator[bytes]:
        headers = [(b"Content-Type", b"text/event-stream"), (b"x-request-id", b"req_s")]
        yield head_of(b"HTTP/1.1 200 OK", [*headers, (b"Transfer-Encoding", b"chunked")])
        answer: dict[str, Any] = {"id": "resp_s", "model": "gpt-5.4", "object": "response", "output": []}
        whole = chunked(
            _event("response.created", answer | {"status": "in_progress", "usage": None}),
            _event("response.completed", answer | {"status": "completed", "usage": USAGE}),
        )
        first = whole.index(b"event: response.completed")
        yield whole[:first]
        await self.let_on.wait()
        yield whole[first:]


def _event(name: str, response: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, 'response': response})}\n\n".encode()


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def home(background: Background, provider: Provider) -> Iterator[Home]:
    with (
        background.inside(Keeping(provider)) as upstream,
        Home({"openai": upstream.url}, budget="[budget]\ndaily_limit_cents = 100\n").running() as home,
    ):
        yield home


@pytest.fixture
def client(background: Background, home: Home) -> Iterator[Stream]:
    with background.inside(connected(*home.proxy)) as client:
        yield client


def asking(home: Home, method: str, target: str, **body: Any) -> bytes:
    content = json.dumps({"model": "gpt-5.4", "input": "hi", **body}).encode() if method == "POST" else b""
    headers = [(b"Host", home.address.encode()), (b"Content-Length", b"%d" % len(content))]
    return head_of(f"{method} {target} HTTP/1.1".encode(), headers) + content


def send(loop: Background, client: Stream, home: Home, method: str, target: str, **body: Any) -> None:
    async def exchange() -> Message:
        await client.send(asking(home, method, target, **body))
        return await client.response()

    assert loop.run(exchange()).status == 200


def cost_of(home: Home, id: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{home.url}/-/cost/{id}", timeout=10) as answer:
        return json.load(answer)


def test_what_a_call_cost_is_found_by_either_id_of_the_provider(
    background: Background, home: Home, client: Stream
) -> None:
    send(background, client, home, "POST", "/v1/responses")
    by_exchange, by_response, by_number = (cost_of(home, id) for id in ("req_0", "resp_1", "1"))
    assert by_exchange == by_response == by_number
    assert by_exchange["cost_nusd"] == NUSD
    assert by_exchange["cost_cents"] == "0.55"
    assert by_exchange["basis"] == "reported"
    assert by_exchange["tokens"] == {"input_tokens": 1000, "output_tokens": 200}
    assert by_exchange["limits"] == ["daily"]
    assert by_exchange["settled"] is True


def test_what_still_runs_is_found_by_either_id_too(
    background: Background, home: Home, client: Stream, provider: Provider
) -> None:
    background.run(client.send(asking(home, "POST", "/v1/responses", stream=True)))
    background.run(client.read_until(b"response.created"))
    so_far = cost_of(home, "1")
    assert (so_far["settled"], so_far["response_id"]) == (False, "resp_s")
    for id in ("req_s", "resp_s"):
        assert cost_of(home, id) == so_far
    assert "it still runs" in budgetd(home.path, "cost", "resp_s").stdout
    background.run(_set(provider.let_on))
    background.run(client.read_until(b"0\r\n\r\n"))
    settled = cost_of(home, "resp_s")
    assert (settled["settled"], settled["cost_nusd"]) == (True, NUSD)


async def _set(event: asyncio.Event) -> None:
    event.set()


def test_the_command_says_the_same(background: Background, home: Home, client: Stream) -> None:
    send(background, client, home, "POST", "/v1/responses")
    shown = budgetd(home.path, "cost", "req_0")
    assert shown.returncode == 0, shown.stderr
    assert "$0.0055 (0.55 cents)" in shown.stdout
    assert "daily" in shown.stdout
    assert json.loads(budgetd(home.path, "cost", "resp_1", "--json").stdout) == cost_of(home, "1")
    unknown = budgetd(home.path, "cost", "req_none")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "'req_none'" in unknown.stderr


def test_an_unknown_id_is_not_found(home: Home) -> None:
    for id in ("resp_2", "77", "%27%20or%201=1", "99999999999999999999"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            cost_of(home, id)
        assert refused.value.code == 404


def test_a_response_that_runs_in_the_background_is_estimated_until_it_is_fetched(
    background: Background, home: Home, client: Stream
) -> None:
    send(background, client, home, "POST", "/v1/responses", background=True)
    estimated = cost_of(home, "resp_1")
    assert estimated["basis"] == "estimated"
    assert home.spent() == estimated["cost_nusd"] > 1024 * 15_000

    send(background, client, home, "GET", "/v1/responses/resp_1")
    assert cost_of(home, "resp_1") == estimated

    send(background, client, home, "GET", "/v1/responses/resp_1")
    reported = cost_of(home, "resp_1")
    assert (reported["basis"], reported["cost_nusd"]) == ("reported", NUSD)
    assert reported["tokens"]["output_tokens"] == 200
    assert home.spent() == NUSD

    send(background, client, home, "GET", "/v1/responses/resp_1")
    assert home.spent() == NUSD
    assert len(home.rows()) == 1
    home.stop()
    home.start()
    assert home.spent() == NUSD


def test_a_response_that_failed_in_the_background_costs_nothing_once_that_is_known(
    background: Background, home: Home, client: Stream, provider: Provider
) -> None:
    provider.failing = True
    send(background, client, home, "POST", "/v1/responses", background=True)
    send(background, client, home, "GET", "/v1/responses/resp_1")
    assert home.spent() > 0
    send(background, client, home, "GET", "/v1/responses/resp_1")
    found = cost_of(home, "resp_1")
    assert (found["basis"], found["cost_nusd"], home.spent()) == ("reported", 0, 0)


def test_what_was_sent_before_a_kill_can_be_told_after_it(
    background: Background, home: Home, client: Stream
) -> None:
    send(background, client, home, "POST", "/v1/responses", background=True)
    cost_of(home, "resp_1")
    home.kill()
    home.start()
    with background.inside(connected(*home.proxy)) as again:
        send(background, again, home, "GET", "/v1/responses/resp_1")
        send(background, again, home, "GET", "/v1/responses/resp_1")
    assert home.spent() == NUSD
