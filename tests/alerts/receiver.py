"""A receiver of webhooks on loopback that answers as it is told, and keeps what it was sent."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[["Post"], Awaitable[web.Response]]

TOKEN = "T0KEN-that-nobody-may-see"
PATH = f"/services/{TOKEN}"


@dataclass
class Post:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def alert_id(self) -> int:
        return self.document["alert"]["id"]


@dataclass
class Receiver:
    """Where it is, how it answers, and what came."""

    answer: Answer
    url: str = ""
    posts: list[Post] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def has(self, count: int) -> list[Post]:
        """What came, once there are so many."""
        async with asyncio.timeout(20):
            while len(self.posts) < count:
                self._came.clear()
                await self._came.wait()
        return self.posts

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        post = Post(headers, await request.read(), request.path)
        self.posts.append(post)
        self._came.set()
        return await self.answer(post)


@asynccontextmanager
async def receiver(
    answer: Answer | None = None, sock: socket.socket | None = None
) -> AsyncGenerator[Receiver]:
    """A receiver that runs; it says 200 unless told otherwise. `sock`: bound to where it is to be."""
    made = Receiver(answer or status(200))
    server = web.Server(made.handle, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    sock = sock or place()
    await web.SockSite(runner, sock).start()
    made.url = url_at(sock)
    try:
        yield made
    finally:
        await runner.cleanup()


def place() -> socket.socket:
    """Where a receiver can be; as long as there is none, nobody answers there."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def url_at(sock: socket.socket) -> str:
    host, port = sock.getsockname()
    return f"http://{host}:{port}{PATH}"


def status(code: int, text: str = "", **headers: str) -> Answer:
    """Always the same."""

    async def answer(post: Post) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, text=text, headers=named)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One after the other, the last one for ever."""
    left = list(answers)

    async def answer(post: Post) -> web.Response:
        return await (left.pop(0) if len(left) > 1 else left[0])(post)

    return answer


async def silence(post: Post) -> web.Response:
    """None at all."""
    await asyncio.Event().wait()
    raise AssertionError
