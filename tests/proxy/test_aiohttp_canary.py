"""What the listener uses of aiohttp that aiohttp does not promise to keep. When a newer aiohttp fails here,
read its ``web_protocol.py`` beside ``listener.py`` before the pin is moved.
"""

import ast
import asyncio
import inspect
from importlib.metadata import version

from aiohttp import web
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler

from budgetd.proxy import listener

PRIVATE = {
    "_buffer_paused",
    "_drain_helper",
    "_force_close",
    "_handler_waiter",
    "_loop",
    "_messages",
    "_msg_queue_resume_size",
    "_parser",
    "_request_in_progress",
    "_resume_reading_if_drained",
    "_upgraded",
    "_waiter",
}
"""Attributes of a `RequestHandler`."""

OURS = {"_ending", "_listener", "_serve_next", "_linger", "_tap"}
"""What `_Client` adds to them; aiohttp must not come to use these names."""

MESSAGE = {"method", "path", "version", "raw_headers", "should_close", "chunked"}


def test_aiohttp_is_the_minor_version_that_was_checked() -> None:
    assert version("aiohttp").startswith("3.14.")


def test_this_is_all_that_the_listener_uses() -> None:
    tree = ast.parse(inspect.getsource(listener))
    client = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "_Client")
    used = private_names(client, "self") | private_names(tree, "client")
    assert used == PRIVATE | OURS


def private_names(tree: ast.AST, of: str) -> set[str]:
    """Attributes with a leading underscore of a variable."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == of
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
    }


async def test_aiohttps_protocol_still_has_it_all() -> None:
    async def unused(request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError(request)

    protocol = RequestHandler(web.Server(unused), loop=asyncio.get_running_loop())
    for name in PRIVATE:
        assert hasattr(protocol, name), name
    for name in OURS:
        assert not hasattr(protocol, name), name
    assert inspect.iscoroutinefunction(protocol.start)
    assert inspect.iscoroutinefunction(protocol._drain_helper)
    assert hasattr(protocol._parser, "message_consumed")


class Parser:
    def __init__(self) -> None:
        self.fed: list[bytes] = []

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.fed.append(data)
        return False, b""

    def feed_eof(self) -> None:
        pass


async def test_after_an_upgrade_every_byte_still_goes_to_the_parser_that_is_set() -> None:
    protocol = RequestHandler(web.Server(lambda _: None), loop=asyncio.get_running_loop())
    head = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    protocol.data_received(head + b"early")
    assert protocol._upgraded
    protocol.data_received(b" bytes")
    parser = Parser()
    protocol.set_parser(parser)
    protocol.data_received(b"later")
    assert parser.fed == [b"early bytes", b"later"]


async def test_aiohttps_parser_still_gives_heads_as_they_came() -> None:
    protocol = RequestHandler(web.Server(lambda _: None), loop=asyncio.get_running_loop())
    parser = HttpRequestParser(protocol, asyncio.get_running_loop(), 2**16)
    head = b"POST /%7E//x?a=b HTTP/1.1\r\nhOST: h\r\nX-A: caf\xe9\r\nx-a: 2\r\nContent-Length: 2\r\n\r\n"
    messages, upgraded, tail = parser.feed_data(head + b"hi")
    (message, payload) = messages[0]
    assert isinstance(message, RawRequestMessage)
    for name in MESSAGE:
        assert hasattr(message, name), name
    assert message.path == "/%7E//x?a=b"
    assert message.raw_headers == (
        (b"hOST", b"h"),
        (b"X-A", b"caf\xe9"),
        (b"x-a", b"2"),
        (b"Content-Length", b"2"),
    )
    assert isinstance(payload, StreamReader)
    assert payload.is_eof()
    assert await payload.readany() == b"hi"
    assert (upgraded, tail) == (False, b"")


async def test_a_request_without_a_body_still_has_the_empty_payload() -> None:
    protocol = RequestHandler(web.Server(lambda _: None), loop=asyncio.get_running_loop())
    parser = HttpRequestParser(protocol, asyncio.get_running_loop(), 2**16)
    messages, _, _ = parser.feed_data(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert messages[0][1] is EMPTY_PAYLOAD
