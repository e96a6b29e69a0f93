"""What waits for the next commit, and how it is written: all of it in one transaction.

A record that cannot be written for what it says (a number beyond 64 bits, a text that is none) does not keep
the others from being written: then each is written by itself, and only that one is changed to fit or, where
that does not help either, left out.
"""

import asyncio
import math
import operator
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from budgetd.ledger import schema
from budgetd.ledger.problems import is_of_the_values
from budgetd.ledger.rows import Closing, Opening
from budgetd.ledger.transaction import transaction

Statement: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL with its parameters."""

MOST_INT = 2**63 - 1
MOST_TEXT = 10_000
"""What a value is cut to that could not be written as it was: the number, and the characters of a text."""

_astuple = msgspec.structs.astuple
_dimensions = operator.attrgetter(*schema.DIMENSIONS)


class Reserved(NamedTuple):
    """An opening that is waited for."""

    row: tuple[Any, ...]
    waiter: asyncio.Future[None]

    @property
    def id(self) -> int:
        """Of the request."""
        return self.row[0]


class _Settled(NamedTuple):
    """A closing, and the sum it belongs to."""

    row: tuple[Any, ...]
    key: tuple[Any, ...] | None
    """Of the rollup; None of what was never sent."""
    cost_nusd: int

    @property
    def id(self) -> int:
        """Of the request."""
        return self.row[-1]


class Pending:
    """The records that are not committed yet."""

    def __init__(self, left_out: Callable[[str, Exception], None]) -> None:
        """``left_out`` is told which record was not written for what it says, and what is wrong with it."""
        self.opened: list[Reserved] = []
        self._left_out = left_out
        self._refused: list[tuple[Any, ...]] = []
        """Openings of requests that were never sent, which are committed with their closings."""
        self._settled: list[_Settled] = []
        self._beside: list[Statement] = []

    def __bool__(self) -> bool:
        return bool(self.opened or self._refused or self._settled or self._beside)

    def reserve(self, opening: Opening, waiter: asyncio.Future[None]) -> None:
        """See `Ledger.reserve`."""
        self.opened.append(Reserved(_astuple(opening), waiter))

    def settle(self, opening: Opening, closing: Closing) -> None:
        """See `Ledger.settle`."""
        key = (int(opening.admitted_at // 3600), *_dimensions(opening))
        self._settled.append(_Settled((*_astuple(closing), opening.id), key, closing.cost_nusd))

    def refuse(self, opening: Opening, closing: Closing) -> None:
        """See `Ledger.record_refusal`."""
        self._refused.append(_astuple(opening))
        self._settled.append(_Settled((*_astuple(closing), opening.id), None, 0))

    def add(self, sql: str, parameters: tuple[Any, ...]) -> None:
        """See `Ledger.add`."""
        self._beside.append((sql, parameters))

    def write(
        self, db: sqlite3.Connection, *, everything: bool
    ) -> tuple[list[Reserved], list[tuple[Reserved, Exception]]]:
        """Commit the reservations, or all there is; the reservations that are written, and those that are not
        with the reason. Raises what SQLite does where the file is at fault; then all is pending as before.
        """
        try:
            with transaction(db):
                self._write_together(db, everything=everything)
            written, failed = self.opened, list[tuple[Reserved, Exception]]()
        except Exception as error:
            if not is_of_the_values(error):
                raise
            with transaction(db):
                written, failed = self._write_one_by_one(db, everything=everything)
        self.opened = []
        if everything:
            for done in (self._refused, self._settled, self._beside):
                done.clear()
        return written, failed

    def drop_reservations(self) -> list[asyncio.Future[None]]:
        """Give up on what could not be committed and has not been settled yet: it was never sent. Those who
        wait for any reservation.
        """
        waiters = [each.waiter for each in self.opened]
        settled = {each.id for each in self._settled}
        self.opened = [each for each in self.opened if each.id in settled]
        return waiters

    def _write_together(self, db: sqlite3.Connection, *, everything: bool) -> None:
        if self.opened:
            db.executemany(schema.INSERT_REQUEST, [each.row for each in self.opened])
        if not everything:
            return
        if self._refused:
            db.executemany(schema.INSERT_REQUEST, self._refused)
        if self._settled:
            db.executemany(schema.SETTLE_REQUEST, [each.row for each in self._settled])
            db.executemany(schema.ADD_ROLLUP, _sums(self._settled))
        for sql, parameters in self._beside:
            db.execute(sql, parameters)

    def _write_one_by_one(
        self, db: sqlite3.Connection, *, everything: bool
    ) -> tuple[list[Reserved], list[tuple[Reserved, Exception]]]:
        def write(what: str, *statements: Statement) -> Exception | None:
            problem = _write_alone(db, statements)
            if problem is not None:
                self._left_out(what, problem)
            return problem

        written: list[Reserved] = []
        failed: list[tuple[Reserved, Exception]] = []
        for each in self.opened:
            problem = write(f"the reservation of request {each.id}", (schema.INSERT_REQUEST, each.row))
            if problem is None:
                written.append(each)
            else:
                failed.append((each, problem))
        if everything:
            for row in self._refused:
                write(f"the record of request {row[0]}", (schema.INSERT_REQUEST, row))
            for each in self._settled:
                sums = [(schema.ADD_ROLLUP, sum) for sum in _sums([each])]
                write(f"the end of request {each.id}", (schema.SETTLE_REQUEST, each.row), *sums)
            for statement in self._beside:
                write(statement[0].partition("(")[0].strip(), statement)
        return written, failed


def _sums(settled: Iterable[_Settled]) -> list[tuple[Any, ...]]:
    """What is added to the rollups."""
    sums: dict[tuple[Any, ...], tuple[int, int]] = {}
    for _, key, cost_nusd in settled:
        if key is not None:
            count, nusd = sums.get(key, (0, 0))
            sums[key] = count + 1, nusd + cost_nusd
    return [(*key, *sum) for key, sum in sums.items()]


def _write_alone(db: sqlite3.Connection, statements: Sequence[Statement]) -> Exception | None:
    """Run these, or none: as they are or, if they fail for what they say, with values that fit. Why they were
    not run, if they were not.
    """
    problem: Exception | None = None
    for fit in (_as_it_is, _made_to_fit):
        db.execute("savepoint alone")
        try:
            for sql, parameters in statements:
                db.execute(sql, tuple(map(fit, parameters)))
        except Exception as error:
            if not is_of_the_values(error):
                raise
            db.execute("rollback to alone")
            problem = error
        else:
            problem = None
        db.execute("release alone")
        if problem is None:
            break
    return problem


def _as_it_is(value: object) -> object:
    return value


def _made_to_fit(value: object) -> object:
    match value:
        case bool() | None | bytes():
            return value
        case int():
            return min(max(value, -MOST_INT), MOST_INT)
        case float():
            return 0.0 if math.isnan(value) else value
        case str():
            return value[:MOST_TEXT].encode("utf-8", "replace").decode()
        case _:
            return str(value)[:MOST_TEXT]
