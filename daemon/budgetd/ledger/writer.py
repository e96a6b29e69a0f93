"""The one writer: commits reservations before their requests are sent, and settlements after.

Whatever falls due in one turn of the event loop shares one transaction, so that a commit's cost is divided by
the load (FACTS 7, 14). Checkpoints, which wait for the disk, run in a thread of their own.
"""

import asyncio
import contextlib
import operator
import sqlite3
from pathlib import Path
from typing import Any, Literal

import msgspec

from budgetd.errors import LedgerError
from budgetd.ledger import migration, schema
from budgetd.ledger.rows import AlertRow, Closing, Opening

CHECKPOINT_SECONDS = 1.0
"""At most this long is a commit in the operating system's memory only."""

SETTLE_SECONDS = 0.01
"""How long a settlement waits for company; a kill in between leaves a reservation to be recovered."""

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
        self._opened: list[tuple[Any, ...]] = []
        self._closed: list[tuple[Any, ...]] = []
        self._rollups: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._alerts: list[tuple[Any, ...]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._flush_handle: asyncio.Handle | None = None
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

    def reserve(self, opening: Opening) -> asyncio.Future[None]:
        """Record an admitted request; the future is done once that is committed, or holds a LedgerError."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._opened.append(_astuple(opening))
        self._waiters.append(waiter)
        self._flush_soon(loop)
        return waiter

    def settle(self, opening: Opening, closing: Closing, alerts: tuple[AlertRow, ...] = ()) -> None:
        """Record the end of a request, with the alerts its cost fired, in one transaction."""
        self._closed.append((*_astuple(closing), opening.id))
        key = (int(opening.admitted_at // 3600), *_dimensions(opening))
        count, cost_nusd = self._rollups.get(key, (0, 0))
        self._rollups[key] = (count + 1, cost_nusd + closing.cost_nusd)
        if alerts:
            self._alerts.extend(map(_astuple, alerts))
        self._flush_later()

    def record_refusal(self, opening: Opening, closing: Closing) -> None:
        """Record a request that was never sent; nobody waits for it."""
        self._opened.append(_astuple(opening))
        self._closed.append((*_astuple(closing), opening.id))
        self._flush_later()

    def fire(self, alerts: tuple[AlertRow, ...]) -> None:
        """Record alerts that no request caused."""
        if alerts:
            self._alerts.extend(map(_astuple, alerts))
        self._flush_later()

    def write(self, sql: str, parameters: tuple[Any, ...] = ()) -> int:
        """Flush, then run one statement in a transaction of its own; the number of rows it changed. Raises
        LedgerError.
        """
        self.flush()
        try:
            changed = self.db.execute(sql, parameters).rowcount
        except sqlite3.Error as error:
            raise LedgerError(f"{self.path}: cannot be written: {_plain(error)}.") from None
        self._checkpoint_needed.set()
        return changed

    def flush(self) -> None:
        """Commit everything that is pending. Raises LedgerError, and then reservations have failed while
        settlements stay pending.
        """
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        waiters, self._waiters = self._waiters, []
        try:
            self._commit()
        except sqlite3.Error as error:
            failure = LedgerError(f"{self.path}: the ledger cannot be written: {_plain(error)}.")
            self.failure = str(failure)
            self._drop_failed(waiters, failure)
            raise failure from None
        self.failure = ""
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._checkpoint_needed.set()

    async def close(self) -> None:
        """Flush, checkpoint and close. Raises LedgerError if the last commit failed."""
        if self._checkpoints is not None:
            self._stopping.set()
            self._checkpoint_needed.set()
            await self._checkpoints
        try:
            self.flush()
        finally:
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

    def _flush_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """A reservation waits: commit as soon as this turn of the loop has run everything that is ready."""
        if len(self._waiters) > 1:
            return
        if self._flush_handle is not None:
            self._flush_handle.cancel()
        self._flush_handle = loop.call_soon(self._flush_quietly)

    def _flush_later(self) -> None:
        if self._flush_handle is None:
            self._flush_handle = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._flush_quietly)

    def _flush_quietly(self) -> None:
        """Flush; a failure has been told to those who wait, and what remains is tried again."""
        try:
            self.flush()
        except LedgerError:
            self._flush_handle = asyncio.get_running_loop().call_later(1.0, self._flush_quietly)

    def _commit(self) -> None:
        db = self.db
        db.execute("begin immediate")
        try:
            if self._opened:
                db.executemany(schema.INSERT_REQUEST, self._opened)
            if self._closed:
                db.executemany(schema.SETTLE_REQUEST, self._closed)
                db.executemany(schema.ADD_ROLLUP, [(*key, *tally) for key, tally in self._rollups.items()])
            if self._alerts:
                db.executemany(schema.INSERT_ALERT, self._alerts)
            db.execute("commit")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("rollback")
            raise
        self._opened.clear()
        self._closed.clear()
        self._rollups.clear()
        self._alerts.clear()

    def _drop_failed(self, waiters: list[asyncio.Future[None]], failure: LedgerError) -> None:
        """Reservations that could not be committed never were; those who wait refuse their requests."""
        closed = {row[-1] for row in self._closed}
        self._opened = [row for row in self._opened if row[0] in closed]
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(failure)

    async def _checkpoint_for_ever(self) -> None:
        db = self._connect()
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
        db.execute("pragma wal_checkpoint(passive)").fetchall()
    except sqlite3.OperationalError:  # the disk is full or the file busy: the writer tells, and we come again
        return


def _plain(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if text == "disk I/O error":
        text += " (is the disk full?)"
    return text[:1].lower() + text[1:]
