"""A provider made of bytes: a TCP server that does what a script says and keeps what it was sent."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType

from support.stream import Message, Stream

Script = Callable[[Stream], Awaitable[None]]
"""What to do on one connection; it is closed in good order when the script is over."""


class Upstream:
    """Serves one script on every connection, for as long as the context lasts."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None, receive_buffer: int = 0) -> None:
        self.connections: list[Stream] = []
        """In the order they were made."""
        self.port = 0
        self._script = script
        self._tls = tls
        self._receive_buffer = receive_buffer
        self._failures: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Message]:
        """All that were read whole, connection by connection."""
        return [message for stream in self.connections for message in stream.messages]

    @property
    def received(self) -> bytes:
        """Every byte read on any connection."""
        return b"".join(stream.received for stream in self.connections)

    async def __aenter__(self) -> "Upstream":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=1 << 20)
        sock = self._server.sockets[0]
        if self._receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self.port = sock.getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if kind is None and self._failures:
            raise self._failures[0]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = Stream(reader, writer)
        self.connections.append(stream)
        task = asyncio.create_task(self._run(stream, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, stream: Stream, writer: asyncio.StreamWriter) -> None:
        try:
            await self._script(stream)
        except (EOFError, ConnectionError):
            pass  # the other side has closed, which ends any script
        except Exception as error:
            self._failures.append(error)
        finally:
            writer.close()


def always(*chunks: bytes) -> Script:
    """Answers every request with these chunks, and keeps the connection."""

    async def script(peer: Stream) -> None:
        while True:
            await peer.request()
            await peer.send(*chunks)

    return script


def once(*chunks: bytes) -> Script:
    """Answers one request on each connection, and closes it."""

    async def script(peer: Stream) -> None:
        await peer.request()
        await peer.send(*chunks)

    return script
