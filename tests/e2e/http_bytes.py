"""HTTP/1.1 as bytes: what a proxy may change of a request, and how a response is framed and cut."""

import random
import re
from http import HTTPStatus
from itertools import pairwise

from support.stream import Message, chunked

HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"expect"}

Headers = list[tuple[bytes, bytes]]


def head_of(start: bytes, headers: Headers) -> bytes:
    return b"\r\n".join([start, *(name + b": " + value for name, value in headers)]) + b"\r\n\r\n"


def as_forwarded(sent: bytes, target: bytes, host: bytes) -> bytes:
    """A request's bytes as an upstream has to see them: another Host, nothing about the one connection."""
    head, end, body = sent.partition(b"\r\n\r\n")
    message = Message(head + end, b"", b"")
    method, _, version = message.start.split(b" ")
    kept = [
        (name, host if name.lower() == b"host" else value)
        for name, value in message.headers
        if name.lower() not in HOP_BY_HOP and not name.lower().startswith(b"x-budget-")
    ]
    return head_of(b" ".join((method, target, version)), kept) + body


def response(status: int, headers: Headers, body: bytes, rng: random.Random) -> bytes:
    """A response's bytes, in chunks with borders at random if its headers say that it is chunked."""
    head = head_of(b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode()), headers)
    if (b"transfer-encoding", b"chunked") in [(name.lower(), value) for name, value in headers]:
        body = chunked(*cut(body, rng))
    return head + body


def cut(data: bytes, rng: random.Random, most: int = 24) -> list[bytes]:
    """The data in pieces: borders at random, and some inside of UTF-8 characters and of line ends."""
    inside = [found.start() for found in re.finditer(rb"[\x80-\xbf]", data)]
    ends = [found.start() + 1 for found in re.finditer(rb"\r\n|\n\n", data)]
    borders = {
        *rng.sample(range(len(data)), min(most, len(data))),
        *rng.sample(inside, min(most // 3, len(inside))),
        *rng.sample(ends, min(most // 3, len(ends))),
    }
    edges = [0, *sorted(borders - {0}), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]
