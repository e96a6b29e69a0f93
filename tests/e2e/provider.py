"""A provider that bills what a request allows, keeps its own bill, and can be held before an answer's end."""

import asyncio
import json
from collections.abc import AsyncIterator

from e2e import wire_formats as wire
from e2e.exchange import api_of, model_in
from support.stream import PATIENCE, Message, chunked

BYTES_PER_TOKEN = 5
"""Of a request's body: what English makes, and what an estimate of its cost should cover."""


class Provider:
    """Answers with as many output tokens as the request allows.

    ``bill`` names each request that has arrived by its header ``x-mark``, in order, with the output tokens it
    was billed. Its coroutines belong in the loop in which it answers.
    """

    def __init__(self) -> None:
        self.bill: list[tuple[str, int]] = []
        self.begun = 0
        """Answers of which something has been sent."""
        self._open = asyncio.Event()
        self._open.set()

    async def hold(self) -> None:
        """Stop before the last event of every answer."""
        self._open.clear()

    async def release(self) -> None:
        self._open.set()

    async def has_begun(self, answers: int) -> None:
        """Wait until so many answers have."""
        async with asyncio.timeout(PATIENCE):
            while self.begun < answers:
                await asyncio.sleep(0.005)

    async def __call__(self, request: Message) -> AsyncIterator[bytes]:
        target, asked = request.target.decode(), json.loads(request.body)
        api = api_of(target.partition("?")[0])
        assert api is not None
        model, cap = asked.get("model") or model_in(target), wire.cap_of(asked)
        (mark,) = request.values(b"x-mark") or [b""]
        self.bill.append((mark.decode(), cap))
        stream = bool(asked.get("stream")) or ":stream" in target
        answer = wire.answer(api, model, len(request.body) // BYTES_PER_TOKEN, cap, stream=stream)
        head = "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n"
        *parts, last = answer.body.splitlines(keepends=True)
        yield head.format(answer.content_type).encode()
        for part in parts:
            yield chunked(part).removesuffix(END)
        self.begun += 1
        await self._open.wait()
        yield chunked(last)


END = b"0\r\n\r\n"
