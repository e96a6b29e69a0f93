"""One raw request of an agent to Anthropic, without an SDK around it."""

import asyncio
import json

from e2e import wire_formats as wire
from e2e.running import Home
from support.stream import Message, connected

MODEL = wire.MODELS["anthropic.messages"][1]
NUSD_PER_TOKEN = 15_000
"""What a token of its output costs."""


def message(home: Home, cap: int, mark: str = "", *, stream: bool = False) -> bytes:
    """The bytes of a request that allows so many output tokens; ``mark`` names it to ledger and provider."""
    body = json.dumps(wire.question("anthropic.messages", MODEL, cap, stream=stream)).encode()
    lines = [
        "POST /v1/messages HTTP/1.1",
        f"Host: {home.address}",
        "Content-Type: application/json",
        f"X-Mark: {mark}",
        f"X-Budget-Session: {mark}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def ask(home: Home, cap: int, mark: str = "") -> Message:
    """Ask on a connection of its own, and return the response."""
    async with connected(*home.proxy) as client:
        await client.send(message(home, cap, mark))
        return await client.response()


def error_of(response: Message) -> str:
    """The message of an error in Anthropic's shape."""
    return json.loads(response.body)["error"]["message"]


async def begin(home: Home, cap: int, mark: str) -> asyncio.Task[Message]:
    """Ask, and go on before there is a response."""
    return asyncio.create_task(ask(home, cap, mark))


async def end(asking: asyncio.Task[Message]) -> Message:
    """The response of what was begun."""
    return await asking
