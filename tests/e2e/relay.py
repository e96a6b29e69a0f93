"""A tap between a client and the proxy: passes bytes on, and keeps them in both directions."""

import asyncio
import threading


class Relay:
    """Listens for clients in the proxy's stead, as long as its context lasts.

    Only the port in their Host header is changed on the way, for the proxy insists on its own; what is kept
    is what the client sent.
    """

    def __init__(self, proxy: str) -> None:
        self._host, _, port = proxy.rpartition(":")
        self._proxy_port = int(port)
        self._lock = threading.Lock()
        self._sent = bytearray()
        self._received = bytearray()
        self.port = 0

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sent(self) -> bytes:
        """All that clients sent."""
        with self._lock:
            return bytes(self._sent)

    @property
    def received(self) -> bytes:
        """All that was on its way to them."""
        with self._lock:
            return bytes(self._received)

    def lead_to(self, proxy: str) -> None:
        """Pass on what connects from now on to another address."""
        self._host, _, port = proxy.rpartition(":")
        self._proxy_port = int(port)

    def clear(self) -> None:
        with self._lock:
            self._sent.clear()
            self._received.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inward, outward = await asyncio.open_connection(self._host, self._proxy_port)
        await asyncio.gather(
            self._pump(reader, outward, self._sent), self._pump(inward, writer, self._received)
        )

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: bytearray) -> None:
        ours, theirs = b"127.0.0.1:%d\r\n" % self.port, b"127.0.0.1:%d\r\n" % self._proxy_port
        try:
            while data := await source.read(65536):
                with self._lock:
                    kept += data
                sink.write(data.replace(ours, theirs))
                await sink.drain()
        except ConnectionError:
            pass  # one side has left; the other is told below
        finally:
            sink.close()
