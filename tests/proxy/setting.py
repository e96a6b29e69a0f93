"""The setting of most tests here: a raw client, a daemon, a raw upstream that stands for every provider."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.daemon import InProcess, running
from support.stream import Stream
from support.upstream import Script, Upstream

ASK = b'{"model":"claude-opus-4-8","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}'
"""The body of a request to Anthropic Messages."""


class Setting(NamedTuple):
    client: Stream
    daemon: InProcess
    upstream: Upstream


@asynccontextmanager
async def between(
    home: Path,
    script: Script,
    *,
    proxy: Mapping[str, Any] | None = None,
    budget: str = "",
    receive_buffer: int = 0,
) -> AsyncGenerator[Setting]:
    """A client connected to a daemon whose upstreams all follow the script."""
    async with Upstream(script, receive_buffer=receive_buffer) as upstream:
        upstreams = dict.fromkeys(("anthropic", "openai", "gemini"), upstream.url)
        async with (
            running(home, upstreams, proxy=proxy, budget=budget) as daemon,
            daemon.connect(receive_buffer=receive_buffer) as client,
        ):
            yield Setting(client, daemon, upstream)


def response(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """The bytes of a response with a length."""
    lines = [b"HTTP/1.1 " + status, *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


OK = response(b"ok")

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(kind: str, **fields: object) -> bytes:
    data = f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


START = event(
    "message_start",
    message={
        "id": "msg_1",
        "model": "claude-opus-4-8",
        "usage": {"input_tokens": 1000, "output_tokens": 1},
    },
)
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "word " * 100})
END = (
    event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 700})
    + event("message_stop")
    + b"0\r\n\r\n"
)
STREAM = ASK[:-1] + b',"stream":true}'
"""The body of a request whose answer is the stream of HEAD, START, any number of TEXT, and END."""

ways = pytest.mark.parametrize("how", ["close", "reset"])


def leave(client: Stream, how: str) -> None:
    """Go away in this way."""
    client.reset() if how == "reset" else client.close()
