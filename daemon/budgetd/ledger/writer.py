"""The one writer: commits reservations before their requests are sent, and settlements after.

Reservations that come together share one transaction, so that a commit's cost is divided by the load (FACTS
7, 14). Settlements, for which nobody waits, are committed apart from them, many at once. Checkpoints, which
wait for the disk, run in a thread of their own.
"""

import asyncio
import contextlib
import operator
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from budgetd.errors import LedgerError
from budgetd.ledger import migration, schema
from budgetd.ledger.rows import Closing, Opening

CHECKPOINT_SECONDS = 1.0
"""At most this long is a commit in the operating system's memory only."""

SETTLE_SECONDS = 0.01
"""How long a settlement waits for company; a kill in between leaves a reservation to be recovered."""

MOST_WAL_PAGES = 4096
"""Pages of the write-ahead log past which the writer is made to wait until all of it is in the database and
it can begin at its start again. Under a load without pauses that would never come by itself.
"""

RESTART_MS = 50
"""The longest the writer waits for that; if other readers are in the way, it is tried again next time."""

RETRY_SECONDS = 1.0
"""How long after a failure what is still pending is tried again."""

MOST_TOGETHER = 64
"""So many reservations are committed without waiting for more."""

Statement: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL with its parameters."""

_astuple = msgspec.structs.astuple
_dimensions = operator.attrgetter(*schema.DIMENSIONS)


class Ledger:
    """An open ledger. All of its methods belong to the event loop's thread."""

    def __init__(self, path: Path, durability: Literal["process", "power"] = "process") -> None:
        """Open or create it. Raises LedgerError with the reason."""
        self.path = path
        self._durability = durability
        self.failure = ""
        """Why the last commit failed; empty since one succeeded."""
        self.failures = 0
        """How many commits have failed."""
        self._opened: list[tuple[Any, ...]] = []
        self._refused: list[tuple[Any, ...]] = []
        """Openings of requests that were never sent, which are committed with their closings."""
        self._closed: list[tuple[Any, ...]] = []
        self._rollups: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._beside: list[Statement] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        """Commits everything that is pending."""
        self._checkpoint_needed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._checkpoints: asyncio.Task[None] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self.db = self._connect()
            migration.prepare(self.db, path)
            self._next_request = 1 + self._greatest("requests")
            self._next_alert = 1 + self._greatest("alerts")
            self._next_delivery = 1 + self._greatest("outbox")
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"{path}: the ledger cannot be opened: {_plain(error)}.") from None

    def next_request_id(self) -> int:
        """A new id for a request."""
        self._next_request += 1
        return self._next_request - 1

    def next_alert_id(self) -> int:
        """A new id for an alert."""
        self._next_alert += 1
        return self._next_alert - 1

    def next_delivery_id(self) -> int:
        """A new id for a row of the outbox."""
        self._next_delivery += 1
        return self._next_delivery - 1

    def reserve(self, opening: Opening) -> asyncio.Future[None]:
        """Record an admitted request; the future is done once that is committed, or holds a LedgerError."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._opened.append(_astuple(opening))
        self._waiters.append(waiter)
        if len(self._waiters) == 1:
            loop.call_soon(self._flush_when_quiet, 1)
        return waiter

    def settle(self, opening: Opening, closing: Closing) -> None:
        """Record the end of a request. What is noted with `add` before the event loop goes on is in the same
        transaction.
        """
        self._closed.append((*_astuple(closing), opening.id))
        key = (int(opening.admitted_at // 3600), *_dimensions(opening))
        count, cost_nusd = self._rollups.get(key, (0, 0))
        self._rollups[key] = (count + 1, cost_nusd + closing.cost_nusd)
        self._flush_later()

    def record_refusal(self, opening: Opening, closing: Closing) -> None:
        """Record a request that was never sent; nobody waits for it."""
        self._refused.append(_astuple(opening))
        self._closed.append((*_astuple(closing), opening.id))
        self._flush_later()

    def add(self, sql: str, parameters: tuple[Any, ...] = ()) -> None:
        """Note a statement for the next commit, after the requests that are in it. One that fails by itself,
        not for the disk's sake, keeps everything else from being committed: it must be sure to succeed.
        """
        self._beside.append((sql, parameters))
        self._flush_later()

    def write(self, sql: str, parameters: tuple[Any, ...] = ()) -> int:
        """Flush, then run one statement in a transaction of its own; the number of rows it changed. Raises
        LedgerError.
        """
        return self.write_all([(sql, parameters)])

    def write_all(self, statements: Iterable[Statement]) -> int:
        """Flush, then run these in one transaction; the number of rows the last one changed. Raises
        LedgerError, and then none of them was done.
        """
        self.flush()
        db, changed = self.db, 0
        try:
            db.execute("begin immediate")
            for sql, parameters in statements:
                changed = db.execute(sql, parameters).rowcount
            db.execute("commit")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("rollback")
            raise LedgerError(f"{self.path}: cannot be written: {_plain(error)}.") from None
        self._checkpoint_needed.set()
        return changed

    def flush(self) -> None:
        """Commit everything that is pending. Raises LedgerError, and then reservations have failed while
        settlements stay pending.
        """
        self._commit(everything=True)

    async def close(self) -> None:
        """Flush, checkpoint and close. Raises LedgerError if the last commit failed."""
        if self._checkpoints is not None:
            self._stopping.set()
            self._checkpoint_needed.set()
            await self._checkpoints
        try:
            self.flush()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self.db.close()

    def start_checkpoints(self) -> None:
        """From now on, write commits through to the disk within `CHECKPOINT_SECONDS`."""
        self._checkpoints = asyncio.create_task(self._checkpoint_for_ever(), name="ledger checkpoints")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
        db.execute("pragma journal_mode = wal")
        db.execute(f"pragma synchronous = {'full' if self._durability == 'power' else 'normal'}")
        db.execute("pragma wal_autocheckpoint = 0")
        return db

    def _greatest(self, table: str) -> int:
        return self.db.execute(f"select coalesce(max(id), 0) from {table}").fetchone()[0]

    def _flush_when_quiet(self, waiting: int) -> None:
        """Commit reservations once a turn of the loop has brought no further one. After a failure they wait
        for what is pending since then, so that nothing is sent whose cost could not be recorded.
        """
        if waiting < len(self._waiters) < MOST_TOGETHER:
            asyncio.get_running_loop().call_soon(self._flush_when_quiet, len(self._waiters))
        elif self._waiters:
            self._commit_quietly(everything=bool(self.failure))

    def _flush_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._flush_due)

    def _flush_due(self) -> None:
        self._timer = None
        if self._opened or self._refused or self._closed or self._beside or self.failure:
            self._commit_quietly(everything=True)

    def _commit_quietly(self, *, everything: bool) -> None:
        """Commit; a failure has been told to those who wait, and what remains is tried again."""
        try:
            self._commit(everything=everything)
        except LedgerError:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._flush_due)

    def _commit(self, *, everything: bool) -> None:
        """Commit the reservations that are waited for, or all that is pending. Raises LedgerError."""
        waiters, self._waiters = self._waiters, []
        try:
            self._transact(everything=everything)
        except sqlite3.Error as error:
            failure = LedgerError(f"{self.path}: the ledger cannot be written: {_plain(error)}.")
            self.failure = str(failure)
            self.failures += 1
            self._drop_failed(waiters, failure)
            raise failure from None
        self.failure = ""
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._checkpoint_needed.set()

    def _transact(self, *, everything: bool) -> None:
        db = self.db
        db.execute("begin immediate")
        try:
            if self._opened:
                db.executemany(schema.INSERT_REQUEST, self._opened)
            if everything:
                self._write_settled()
            db.execute("commit")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("rollback")
            raise
        self._opened.clear()
        if everything:
            for written in (self._refused, self._closed, self._rollups, self._beside):
                written.clear()

    def _write_settled(self) -> None:
        db = self.db
        if self._refused:
            db.executemany(schema.INSERT_REQUEST, self._refused)
        if self._closed:
            db.executemany(schema.SETTLE_REQUEST, self._closed)
            db.executemany(schema.ADD_ROLLUP, [(*key, *tally) for key, tally in self._rollups.items()])
        for sql, parameters in self._beside:
            db.execute(sql, parameters)

    def _drop_failed(self, waiters: list[asyncio.Future[None]], failure: LedgerError) -> None:
        """Reservations that could not be committed never were; those who wait refuse their requests."""
        closed = {row[-1] for row in self._closed}
        self._opened = [row for row in self._opened if row[0] in closed]
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(failure)

    async def _checkpoint_for_ever(self) -> None:
        db = self._connect()
        db.execute(f"pragma busy_timeout = {RESTART_MS}")
        try:
            while not self._stopping.is_set():
                await self._checkpoint_needed.wait()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), CHECKPOINT_SECONDS)
                self._checkpoint_needed.clear()
                await asyncio.to_thread(_checkpoint, db)
        finally:
            db.close()


def _checkpoint(db: sqlite3.Connection) -> None:
    """A passive checkpoint waits for nobody; what it could not move is moved next time."""
    try:
        _, pages, _ = db.execute("pragma wal_checkpoint(passive)").fetchone()
        if pages > MOST_WAL_PAGES:
            db.execute("pragma wal_checkpoint(restart)").fetchone()
    except sqlite3.OperationalError:  # the disk is full or the file busy: the writer tells, and we come again
        return


def _plain(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if text == "disk I/O error":
        text += " (is the disk full?)"
    return text[:1].lower() + text[1:]
