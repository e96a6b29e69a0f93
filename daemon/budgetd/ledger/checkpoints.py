"""Bringing what is committed to the disk and into the database, in a thread, because both wait for the disk.

A passive checkpoint is in nobody's way. Once all of the log is in the database, the next commit begins it
anew and syncs its header; that commit is made here too, so that no sync is left to the event loop.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from budgetd.ledger.problems import describe, is_busy

CHECKPOINT_SECONDS = 1.0
"""At most this long is a commit in the operating system's memory only."""

MOST_WAL_PAGES = 4096
"""Pages of the write-ahead log past which the writer is made to wait until all of it is in the database and
it can begin at its start again. Under a load without pauses that would never come by itself.
"""

RESTART_MS = 50
"""The longest the writer waits for that; if other readers are in the way, it is tried again next time."""

_BEGIN_ANEW = (
    "insert into meta values ('log_begun', 1) on conflict do update set value = cast(value as integer) + 1"
)
"""A commit of next to nothing; of nothing at all SQLite would write nothing."""


class Checkpoints:
    """The checkpoints of one ledger."""

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        writing: threading.Lock,
        *,
        begins: Callable[[], None],
        must_be_whole: Callable[[], bool],
        done: Callable[[bool], None],
    ) -> None:
        """
        Args:
            path: the ledger.
            connect: opens a connection to it.
            writing: held by whoever commits, so that the event loop does not wait for a lock inside SQLite.
            begins: told before each round.
            must_be_whole: whether the log is to be brought over to its end, however long that takes.
            done: told after each round whether the log begins anew.
        """
        self.failure = ""
        """Why the last round failed; empty since one succeeded."""
        self._path = path
        self._connect = connect
        self._writing = writing
        self._begins = begins
        self._must_be_whole = must_be_whole
        self._done = done
        self._db: sqlite3.Connection | None = None
        self._needed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """From now on, within `CHECKPOINT_SECONDS` of each `request`."""
        self._task = asyncio.create_task(self._run(), name="ledger checkpoints")

    def request(self) -> bool:
        """There is a new commit; whether it is the first since the last round began."""
        if self._needed.is_set():
            return False
        self._needed.set()
        return True

    async def stop(self) -> None:
        """End, with the round that runs."""
        if self._task is not None:
            self._stopping.set()
            self._needed.set()
            await self._task

    async def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                await self._needed.wait()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), CHECKPOINT_SECONDS)
                self._needed.clear()
                self._begins()
                self._done(await asyncio.to_thread(self._try_round))
                if self.failure:
                    self._needed.set()
        finally:
            if self._db is not None:
                self._db.close()

    def _try_round(self) -> bool:
        """Whether the log begins anew. Whatever goes wrong, the next round comes: without them the log would
        grow for ever.
        """
        anew = False
        try:
            anew = self._round()
        except Exception as error:  # noqa: BLE001 - it must not end the rounds
            if not is_busy(error):
                self.failure = (
                    f"{self._path}: what is committed cannot be brought to the disk:"
                    f" {describe(error, self._path)}."
                )
        else:
            self.failure = ""
        return anew

    def _round(self) -> bool:
        if self._db is None:
            self._db = self._connect()
            self._db.execute(f"pragma busy_timeout = {RESTART_MS}")
        _, pages, moved = self._db.execute("pragma wal_checkpoint(passive)").fetchone()
        if self._must_be_whole() or pages > MOST_WAL_PAGES:
            with self._writing:
                return self._restart(self._db)
        if pages == moved:
            with self._writing:
                self._db.execute(_BEGIN_ANEW)
        return False

    def _restart(self, db: sqlite3.Connection) -> bool:
        """Wait until all of the log is in the database and nobody reads it, if that does not take long."""
        busy, _, _ = db.execute("pragma wal_checkpoint(restart)").fetchone()
        if busy:
            return False
        db.execute(_BEGIN_ANEW)
        return True
