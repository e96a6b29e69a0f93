"""One TCP connection as the bytes on it, for either side: what is sent is given, what came is kept."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

PATIENCE = 10.0
"""Seconds after which a test that waits for bytes has failed."""


@dataclass(frozen=True)
class Message:
    """A request or a response as it came."""

    head: bytes
    """With the blank line that ends it."""
    framed: bytes
    """The body with its framing, trailers included."""
    body: bytes

    @property
    def raw(self) -> bytes:
        return self.head + self.framed

    @property
    def start(self) -> bytes:
        """The request line or the status line."""
        return self.head.partition(b"\r\n")[0]

    @property
    def method(self) -> str:
        return self.start.partition(b" ")[0].decode()

    @property
    def target(self) -> bytes:
        return self.start.split(b" ")[1]

    @property
    def status(self) -> int:
        return int(self.start.split(b" ", 2)[1])

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """In order, as spelt."""
        lines = self.head.split(b"\r\n")[1:-2]
        return [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]

    def values(self, name: bytes) -> list[bytes]:
        """Of a header by its lower-case name."""
        return [value for given, value in self.headers if given.lower() == name]


class Stream:
    """A connection. `received` keeps every byte that was read from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received = b""
        self.messages: list[Message] = []
        self._reader = reader
        self._writer = writer

    async def send(self, *chunks: bytes) -> None:
        """Each chunk is given to the kernel before the next."""
        for chunk in chunks:
            self._writer.write(chunk)
            async with asyncio.timeout(PATIENCE):
                await self._writer.drain()

    async def read(self, count: int) -> bytes:
        """Exactly so many bytes; EOFError if the stream ends before."""
        try:
            async with asyncio.timeout(PATIENCE):
                return self._keep(await self._reader.readexactly(count))
        except asyncio.IncompleteReadError as error:
            self._keep(error.partial)
            raise

    async def read_some(self) -> bytes:
        """What is there, empty at the end."""
        async with asyncio.timeout(PATIENCE):
            return self._keep(await self._reader.read(1 << 16))

    async def read_until(self, end: bytes) -> bytes:
        """Up to and with these bytes; EOFError if the stream ends before."""
        try:
            async with asyncio.timeout(PATIENCE):
                return self._keep(await self._reader.readuntil(end))
        except asyncio.IncompleteReadError as error:
            self._keep(error.partial)
            raise

    async def read_to_end(self) -> bytes:
        """All until the other side closes; ConnectionResetError if it breaks off instead."""
        got = b""
        while data := await self.read_some():
            got += data
        return got

    async def request(self) -> Message:
        """The next request; EOFError if the other side closes first."""
        head = await self.read_until(b"\r\n\r\n")
        return await self._message(head, ended_by_close=False)

    async def response(self, method: str = "GET", *, interim: bool = False) -> Message:
        """The next response, to a request with this method. `interim`: a 1xx is one too."""
        head = await self.read_until(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status < 200 and not interim:
            return await self.response(method)
        if method == "HEAD" or status < 200 or status in {204, 304}:
            return self._got(Message(head, b"", b""))
        return await self._message(head, ended_by_close=True)

    async def gone(self) -> None:
        """Wait until the other side has closed or cut the connection."""
        try:
            while await self.read_some():
                pass
        except ConnectionError:
            pass

    async def silent_for(self, seconds: float) -> bool:
        """Whether nothing comes for so long, neither bytes nor the end."""
        try:
            async with asyncio.timeout(seconds):
                self._keep(await self._reader.read(1 << 16))
        except TimeoutError:
            return True
        return False

    def stop_reading(self) -> None:
        """Take no more bytes from the kernel."""
        cast(asyncio.ReadTransport, self._writer.transport).pause_reading()

    def read_on(self) -> None:
        """Take bytes again."""
        cast(asyncio.ReadTransport, self._writer.transport).resume_reading()

    def close(self) -> None:
        """Close in good order."""
        self._writer.close()

    def reset(self) -> None:
        """Cut the connection, so that the other side gets an error."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _message(self, head: bytes, *, ended_by_close: bool) -> Message:
        outline = Message(head, b"", b"")
        if b"chunked" in b",".join(outline.values(b"transfer-encoding")).lower():
            framed, body = await self._chunks()
        elif lengths := outline.values(b"content-length"):
            framed = body = await self.read(int(lengths[-1]))
        elif ended_by_close:
            framed = body = await self.read_to_end()
        else:
            framed = body = b""
        return self._got(Message(head, framed, body))

    async def _chunks(self) -> tuple[bytes, bytes]:
        framed = body = b""
        while True:
            line = await self.read_until(b"\r\n")
            framed += line
            size = int(line.partition(b";")[0], 16)
            if size == 0:
                break
            piece = await self.read(size + 2)
            framed += piece
            body += piece[:-2]
        while (line := await self.read_until(b"\r\n")) != b"\r\n":
            framed += line
        return framed + line, body

    def _keep(self, data: bytes) -> bytes:
        self.received += data
        return data

    def _got(self, message: Message) -> Message:
        self.messages.append(message)
        return message


@asynccontextmanager
async def connected(host: str, port: int, *, receive_buffer: int = 0) -> AsyncGenerator[Stream]:
    """A connection to a server; a small `receive_buffer` (bytes) makes a slow reader felt early."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 16)
    stream = Stream(reader, writer)
    try:
        yield stream
    finally:
        writer.transport.abort()


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    """A chunked body of these pieces. `trailer`: whole lines."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + b"0\r\n" + trailer + b"\r\n"
