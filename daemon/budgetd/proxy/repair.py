"""Responses whose head or chunks are malformed: read as other clients read them, and written anew. Pure.

Some upstreams end lines with LF alone, state a length twice, or fold a header. They have answered, and they
bill it. What they mean is written by the grammar of RFC 9112, the body's bytes unchanged, so that no client
has to guess: where two readers see two ends, one takes a part of an answer for the next. What has no single
meaning is a `MalformedError`.
"""

import re
from typing import NamedTuple

from budgetd.errors import BudgetdError

MAX_LINE = 16 * 1024
"""Bytes of a line between chunks."""

WELL_FORMED = re.compile(
    rb"HTTP/1\.[01] [1-9]\d\d(?: [\t -~\x80-\xff]*)?\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*\r\n"
)
"""A head that can pass as it is. The space before an empty reason is often left out, and nobody minds."""

_STATUS_LINE = re.compile(rb"HTTP/(\d+\.\d+)[ \t]+([1-9]\d\d)(?:[ \t]+(.*))?", re.DOTALL)
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_BLANK_LINES = re.compile(rb"[\r\n]*")
_SIZE = re.compile(rb"[ \t]*0*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r]*)?")
_SIZE_BEGUN = re.compile(rb"[ \t]*[0-9A-Fa-f]*[ \t]*(?:;[^\r]*)?\r?")

LENGTH, CODING = b"content-length", b"transfer-encoding"
FRAMING = frozenset((LENGTH, CODING))

Fields = list[tuple[bytes, bytes]]


class MalformedError(BudgetdError):
    """A response that cannot be read in one way only; the message says what is wrong with it."""


class Heads(NamedTuple):
    """The heads at the beginning of what an upstream sent."""

    interim: bytes
    """Those of interim responses, well-formed."""
    final: bytes
    """The last one, well-formed; empty if it has not all come."""
    rest: bytes
    """What follows."""


def repair_heads(data: bytes) -> Heads:
    """The heads of a response and of the interim ones before it. Raises MalformedError."""
    interim: list[bytes] = []
    at = 0
    while True:
        at = _begin_head(data, at)
        end = head_end(data, at)
        if not end:
            return Heads(b"".join(interim), b"", data[at:])
        head, status = repair_head(data[at:end])
        if status >= 200:
            return Heads(b"".join(interim), head, data[end:])
        if status == 101:
            raise MalformedError("it changes the protocol unasked")
        interim.append(head)
        at = end


def head_end(data: bytes, start: int = 0) -> int:
    """Where the head that begins at ``start`` ends, its blank line included; 0 if it has not all come."""
    blank = _BLANK_LINE.search(data, start)
    return blank.end() if blank else 0


def repair_head(head: bytes) -> tuple[bytes, int]:
    """A whole head, as it is if that is well-formed, else as it is meant; and its status. Raises
    MalformedError.
    """
    lines = [line.removesuffix(b"\r") for line in head.split(b"\n")][:-2]
    start = _STATUS_LINE.fullmatch(lines[0])
    if start is None:
        raise MalformedError("its first line is no status line")
    version, code, reason = start.groups(b"")
    status = int(code)
    fields = _fields(lines[1:])
    framed = _framed(fields, status)
    meant = b"1.0" if version == b"1.0" and status >= 200 else b"1.1"  # which alone has interim responses
    if meant == version and framed == fields and WELL_FORMED.fullmatch(head):
        return head, status
    written = [b"HTTP/%b %b %b" % (meant, code, _CONTROLS.sub(b" ", reason))]
    written += [b"%b: %b" % field for field in framed]
    return b"\r\n".join(written) + b"\r\n\r\n", status


def coded(value: bytes) -> list[bytes]:
    """The codings that the value of a Transfer-Encoding names."""
    return [coding.strip(b" \t").lower() for coding in value.split(b",")]


def is_sound(codings: list[bytes]) -> bool:
    """Whether every reader sees the same end of a body with these: chunked is named once, and last."""
    if codings == [b"chunked"]:
        return True
    return b"chunked" not in codings[:-1] and b"" not in codings and b"identity" not in codings


def _begin_head(data: bytes, at: int) -> int:
    """Where the next head begins. What cannot become one is told at once, not only when it has all come."""
    blank = _BLANK_LINES.match(data, at)
    at = blank.end() if blank else at
    line, ended, _ = data[at : at + MAX_LINE].partition(b"\n")
    if ended and not _STATUS_LINE.fullmatch(line.removesuffix(b"\r")):
        raise MalformedError("its first line is no status line")
    if not b"HTTP/".startswith(line[:5]):
        raise MalformedError("it does not begin with HTTP/")
    return at


