"""A client that reads responses by the grammar of RFC 9112 and forgives nothing."""

import re
from typing import NamedTuple

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
TEXT = rb"[\t -~\x80-\xff]*"
STATUS_LINE = re.compile(rb"HTTP/(?:1\.1 (?=1)|1\.[01] (?!1))([1-9]\d\d)(?: " + TEXT + rb")?")
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*(" + TEXT + rb"?)[ \t]*")
QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
SIZE = re.compile(rb"([0-9A-Fa-f]+)(?:;" + TOKEN + rb"(?:=(?:" + TOKEN + rb"|" + QUOTED + rb"))?)*")


class StrictError(Exception):
    """This is no response, and cannot become one."""


class Read(NamedTuple):
    """What a client knows after some bytes."""

    head: bytes
    """Of the final response; empty if it has not come."""
    body: bytes
    ended: bool
    """It knows that this was all."""
    end: int
    """Where the response ended, if it has, in the bytes."""


def read(data: bytes, *, bodiless: bool = False) -> Read:
    """Read a response and the interim ones before it, as far as they have come.

    Half a head, or half a line between chunks, is an error too: nobody who passes them on should do so before
    they are whole. What follows the end is left alone.
    """
    at = 0
    while True:
        if at == len(data):
            return Read(b"", b"", ended=False, end=0)
        end = data.find(b"\r\n\r\n", at) + 4
        if end < 4:
            raise StrictError(data[at:])
        head = data[at:end]
        status, framing = _head(head)
        at = end
        if status >= 200:
            break
    if bodiless or status in {204, 304} or framing == 0:
        return Read(head, b"", ended=True, end=at)
    if framing is None:
        return Read(head, data[at:], ended=False, end=0)
    if framing >= 0:
        ended = len(data) - at >= framing
        return Read(head, data[at : at + framing], ended=ended, end=at + framing if ended else 0)
    body, end = _chunks(data, at)
    return Read(head, body, ended=end > 0, end=end)


def _head(head: bytes) -> tuple[int, int | None]:
    """The status, and how the body ends: after so many bytes, with its last chunk (-1), or with the
    connection (None).
    """
    lines = head.split(b"\r\n")[:-2]
    start = STATUS_LINE.fullmatch(lines[0])
    if start is None:
        raise StrictError(lines[0])
    lengths: list[bytes] = []
    codings: list[bytes] = []
    for line in lines[1:]:
        field = FIELD.fullmatch(line)
        if field is None:
            raise StrictError(line)
        if field[1].lower() == b"content-length":
            lengths.append(field[2])
        elif field[1].lower() == b"transfer-encoding":
            codings += [coding.strip(b" \t").lower() for coding in field[2].split(b",")]
    if len(lengths) + bool(codings) > 1 or not all(length.isdigit() for length in lengths):
        raise StrictError(head)
    if b"chunked" in codings[:-1] or b"" in codings or b"identity" in codings:
        raise StrictError(head)
    if codings:
        return int(start[1]), -1 if codings[-1] == b"chunked" else None
    return int(start[1]), int(lengths[0]) if lengths else None


def _chunks(data: bytes, at: int) -> tuple[bytes, int]:
    """The body, and where it ends; 0 if it has not."""
    body = b""
    while at < len(data):
        line, at = _line(data, at)
        size = SIZE.fullmatch(line)
        if size is None:
            raise StrictError(line)
        count = int(size[1], 16)
        if count == 0:
            return body, _trailers(data, at)
        body += data[at : at + count]
        at += count
        if data[at : at + 2] not in {b"\r\n", b"\r", b""}:
            raise StrictError(data[at:])
        at += 2
    return body, 0


def _trailers(data: bytes, at: int) -> int:
    while True:
        line, at = _line(data, at)
        if not line:
            return at
        field = FIELD.fullmatch(line)
        if field is None or field[1].lower() in {b"content-length", b"transfer-encoding"}:
            raise StrictError(line)


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\r\n", at)
    if end < 0:
        raise StrictError(data[at:])
    return data[at:end], end + 2
