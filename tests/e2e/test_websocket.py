"""WebSocket sessions through a real budgetd, with real clients and a real WebSocket server: recorded ones are
replayed, and every byte of a frame and every report is what it was.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from google import genai
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from budgetwire.messages import Kill
from e2e.background import Background
from e2e.exchange import ABSENT, CORPUS
from e2e.relay import Relay
from e2e.running import Home
from support.stream import PATIENCE

PREFIX = {"azure": "/azure", "xai": "/xai"}
"""Of the paths of providers that no path of their own tells."""

COLUMNS = (
    "input_tokens",
    "cache_read_tokens",
    "input_audio_tokens",
    "cache_read_audio_tokens",
    "input_image_tokens",
    "output_tokens",
    "output_audio_tokens",
)


def recorded() -> list[dict[str, Any]]:
    if not CORPUS.exists():
        return []
    lines = map(json.loads, CORPUS.read_text().splitlines())
    return [each for each in lines if each["kind"] == "websocket"]


class Provider:
    """A WebSocket server that does what the session says that a test has put in its place."""

    def __init__(self) -> None:
        self.talk: Any = None
        self.failures: list[Exception] = []
        self.url = ""

    async def __aenter__(self) -> "Provider":
        self._server = await serve(self._serve, "127.0.0.1", 0, max_size=None)
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            await self.talk(connection)
        except AssertionError as error:
            self.failures.append(error)


class Stage:
    """Client, tap, daemon, tap, provider."""

    def __init__(self, background: Background, provider: Provider, behind: Relay, home: Home, before: Relay):
        self.background = background
        self.provider = provider
        self.behind = behind
        self.home = home
        self.before = before

    def run(self, client: Any, provider: Any) -> list[dict[str, Any]]:
        """Let both sides talk to their end; the rows that this made."""
        known = len(self.home.rows())
        self.before.clear()
        self.behind.clear()
        self.provider.talk = provider
        self.background.run(client)
        assert self.provider.failures == []
        self.home.wait_for(lambda state: not state.in_flight)
        return [dict(row) for row in self.home.rows()[known:]]

    def frames_are_the_same(self) -> bool:
        """Whether what went over the wire after the heads was the same on both sides of the daemon."""
        sent = [relay.sent.partition(b"\r\n\r\n")[2] for relay in (self.before, self.behind)]
        received = [relay.received for relay in (self.before, self.behind)]
        return sent[0] == sent[1] and received[0] == received[1] and b"" not in (*sent, *received)


@pytest.fixture(scope="module")
def stage(background: Background) -> Iterator[Stage]:
    with background.inside(Provider()) as provider, background.inside(Relay(provider.url[7:])) as behind:
        home = Home(dict.fromkeys(("openai", "azure", "xai", "gemini"), behind.url))
        with home.running(), background.inside(Relay(home.address)) as before:
            yield Stage(background, provider, behind, home, before)


async def play(socket: Any, messages: list[dict[str, str]], ours: str) -> None:
    """Say our side of a recorded session, and hear the other."""
    async with asyncio.timeout(PATIENCE):
        for message in messages:
            if message["direction"] == ours:
                await socket.send(message["text"])
            else:
                assert await socket.recv() == message["text"]


def expected(usage: dict[str, Any]) -> dict[str, int]:
    """The columns that a report comes to."""
    if "promptTokenCount" in usage:
        spoken = [
            each["tokenCount"] for each in usage["responseTokensDetails"] if each["modality"] == "AUDIO"
        ]
        counts = [usage["promptTokenCount"], 0, 0, 0, 0, usage["responseTokenCount"], sum(spoken)]
        return dict(zip(COLUMNS, counts, strict=True))
    into, out = usage["input_token_details"], usage["output_token_details"]
    cached = into.get("cached_tokens_details", {}).get("audio_tokens", 0)
    counts = [
        usage["input_tokens"],
        into.get("cached_tokens", 0),
        into["audio_tokens"],
        cached,
        into.get("image_tokens", 0),
        usage["output_tokens"],
        out["audio_tokens"],
    ]
    return dict(zip(COLUMNS, counts, strict=True))


@pytest.mark.skipif(not recorded(), reason=ABSENT)
@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("line", recorded(), ids=lambda line: line["id"])
def test_a_recorded_session_passes_as_it_was_and_its_usage_is_in_the_ledger(
    stage: Stage, line: dict[str, Any], compression: Any
) -> None:
    messages = line["messages"]

    async def client() -> None:
        url = stage.before.url.replace("http", "ws") + PREFIX.get(line["provider"], "") + line["path"]
        async with connect(url, compression=compression, max_size=None) as socket:
            assert bool(socket.protocol.extensions) == bool(compression)
            await play(socket, messages, "sent")

    rows = stage.run(client(), lambda socket: play(socket, messages, "received"))
    assert stage.frames_are_the_same()
    reports = line["expected_usage_as_reported"]["reports"]
    said = [each["usage"] for each in reports if "transcription" not in (each["event"] or "")]
    assert [{name: row[name] for name in COLUMNS} for row in rows] == [expected(each) for each in said]
    model = line["expected_usage_as_reported"]["model"] or "gemini-2.5-flash-native-audio-preview-09-2025"
    assert {row["model"] for row in rows} == {model}
    assert {(row["outcome"], row["basis"]) for row in rows} == {("ok", "reported")}
    assert all(row["cost_nusd"] > 0 for row in rows)


# real clients

DONE = {
    "type": "response.done",
    "event_id": "e",
    "response": {
        "id": "resp_1",
        "object": "realtime.response",
        "status": "completed",
        "output": [],
        "usage": {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10},
    },
}


async def answer(socket: Any) -> None:
    """A provider of Realtime that answers whatever asks for a response."""
    async for message in socket:
        if json.loads(message)["type"] == "response.create":
            await socket.send(json.dumps({"type": "response.created", "response": {"id": "resp_1"}}))
            await socket.send(json.dumps(DONE))


def test_the_openai_sdks_realtime_client_gets_its_answer(stage: Stage) -> None:
    async def client() -> None:
        openai = AsyncOpenAI(api_key="sk-marker", base_url=f"{stage.before.url}/v1")
        async with openai.realtime.connect(model="gpt-realtime") as connection:
            await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            await connection.response.create()
            async for event in connection:
                if event.type == "response.done":
                    break

    (row,) = stage.run(client(), answer)
    assert (row["outcome"], row["model"], row["input_tokens"]) == ("ok", "gpt-realtime", 20)
    assert (row["client"], row["key"][:2]) == ("openai-python", "k_")


def test_the_openai_sdks_realtime_client_sees_a_refusal_and_goes_on(stage: Stage) -> None:
    async def client() -> None:
        openai = AsyncOpenAI(api_key="sk-marker", base_url=f"{stage.before.url}/v1")
        async with openai.realtime.connect(model="gpt-realtime") as connection:
            await pause(stage.home, "pause")
            await connection.response.create()
            refused = await connection.recv()
            assert refused.type == "error"
            assert refused.error.type == "budget_exceeded"
            assert "paused" in refused.error.message
            await pause(stage.home, "resume")
            await connection.response.create()
            assert (await connection.recv()).type == "response.created"

    refused, _ = stage.run(client(), answer)
    assert (refused["outcome"], refused["cost_nusd"]) == ("refused", 0)


async def pause(home: Home, command: str) -> None:
    from e2e.running import budgetd

    done = await asyncio.to_thread(budgetd, home.path, command)
    assert done.returncode == 0, done.stderr


def test_the_openai_sdks_responses_over_websocket_are_metered(stage: Stage) -> None:
    usage = {"input_tokens": 50, "output_tokens": 7, "total_tokens": 57}

    async def provider(socket: Any) -> None:
        assert json.loads(await socket.recv())["type"] == "response.create"
        await socket.send(
            json.dumps({"type": "response.created", "response": {"id": "r"}, "sequence_number": 0})
        )
        response = {"id": "r", "status": "completed", "model": "gpt-5.4", "output": [], "usage": usage}
        await socket.send(
            json.dumps({"type": "response.completed", "response": response, "sequence_number": 1})
        )
        await socket.wait_closed()

    async def client() -> None:
        openai = AsyncOpenAI(api_key="sk-marker", base_url=f"{stage.before.url}/v1")
        async with openai.responses.connect() as connection:
            await connection.response.create(model="gpt-5.4", input="hi")
            async for event in connection:
                if event.type == "response.completed":
                    break

    (row,) = stage.run(client(), provider)
    assert (row["model"], row["input_tokens"], row["output_tokens"]) == ("gpt-5.4", 50, 7)
    assert (row["outcome"], row["path"]) == ("ok", "/v1/responses")


def test_googles_live_client_gets_its_answer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = {"promptTokenCount": 12, "responseTokenCount": 5, "totalTokenCount": 17}

    async def provider(socket: Any) -> None:
        assert "setup" in json.loads(await socket.recv())
        await socket.send(json.dumps({"setupComplete": {}}).encode())  # Google's frames are binary
        await socket.recv()
        await socket.send(json.dumps({"serverContent": {"modelTurn": {"parts": [{"text": "hi"}]}}}).encode())
        await socket.send(
            json.dumps({"serverContent": {"turnComplete": True}, "usageMetadata": usage}).encode()
        )
        await socket.wait_closed()

    async def client() -> None:
        options = genai.types.HttpOptions(base_url=stage.before.url)
        google = genai.Client(api_key="marker", http_options=options)
        async with google.aio.live.connect(model="gemini-live-2.5-flash") as session:
            turn = genai.types.Content(role="user", parts=[genai.types.Part(text="hello")])
            await session.send_client_content(turns=turn, turn_complete=True)
            texts = [message.text async for message in session.receive()]
            assert texts[0] == "hi"

    def without_tls(uri: str, *, ssl: object, **settings: Any) -> Any:
        """Google's client knows no server without TLS."""
        return connect(uri.replace("wss:", "ws:"), **settings)

    monkeypatch.setattr("google.genai.live.ws_connect", without_tls)
    (row,) = stage.run(client(), provider)
    assert (row["model"], row["input_tokens"], row["output_tokens"]) == ("gemini-live-2.5-flash", 12, 5)
    assert row["outcome"] == "ok"


