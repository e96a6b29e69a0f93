"""A provider that stops where a test tells it to, and keeps what it billed."""

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator

from e2e import wire_formats as wire
from e2e.exchange import Exchange, api_of, model_in
from support.stream import PATIENCE, Message, chunked

BYTES_PER_TOKEN = 5
END = b"0\r\n\r\n"
WELCOME = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
"""The answer to a client that only asks whether anyone is there."""


class Gate:
    """Where the answer to one mark stops until it is opened."""

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent
        """Not even the head of the answer is sent before."""
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def passed(self) -> None:
        self.reached.set()
        await self.opened.wait()


class Gated:
    """Answers in the dialect that is asked, compressed if the client takes that.

    Requests are told apart by their header ``x-mark``. What is called here belongs in the loop in which it
    answers.
    """

    def __init__(self, most: int = 300) -> None:
        """``most``: output tokens that are billed, if the request allows as many."""
        self.most = most
        self.billed: list[Exchange] = []
        """Each request that arrived, by its mark, with what it was billed."""
        self._gates: dict[str, Gate] = {}

    async def stop(self, mark: str, *, silent: bool = False) -> None:
        """Stop half way through the answer to a mark, or before it."""
        self._gates[mark] = Gate(silent=silent)

    async def reached(self, mark: str) -> None:
        """Wait until an answer stands where it was told to stop."""
        async with asyncio.timeout(PATIENCE):
            await self._gates[mark].reached.wait()

    async def open(self, mark: str) -> None:
        """Let it go on."""
        self._gates.pop(mark).opened.set()

    async def __call__(self, request: Message) -> AsyncIterator[bytes]:
        if request.method == "HEAD":
            yield WELCOME
            return
        mark, answer = self._bill(request)
        gate = self._gates.get(mark)
        if gate and gate.silent:
            await gate.passed()
        squeeze = b"gzip" in b"".join(request.values(b"accept-encoding"))
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {answer.content_type}\r\n" + (
            "Content-Encoding: gzip\r\n" if squeeze else ""
        )
        yield f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
        compress = zlib.compressobj(wbits=31)
        pieces = _pieces(answer)
        for number, piece in enumerate(pieces):
            if number == len(pieces) // 2 and gate and not gate.silent:
                await gate.passed()
            data = compress.compress(piece) + compress.flush(zlib.Z_SYNC_FLUSH) if squeeze else piece
            yield chunked(data).removesuffix(END)
        yield (chunked(compress.flush()) if squeeze else END)

    def _bill(self, request: Message) -> tuple[str, wire.Body]:
        target, body = request.target.decode(), request.body
        if request.values(b"content-encoding") == [b"gzip"]:
            body = gzip.decompress(body)
        asked = json.loads(body)
        api = api_of(target.partition("?")[0])
        assert api is not None
        (mark,) = request.values(b"x-mark")
        model = asked.get("model") or model_in(target)
        stream = bool(asked.get("stream")) or ":stream" in target
        answer = wire.answer(
            api, model, len(body) // BYTES_PER_TOKEN, min(self.most, wire.cap_of(asked)), stream=stream
        )
        self.billed.append(
            Exchange(
                id=mark.decode(),
                provider=wire.MODELS[api][0],
                path=target,
                request_body=body,
                response_body=answer.body,
                response_headers=[],
                reports=answer.reports,
                model_answered=model,
            )
        )
        return mark.decode(), answer


def _pieces(answer: wire.Body) -> list[bytes]:
    """A stream event by event; a whole answer in halves."""
    if answer.content_type == wire.JSON:
        middle = len(answer.body) // 2
        return [answer.body[:middle], answer.body[middle:]]
    return re.findall(rb".+?(?:\r\n\r\n|\n\n)", answer.body, re.DOTALL)
