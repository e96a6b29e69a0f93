"""The setting of most tests here: a raw client, a daemon, a raw upstream that stands for every provider."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

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