@asynccontextmanager
async def by_aiohttp(stage: Stage, **settings: Any) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as http:
        url = f"{stage.before.url}/v1/realtime?model=gpt-realtime"
        async with http.ws_connect(url, max_msg_size=0, **settings) as socket:
            yield socket


@pytest.mark.parametrize("compress", [0, 15])
def test_aiohttps_client_sends_and_gets_long_messages(stage: Stage, compress: int) -> None:
    long = json.dumps({"type": "input_audio_buffer.append", "audio": "ABCD" * (5 << 18)})

    async def provider(socket: Any) -> None:
        assert await socket.recv() == long
        await socket.send(["{", '"type": ', '"odd"}'])  # a message of three frames
        await socket.send(long)
        await answer(socket)

    async def client() -> None:
        async with by_aiohttp(stage, compress=compress) as socket:
            await socket.send_str(long)
            assert await socket.receive_json() == {"type": "odd"}
            assert await socket.receive_str() == long
            await socket.send_json({"type": "response.create"})
            assert (await socket.receive_json())["type"] == "response.created"
            assert (await socket.receive_json())["type"] == "response.done"

    (row,) = stage.run(client(), provider)
    assert row["request_bytes"] > 5 << 20
    assert row["outcome"] == "ok"
    assert stage.frames_are_the_same()


def test_killing_a_turn_closes_the_session(stage: Stage) -> None:
    async def provider(socket: Any) -> None:
        await socket.recv()
        await socket.send(json.dumps({"type": "response.created", "response": {"id": "r"}}))
        delta = {"type": "response.output_text.delta", "response_id": "r", "delta": "word " * 100}
        await socket.send(json.dumps(delta))
        await socket.wait_closed()

    async def client() -> None:
        async with by_aiohttp(stage) as socket:
            await socket.send_json({"type": "response.create"})
            assert (await socket.receive_json())["type"] == "response.created"
            await socket.receive_json()
            await asyncio.to_thread(kill)
            message = await socket.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)

    def kill() -> None:
        (running,) = stage.home.state().in_flight
        assert running.cost_nusd > 0
        stage.home.call(lambda id: Kill(id=id, request_id=running.id))

    (row,) = stage.run(client(), provider)
    assert (row["outcome"], row["basis"]) == ("killed", "estimated")
    assert row["cost_nusd"] > 0
