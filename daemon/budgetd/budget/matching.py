"""Which limits a request falls under. Pure.

Each dimension of a request narrows the limits down to those whose globs accept its value; what is left in the
end matches. A set of limits is an integer with a bit for each, so a thousand cost hardly more than one.
"""

import fnmatch
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from budgetd.budget.limits import UNREAD, Dimension, Limit, Subject

T = TypeVar("T")

REMEMBERED = 2048
"""How many subjects, and values of each dimension, are remembered with what they match."""

_SPECIAL = re.compile(r"[*?[]")


def literal_glob(value: str) -> str:
    """The glob that this value alone matches."""
    return _SPECIAL.sub(r"[\g<0>]", value)


class Index(Generic[T]):
    """Finds what is kept under the limits that match a subject."""

    def __init__(self, kept: Sequence[tuple[Limit, T]]) -> None:
        """``kept`` in the order in which it is to be found."""
        self._kept = [value for _, value in kept]
        limits = [limit for limit, _ in kept]
        used: dict[Dimension, None] = {dimension: None for limit in limits for dimension, _ in limit.match}
        self._columns = [_Column(dimension, limits) for dimension in used]
        self.matching = lru_cache(REMEMBERED)(self._match)
        """What matches a subject, in order."""

    def _match(self, subject: Subject) -> tuple[T, ...]:
        left = (1 << len(self._kept)) - 1
        for column in self._columns:
            left &= column.accepting(subject)
        found: list[T] = []
        while left:
            lowest = left & -left
            found.append(self._kept[lowest.bit_length() - 1])
            left ^= lowest
        return tuple(found)


class _Column:
    """The globs of all limits on one dimension."""

    def __init__(self, dimension: Dimension, limits: Sequence[Limit]) -> None:
        self.dimension: Dimension = dimension
        self._any = 0
        self._all = (1 << len(limits)) - 1
        self._exact: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        self._patterns: dict[str, int] = {}
        for place, limit in enumerate(limits):
            globs = dict(limit.match).get(dimension)
            if globs is None:
                self._any |= 1 << place
            for glob in globs or ():
                self._add(glob, 1 << place)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})
        self._compiled = [(re.compile(fnmatch.translate(glob)), bit) for glob, bit in self._patterns.items()]
        self._accepting_value = lru_cache(REMEMBERED)(self._find_accepting)

    def accepting(self, subject: Subject) -> int:
        """The limits that accept a subject, by any of its names, as bits."""
        accepting = 0
        for value in subject.names(self.dimension):
            accepting |= self._accepting_value(value)
        return accepting

    def _add(self, glob: str, bit: int) -> None:
        if not _SPECIAL.search(glob):
            table, key = self._exact, glob
        elif glob.endswith("*") and not _SPECIAL.search(glob[:-1]):
            table, key = self._prefixes, glob[:-1]
        else:
            table, key = self._patterns, glob
        table[key] = table.get(key, 0) | bit

    def _find_accepting(self, value: str) -> int:
        if value == UNREAD and self.dimension == "model":
            return self._all
        accepting = self._any | self._exact.get(value, 0)
        for length in self._lengths:
            if length > len(value):
                break
            accepting |= self._prefixes.get(value[:length], 0)
        for pattern, bits in self._compiled:
            if pattern.match(value):
                accepting |= bits
        return accepting