def _fields(lines: list[bytes]) -> Fields:
    fields: Fields = []
    for line in lines:
        if line[:1] in {b" ", b"\t"} and fields:  # a folded line goes on
            name, begun = fields.pop()
            fields.append((name, b"%b %b" % (begun, _value(name, line))))
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")
        if not colon or not _TOKEN.fullmatch(name):
            raise MalformedError("a line of its head is no header")
        fields.append((name, _value(name, value)))
    return [(name, value.strip(b" \t")) for name, value in fields]


def _value(name: bytes, value: bytes) -> bytes:
    """A value without what no value may hold, which is read as a space."""
    if not _CONTROLS.search(value):
        return value.strip(b" \t")
    if name.lower() in FRAMING:
        raise MalformedError(f"its {name.decode()} holds a control character")
    return _CONTROLS.sub(b" ", value).strip(b" \t")


def _framed(fields: Fields, status: int) -> Fields:
    """The same headers, with one statement at most of where the body ends."""
    if status < 200:
        dropped = FRAMING if status == 101 else FRAMING | {b"connection"}
        return [field for field in fields if field[0].lower() not in dropped]
    stated = [value for name, value in fields if name.lower() == CODING]
    codings = _codings(stated)
    length = _length([value for name, value in fields if name.lower() == LENGTH])
    as_stated = len(stated) == 1 and coded(stated[0]) == codings
    once = {
        CODING: stated[0] if as_stated else b", ".join(codings),
        LENGTH: b"" if codings else length,  # Transfer-Encoding counts
    }
    framed: Fields = []
    for name, value in fields:
        lower = name.lower()
        if lower not in FRAMING:
            framed.append((name, value))
        elif kept := once.pop(lower, b""):
            framed.append((name, kept))
    return framed


def _length(values: list[bytes]) -> bytes:
    """The one length that all of these state; empty if there are none."""
    stated = {length.strip(b" \t") for value in values for length in value.split(b",")}
    if not all(length.isdigit() for length in stated):
        raise MalformedError("its Content-Length is not a number")
    if len({int(length) for length in stated}) > 1:
        raise MalformedError("it states two different Content-Length")
    return min(stated, key=len, default=b"")


def _codings(values: list[bytes]) -> list[bytes]:
    """The codings that count; chunked, where a server and what stands in front of it both state it, once."""
    codings = [coding for value in values for coding in coded(value) if coding not in {b"", b"identity"}]
    while codings[-2:] == [b"chunked", b"chunked"]:
        codings.pop()
    if not is_sound(codings):
        raise MalformedError("its Transfer-Encoding does not end with chunked")
    return codings


class ChunkReader:
    """Reads a chunked body from where a chunk begins: lines may end with LF alone, a size may have spaces
    around it. Extensions and trailers are left out.
    """

    def __init__(self) -> None:
        self.ended = False
        self.problem = ""
        """Why nothing more can be read of it."""
        self.rest = b""
        """What follows its end, or has not been read yet."""
        self._left = 0
        self._after_data = False
        self._in_trailers = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; those of the body in them."""
        data = self.rest + data
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.ended and not self.problem:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._after_data = not self._left
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._check_begun(data[at:])
                break
            self._read_line(data[at:end].removesuffix(b"\r"))
            at = end + 1
        self.rest = data[at:]
        return b"".join(pieces)

    def end(self) -> bool:
        """No more comes; whether the body is whole. It is once its last chunk was read."""
        self.ended = self.ended or self._in_trailers
        return self.ended

    def _read_line(self, line: bytes) -> None:
        if self._in_trailers:
            self.ended = not line
        elif self._after_data:
            self._after_data = False
            if line:
                self.problem = "a chunk is longer than its size"
        elif size := _SIZE.fullmatch(line):
            self._left = int(size[1], 16)
            self._in_trailers = not self._left
        else:
            self.problem = "a chunk has no valid size"

    def _check_begun(self, line: bytes) -> None:
        """Tell at once what cannot become a line."""
        if len(line) > MAX_LINE:
            self.problem = "a line between its chunks is too long"
        elif self._after_data and line != b"\r":
            self.problem = "a chunk is longer than its size"
        elif not (self._in_trailers or self._after_data or _SIZE_BEGUN.fullmatch(line)):
            self.problem = "a chunk has no valid size"
