"""The beginning of a request's body: of JSON the top-level members that are whole, of a form the parts."""

import re

from budgetd.metering.form import MAX_DELIMITER
from budgetd.metering.json_array import NO_BRACKET, STRING_REST

MOST_BRACKETS = 50_000
"""A value with more brackets than this is not looked behind."""

_OPENING = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+\{")
_STRING = re.compile(rb'"' + STRING_REST + rb'"', re.DOTALL)
_KEY = re.compile(rb'[ \t\r\n,]*+"' + STRING_REST + rb'"[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_SCALAR = re.compile(rb"[\w.+-]++", re.ASCII)
_BEHIND = re.compile(rb"[ \t\r\n]*+[,}]")
"""What shows that a value is whole."""


def whole_part(beginning: bytes) -> bytes:
    """The same body without what was cut off: nothing of it is there by half."""
    if beginning.startswith(b"--"):
        return _whole_parts(beginning)
    opening = _OPENING.match(beginning)
    if opening is None:
        return b""
    at = end = opening.end()
    while (key := _KEY.match(beginning, at)) is not None:
        at = _end_of_value(beginning, key.end())
        if at < 0 or _BEHIND.match(beginning, at) is None:
            break
        end = at
    return beginning[:end] + b"}"


def _end_of_value(text: bytes, at: int) -> int:
    """Where the JSON value that begins here ends; -1 if it is not whole."""
    if text[at : at + 1] not in (b"{", b"["):
        scalar = _STRING.match(text, at) or _SCALAR.match(text, at)
        return -1 if scalar is None else scalar.end()
    depth = 0
    for _ in range(MOST_BRACKETS):
        passed = NO_BRACKET.match(text, at)
        at = len(text) if passed is None else passed.end() + 1
        if at > len(text) or text[at - 1] == ord('"'):
            return -1
        depth += 1 if text[at - 1] in b"{[" else -1
        if depth == 0:
            return at
    return -1


def _whole_parts(beginning: bytes) -> bytes:
    """A form up to the delimiter that ends its last whole part."""
    line_end = beginning.find(b"\r\n", 0, MAX_DELIMITER)
    if line_end < 0:
        return b""
    return beginning[: beginning.rfind(beginning[:line_end].rstrip()) + line_end]
