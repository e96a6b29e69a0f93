"""How late the events of a stream are: from the upstream's write to the client's read, through each proxy.

The upstream writes the time into every event, and the client, in the same process, subtracts it. The way
without a proxy is measured too, for what the loopback and this process cost by themselves.
"""

import asyncio
import re
import time
from collections.abc import Mapping

EVENTS = 200
"""In each stream."""

STREAMS = 5
"""Through each proxy, in turns."""

GAP_SECONDS = 0.005

BODY = (
    b'{"model":"claude-sonnet-5","max_tokens":256,"stream":true,"messages":[{"role":"user","content":"Hi"}]}'
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"%d"}}\n\n'
)
STAMP = re.compile(rb'"text":"(\d+)"')


async def measure(ports: Mapping[str, int]) -> dict[str, list[float]]:
    """Microseconds that each event took, by the name of its way. One of the ports is the upstream's own,
    under the name ``direct``.
    """
    loop = asyncio.get_running_loop()
    upstream = await loop.create_server(_Upstream, "127.0.0.1", ports["direct"])
    found: dict[str, list[float]] = {name: [] for name in ports}
    for _ in range(STREAMS):
        for name, port in ports.items():
            found[name] += await _stream(port)
    upstream.close()
    return found


async def _stream(port: int) -> list[float]:
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_connection(_Client, "127.0.0.1", port)
    head = (
        f"POST /stream/v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    transport.write(head.encode() + BODY)
    await client.ended
    transport.close()
    if len(client.late) != EVENTS:
        raise RuntimeError(f"{len(client.late)} events of {EVENTS} came through port {port}")
    return client.late


class _Upstream(asyncio.Protocol):
    """Answers whatever comes with a stream of events."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._asked = b""

    def data_received(self, data: bytes) -> None:
        self._asked += data
        if self._asked.endswith(BODY):
            self._asked = b""
            self._transport.write(HEAD)
            self._left = EVENTS
            asyncio.get_running_loop().call_later(GAP_SECONDS, self._tell)

    def _tell(self) -> None:
        if not self._left:
            self._transport.write(b"0\r\n\r\n")
            return
        self._left -= 1
        event = EVENT % time.perf_counter_ns()
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        asyncio.get_running_loop().call_later(GAP_SECONDS, self._tell)


class _Client(asyncio.Protocol):
    """Notes how late each event is."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter_ns()
        self.late += [(now - int(stamp)) / 1e3 for stamp in STAMP.findall(data)]
        if data.endswith(b"0\r\n\r\n") and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
