"""A WebSocket session of raw bytes: the client, the daemon, and a provider that does what a test says."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from budgetd.metering.frames import Piece, Splitter
from proxy.setting import between
from support.daemon import InProcess
from support.frames import frame
from support.stream import PATIENCE, Message, Stream
from support.upstream import Upstream

ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"x-request-id: req_7\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)
UPGRADE = (
    b"Connection: keep-alive, Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Authorization: Bearer sk-marker",
)
REALTIME = "/v1/realtime?model=gpt-realtime"
RESPONSES = "/v1/responses"
GEMINI = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"

Talk = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One end of a session."""

    def __init__(self, stream: Stream, *, masked: bool, deflate: bool = False) -> None:
        self.stream = stream
        self.sent = b""
        """Every byte of a frame that was sent."""
        self.pieces: list[Piece] = []
        """All that came, in whole frames."""
        self.left = asyncio.Event()
        """The provider's script is over, as it is at the latest when the session is cut."""
        self._masked = masked
        self._splitter = Splitter(deflate=deflate)
        self._unseen: list[Piece] = []

    async def send(self, *frames: bytes) -> None:
        self.sent += b"".join(frames)
        await self.stream.send(*frames)

    async def say(self, *messages: Any, **how: Any) -> None:
        """Send each as a text message."""
        frames = [frame(json.dumps(each).encode(), masked=self._masked, **how) for each in messages]
        await self.send(*frames)

    async def next(self) -> Piece:
        """The next frame; EOFError if the other side closes first."""
        while not self._unseen:
            data = await self.stream.read_some()
            if not data:
                raise EOFError
            pieces = self._splitter.feed(data)
            self.pieces += pieces
            self._unseen = [each for each in pieces if each.whole]
        return self._unseen.pop(0)

    async def hear(self) -> Any:
        """The next message."""
        while (piece := await self.next()).message is None:
            pass
        return json.loads(piece.message)

    async def hear_until(self, kind: str) -> Any:
        """The next message of this type."""
        while (message := await self.hear()).get("type") != kind:
            pass
        return message

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close frame that comes next among the control frames."""
        while (piece := await self.next()).opcode != 8:
            pass
        payload = piece.raw[2:]
        return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    async def gone(self) -> None:
        """Wait until a provider's script is over."""
        async with asyncio.timeout(PATIENCE):
            await self.left.wait()

    @property
    def received(self) -> bytes:
        """Every byte that came."""
        return b"".join(piece.raw for piece in self.pieces)


class Scene(NamedTuple):
    client: Peer
    daemon: InProcess
    upstream: Upstream
    provider: list[Peer]
    """The provider's end, once the session has begun."""
    handshake: Message
    """Its answer, as the client got it."""


@asynccontextmanager
async def session(
    home: Path,
    talk: Talk,
    *,
    target: str = REALTIME,
    headers: tuple[bytes, ...] = (),
    accept: bytes = b"",
    budget: str = "",
    deflate: bool = False,
) -> AsyncGenerator[Scene]:
    """A session that is accepted; then the provider talks. ``accept``: more lines of its answer."""
    provider: list[Peer] = []

    async def script(stream: Stream) -> None:
        await stream.request()
        await stream.send(ACCEPT + accept + b"\r\n")
        provider.append(Peer(stream, masked=False, deflate=deflate))
        try:
            await talk(provider[0])
        finally:
            provider[0].left.set()

    async with between(home, script, budget=budget) as (client, daemon, upstream):
        await client.send(daemon.request("GET", target, *UPGRADE, *headers))
        answer = await client.response(interim=True)
        yield Scene(Peer(client, masked=True, deflate=deflate), daemon, upstream, provider, answer)


CREATE = {"type": "response.create"}


def created(id: str = "resp_1") -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": id, "status": "in_progress", "usage": None}}


def delta(id: str = "resp_1", text: str = "word " * 40) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "response_id": id, "delta": text}


def done(id: str = "resp_1", into: int = 1000, out: int = 200) -> dict[str, Any]:
    usage = {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}
    return {"type": "response.done", "response": {"id": id, "status": "completed", "usage": usage}}


async def answer_all(peer: Peer) -> None:
    """A provider of Realtime that answers whatever asks for a response."""
    count = 0
    while True:
        message = await peer.hear()
        if message["type"] == "response.create":
            count += 1
            await peer.say(created(f"resp_{count}"), delta(f"resp_{count}"), done(f"resp_{count}"))
