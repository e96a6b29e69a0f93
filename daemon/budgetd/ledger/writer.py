"""The one writer: commits reservations before their requests are sent, and settlements after.

Reservations that come together share one transaction, so that a commit's cost is divided by the load.
Settlements, for which nobody waits, are committed apart from them, many at once. What waits for the disk runs
in threads: `checkpoints`, and with the durability "power" `log_sync`.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from budgetd.errors import LedgerError
from budgetd.ledger import migration
from budgetd.ledger.checkpoints import Checkpoints
from budgetd.ledger.commit_times import CommitTimes
from budgetd.ledger.lock import LedgerLock
from budgetd.ledger.log_sync import LogSync
from budgetd.ledger.pending import Pending, Reserved, Statement
from budgetd.ledger.problems import describe
from budgetd.ledger.rows import Closing, Opening
from budgetd.ledger.texts import TextReader
from budgetd.ledger.transaction import transaction

SETTLE_SECONDS = 0.01
"""How long a settlement waits for company; a kill in between leaves a reservation to be recovered."""

RETRY_SECONDS = 1.0
"""How long after a failure what is still pending is tried again."""

MOST_TOGETHER = 64
"""So many reservations are committed without waiting for more."""

MISSING = "records_missing_up_to"
"""The key in `meta` of the newest id whose record is known to be lost: no request gets it again."""


class Ledger:
    """An open ledger. All of its methods belong to the event loop's thread."""

    def __init__(
        self,
        path: Path,
        durability: Literal["process", "power"] = "process",
        lock: LedgerLock | None = None,
    ) -> None:
        """Open or create it. Raises LedgerError with the reason.

        Args:
            path: the file.
            durability: "power": a reservation is told once it is on the disk.
            lock: leaves word for the next start of what is committed.
        """
        self.path = path
        self.failures = 0
        """How many commits have failed,"""
        self.last_failure = ""
        """and why the last of them did."""
        self.read_failure = ""
        """Why it could not be read when that was last tried by those who show what is in it; else empty."""
        self.left_out = 0
        """How many records could not be written for what they say, and are not in the ledger."""
        self.left_out_why = ""
        """What was wrong with the last of them."""
        self.texts = TextReader()
        self._lock = lock
        self._failure = ""
        self._pending = Pending(self._leave_out)
        self._gathering = False
        """A commit of the reservations is about to come."""
        self._timer: asyncio.TimerHandle | None = None
        """Commits everything that is pending."""
        self._writing = threading.Lock()
        """Held while this or the checkpoints' connection writes."""
        self._postponed = False
        """A commit waits for the checkpoints' connection."""
        self._times = CommitTimes()
        self._sync: LogSync | None = None
        self._checkpoints = Checkpoints(
            path,
            self._connect,
            self._writing,
            begins=self._note,
            must_be_whole=lambda: bool(self._sync and self._sync.failure),
            done=self._checkpointed,
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self.db = self._connect()
            self.db.text_factory = self.texts
            migration.prepare(self.db, path)
            if durability == "power":
                self._sync = LogSync(path, self._sync_failed)
            self._count_on()
        except (sqlite3.Error, UnicodeError, OSError) as error:
            raise LedgerError(f"{path}: the ledger cannot be opened: {describe(error, path)}.") from None

    def _count_on(self) -> None:
        """Go on with the ids, above those that are known to have been committed."""
        newest = self._greatest("requests")
        lost = self.db.execute("select value from meta where key = ?", (MISSING,)).fetchone()
        known = max(newest, int(lost[0]) if lost and str(lost[0]).isdecimal() else 0)
        left_at = self._lock.left_at if self._lock else 0
        self.missing = range(known + 1, left_at + 1)
        """Ids of requests that an earlier daemon had committed and whose records are not there."""
        if self.missing:
            self._pending.add("insert or replace into meta values (?, ?)", (MISSING, str(left_at)))
        self._committed, self._noted = max(known, left_at), left_at
        self._note()
        self._next_request = 1 + self._committed
        self._next_alert = 1 + self._greatest("alerts")
        self._next_delivery = 1 + self._greatest("outbox")

    @property
    def failure(self) -> str:
        """Why commits fail, or do not get to the disk; empty while they do."""
        return self._failure or (self._sync.failure if self._sync else "")

    @property
    def checkpoint_failure(self) -> str:
        """Why what is committed cannot be brought to the disk; empty while it can."""
        return self._checkpoints.failure

    @property
    def slow_seconds(self) -> float:
        """How long a commit takes on this disk, where that is too long; else 0."""
        return max(self._times.slow_seconds, self._sync.times.slow_seconds if self._sync else 0.0)

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
        self._pending.reserve(opening, waiter)
        if not self._gathering:
            self._gathering = True
            loop.call_soon(self._flush_when_quiet, len(self._pending.opened))
        return waiter

    def settle(self, opening: Opening, closing: Closing) -> None:
        """Record the end of a request. What is noted with `add` before the event loop goes on is in the same
        transaction.
        """
        self._pending.settle(opening, closing)
        self._flush_later()

    def record_refusal(self, opening: Opening, closing: Closing) -> None:
        """Record a request that was never sent; nobody waits for it."""
        self._pending.refuse(opening, closing)
        self._flush_later()

    def add(self, sql: str, parameters: tuple[Any, ...] = ()) -> None:
        """Note a statement for the next commit, after the requests that are in it. One that fails by itself,
        not for the disk's sake, is left out.
        """
        self._pending.add(sql, parameters)
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
        changed = 0
        try:
            with self._writing, transaction(self.db):
                for sql, parameters in statements:
                    changed = self.db.execute(sql, parameters).rowcount
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            raise LedgerError(f"{self.path}: cannot be written: {describe(error, self.path)}.") from None
        if self._sync is not None:
            self._sync.confirm([])
        self._checkpoints.request()
        return changed

    def flush(self) -> None:
        """Commit everything that is pending. Raises LedgerError, and then reservations have failed while
        settlements stay pending.
        """
        with self._writing:
            self._commit(everything=True)

    async def close(self) -> None:
        """Flush, checkpoint and close. Raises LedgerError if the last commit failed."""
        await self._checkpoints.stop()
        try:
            self.flush()
            if self._sync is not None:
                await self._sync.finish()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self.db.close()
            if self._sync is not None:
                self._sync.close()

    def start_checkpoints(self) -> None:
        """From now on, write commits through to the disk within `CHECKPOINT_SECONDS`."""
        self._checkpoints.start()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5)
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")  # what "power" is beyond that is `log_sync`
        db.execute("pragma wal_autocheckpoint = 0")
        return db

    def _greatest(self, table: str) -> int:
        return self.db.execute(f"select coalesce(max(id), 0) from {table}").fetchone()[0]

    # when to commit

    def _flush_when_quiet(self, before: int) -> None:
        """Commit reservations once a turn of the loop has brought no further one. After a failure they wait
        for what is pending since then, so that nothing is sent whose cost could not be recorded.
        """
        waiting = len(self._pending.opened)
        if before < waiting < MOST_TOGETHER:
            asyncio.get_running_loop().call_soon(self._flush_when_quiet, waiting)
            return
        self._gathering = False
        if waiting:
            self._commit_quietly(everything=bool(self._failure))

    def _flush_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._flush_due)

    def _flush_due(self) -> None:
        self._timer = None
        if self._pending or self._failure:
            self._commit_quietly(everything=True)

    def _commit_quietly(self, *, everything: bool) -> None:
        """Commit; a failure has been told to those who wait, and what remains is tried again."""
        if not self._writing.acquire(blocking=False):
            self._postponed = True
            return
        try:
            self._commit(everything=everything)
        except LedgerError:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._flush_due)
        finally:
            self._writing.release()

    def _checkpointed(self, anew: bool) -> None:
        """A checkpoint is over; the log begins anew, or not."""
        if self._sync is not None and self._sync.failure:
            if anew:
                self._sync.brought_over()
            else:
                self._checkpoints.request()
        if self._postponed:
            self._postponed = False
            self._commit_quietly(everything=True)

    def _sync_failed(self, failure: str) -> None:
        self.last_failure = failure
        self.failures += 1
        self._checkpoints.request()

    # committing

    def _commit(self, *, everything: bool) -> None:
        """Commit the reservations that are waited for, or all that is pending. Raises LedgerError."""
        try:
            written, failed = self._transact(everything=everything)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait have to be told
            failure = LedgerError(f"{self.path}: the ledger cannot be written: {describe(error, self.path)}.")
            self._failure = self.last_failure = str(failure)
            self.failures += 1
            for waiter in self._pending.drop_reservations():
                _fail(waiter, failure)
            raise failure from None
        self._failure = ""
        if written:
            self._committed = max(self._committed, *(each.row[0] for each in written))
            self._tell([each.waiter for each in written])
        for each, problem in failed:
            _fail(each.waiter, LedgerError(f"{self.path}: cannot hold this request: {problem}."))
        if self._checkpoints.request():
            self._note()

    def _transact(self, *, everything: bool) -> tuple[list[Reserved], list[tuple[Reserved, Exception]]]:
        """See `Pending.write`; takes its time."""
        begun, any_pending = time.perf_counter(), bool(self._pending)
        outcome = self._pending.write(self.db, everything=everything)
        if any_pending:
            self._times.add(time.perf_counter() - begun)
        return outcome

    def _tell(self, waiters: list[asyncio.Future[None]]) -> None:
        """What they wait for is committed."""
        if self._sync is not None:
            self._sync.confirm(waiters)
            return
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _leave_out(self, what: str, problem: Exception) -> None:
        self.left_out += 1
        self.left_out_why = f"{what}: {problem}"

    def _note(self) -> None:
        """Leave word for the next start of what is committed."""
        if self._lock is not None and self._committed != self._noted:
            # It is only missed after a kill, and where the disk fails the checkpoints tell of it.
            with contextlib.suppress(OSError):
                self._lock.note(self._committed)
                self._noted = self._committed


def _fail(waiter: asyncio.Future[None], error: LedgerError) -> None:
    if not waiter.done():
        waiter.set_exception(error)
