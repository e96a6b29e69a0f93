"""Garbage on the control socket: that connection alone is closed."""

import random
import socket
from collections.abc import Iterator

import msgpack
import pytest

from control.raw import packed
from e2e.running import Home

HELLO = packed({"type": "hello", "version": "1.0", "name": "test"})

GARBAGE = {
    "noise": random.Random(1).randbytes(4096),
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "not a map": packed([1, 2, 3]),
    "an unknown call after a hello": HELLO + packed({"type": "sing", "id": 1})[:-1] + b"\xc1",
    "too deep": b"\x91" * 100_000,
    "too long": packed({"type": "hello", "version": "1.0", "name": "x" * (2 << 20)}),
}


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with Home({"anthropic": "http://127.0.0.1:9"}).running() as home:
        yield home


@pytest.mark.parametrize("name", GARBAGE)
def test_only_the_connection_that_sent_it_is_closed(home: Home, name: str) -> None:
    path = str(home.places.socket)
    with socket.socket(socket.AF_UNIX) as bystander, socket.socket(socket.AF_UNIX) as client:
        for each in (bystander, client):
            each.settimeout(20)
            each.connect(path)
        bystander.sendall(HELLO)
        assert msgpack.unpackb(bystander.recv(65536))["type"] == "welcome"

        said = _until_the_end(client, GARBAGE[name])
        assert {each["type"] for each in said} <= {"welcome", "error"}

        bystander.sendall(packed({"type": "query_requests", "id": 7}))
        assert msgpack.unpackb(bystander.recv(65536))["id"] == 7
    assert home.state().daemon.listen == home.address


def _until_the_end(client: socket.socket, garbage: bytes) -> list[dict[str, object]]:
    """Send it, and read all that the daemon says; that may be lost where it does not read to the end."""
    unpacker = msgpack.Unpacker()
    try:
        client.sendall(garbage)
        while data := client.recv(65536):
            unpacker.feed(data)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return list(unpacker)
