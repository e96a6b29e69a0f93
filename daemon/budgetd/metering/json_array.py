"""The elements of one JSON array out of a byte stream that may be cut anywhere.

Gemini streams so when it is not asked for server-sent events: ``[{…}``, ``,{…}``, … ``]``.
"""

import re

MAX_ELEMENT = 32 * 1024 * 1024
"""An element of more bytes than this ends the reading."""

STRING_REST = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_IN_STRING = re.compile(STRING_REST, re.DOTALL)
NO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"' + STRING_REST + rb'")*+', re.DOTALL)
"""Whole strings and all that is neither string nor bracket."""


class Splitter:
    """Cuts a JSON array into its elements that are objects; everything else in it is passed over."""

    def __init__(self, limit: int = MAX_ELEMENT) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._scanned = 0
        self._start = -1
        self._depth = 0
        self._in_string = False
        self._ended = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Every element that `chunk` ends."""
        if self._ended:
            return []
        self._pending += chunk
        elements: list[bytes] = []
        while not self._ended and (stop := self._next_bracket()) >= 0:
            self._pass(stop, elements)
        self._forget_what_was_read()
        return elements

    def close(self) -> list[bytes]:
        """Nothing: an element that was cut off cannot be read."""
        return []

    def _next_bracket(self) -> int:
        """Where the next bracket outside a string is; -1 if it has not come yet."""
        if self._in_string:
            self._skip(_IN_STRING)
            # What stops there is the closing quote, or a backslash whose second half has not come.
            if not self._pending.startswith(b'"', self._scanned):
                return -1
            self._scanned += 1
            self._in_string = False
        self._skip(NO_BRACKET)
        if self._scanned == len(self._pending):
            return -1
        self._scanned += 1
        if self._pending[self._scanned - 1] != ord('"'):
            return self._scanned - 1
        # A string whose end has not come: its beginning is not to be scanned again.
        self._in_string = True
        self._skip(_IN_STRING)
        return -1

    def _skip(self, pattern: re.Pattern[bytes]) -> None:
        skipped = pattern.match(self._pending, self._scanned)
        self._scanned = skipped.end() if skipped else self._scanned

    def _pass(self, stop: int, elements: list[bytes]) -> None:
        if self._pending[stop] in b"{[":
            self._depth += 1
            if self._depth == 2 and self._pending[stop] == ord("{"):
                self._start = stop
            return
        self._depth -= 1
        self._ended = self._depth <= 0
        if self._depth == 1 and self._start >= 0:
            if stop + 1 - self._start > self._limit:
                self._ended = True
                return
            elements.append(bytes(self._pending[self._start : stop + 1]))
            self._start = -1

    def _forget_what_was_read(self) -> None:
        read = self._scanned if self._start < 0 else self._start
        if self._ended or len(self._pending) - read > self._limit:
            self._ended = True
            self._pending.clear()
            return
        del self._pending[:read]
        self._scanned -= read
        if self._start >= 0:
            self._start = 0
