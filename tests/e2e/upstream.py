"""Scripts for upstreams that keep what they saw and sent, byte for byte, and answer as told."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from e2e.exchange import Exchange
from e2e.http_bytes import cut, response
from support.stream import Message, Stream
from support.upstream import Upstream


@dataclass
class Served:
    """One request as it came, and the bytes of its answer as they went."""

    request: Message
    sent: bytearray = field(default_factory=bytearray)


Answer = Callable[[Message], AsyncIterator[bytes]]


class Keeping(Upstream):
    """Answers every request with raw bytes; each piece is given to the kernel before the next."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(self._answer_all)
        self._answer = answer
        self.served: list[Served] = []
        """In the order in which the requests were whole."""

    async def __aenter__(self) -> "Keeping":
        await super().__aenter__()
        return self

    @property
    def host(self) -> bytes:
        return b"127.0.0.1:%d" % self.port

    async def _answer_all(self, peer: Stream) -> None:
        while True:
            served = Served(await peer.request())
            self.served.append(served)
            async for piece in self._answer(served.request):
                served.sent += piece
                await peer.send(piece)


class Replay:
    """Answers with the exchange that the header ``x-exchange`` of a request names, cut anew each time."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._exchanges = {exchange.id: exchange for exchange in exchanges}
        self._times = Counter[str]()

    async def __call__(self, request: Message) -> AsyncIterator[bytes]:
        (name,) = request.values(b"x-exchange")
        exchange = self._exchanges[name.decode()]
        self._times[exchange.id] += 1
        rng = random.Random(f"{exchange.id} {self._times[exchange.id]}")
        raw = response(exchange.status, exchange.response_headers, exchange.response_body, rng)
        for piece in cut(raw, rng):
            yield piece
