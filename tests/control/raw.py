"""A client that does what it is told, right or wrong, on a real socket."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgpack

from budgetwire.messages import VERSION

HELLO = {"type": "hello", "version": VERSION, "name": "test"}


def packed(value: Any) -> bytes:
    """The msgpack of anything, right or wrong."""
    return cast(bytes, msgpack.packb(value))


class Raw:
    """Sends maps or bytes, and reads maps, in the order of the stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.unpacker = msgpack.Unpacker()

    async def send(self, *messages: dict[str, Any] | bytes) -> None:
        for message in messages:
            self.writer.write(message if isinstance(message, bytes) else packed(message))
        await self.writer.drain()

    async def read(self) -> dict[str, Any]:
        """The next message; EOFError at the end of the stream."""
        async with asyncio.timeout(10):
            while True:
                for message in self.unpacker:
                    return message
                data = await self.reader.read(65536)
                if not data:
                    raise EOFError
                self.unpacker.feed(data)

    def sleep(self) -> None:
        """Read nothing more, until `wake`."""
        cast(Any, self.writer.transport).pause_reading()

    def wake(self) -> None:
        """Read again."""
        cast(Any, self.writer.transport).resume_reading()

    async def read_until_end(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        try:
            while True:
                messages.append(await self.read())
        except (EOFError, ConnectionResetError):
            return messages


@asynccontextmanager
async def raw(path: Path, *messages: dict[str, Any] | bytes):
    """A connection that has sent these messages."""
    reader, writer = await asyncio.open_unix_connection(path)
    client = Raw(reader, writer)
    try:
        await client.send(*messages)
        yield client
    finally:
        writer.transport.abort()


@asynccontextmanager
async def greeted(path: Path, *messages: dict[str, Any] | bytes):
    """A connection that was welcomed, and then has sent these messages."""
    async with raw(path, HELLO, *messages) as client:
        assert (await client.read())["type"] == "welcome"
        yield client
