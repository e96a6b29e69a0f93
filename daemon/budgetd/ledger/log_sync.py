"""Durability "power": commits are told once they are on the disk, and the event loop does not wait for that.

Why an fsync of the write-ahead log after a commit is enough. With `synchronous = normal` SQLite writes a
commit's frames to the log and does not sync them; with `full` it syncs the log after each commit, and nothing
else is different. So the sync can as well be ours, and later: what counts is that it begins after the commit
has returned and is over before anybody is told. It covers every earlier commit too, which is what recovery
needs: that reads the log from its beginning and stops at the first frame that is not whole. Where the log
begins anew, SQLite syncs the new header before it writes a frame, and has synced the database before that,
also with `normal`. The log's own entry in its folder is synced when it is opened here; only the last
connection removes it, so it stays this file as long as the ledger is open.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from budgetd.errors import NotSyncedError
from budgetd.ledger.commit_times import CommitTimes
from budgetd.ledger.problems import describe


class LogSync:
    """Syncs the write-ahead log of an open ledger, for all together who wait at the time."""

    def __init__(self, ledger: Path, failed: Callable[[str], None]) -> None:
        """Sync what is there. ``failed`` is told why, each time that a sync fails. Raises OSError."""
        self.failure = ""
        """Why the log could not be synced; empty while it can."""
        self.times = CommitTimes()
        self._ledger = ledger
        self._failed = failed
        self._waiters: list[asyncio.Future[None]] = []
        self._asked = False
        self._syncing: asyncio.Task[None] | None = None
        # One of its own: the event loop's threads may all be busy with long queries.
        self._thread = ThreadPoolExecutor(1, "ledger sync")
        self._file = os.open(_log_path(ledger), os.O_RDWR | os.O_CLOEXEC)
        os.fsync(self._file)
        folder = os.open(ledger.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def confirm(self, waiters: list[asyncio.Future[None]]) -> None:
        """See that what is committed is on the disk soon, and then tell these; if it cannot be, they get a
        NotSyncedError. Those who come while a sync runs share the next one.
        """
        self._waiters += waiters
        self._asked = True
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync(), name="ledger sync")

    def brought_over(self) -> None:
        """All of the log is in the database, and synced there: the log begins anew."""
        self.failure = ""

    async def finish(self) -> None:
        """Wait for the sync that runs."""
        if self._syncing is not None:
            await self._syncing

    def close(self) -> None:
        """Let go of the file."""
        self._thread.shutdown()
        os.close(self._file)

    async def _sync(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._asked:
                self._asked = False
                waiters, self._waiters = self._waiters, []
                # After a sync that failed the system may take pages for written that are not, and the next
                # sync would succeed without them. So nobody is told anything until a checkpoint has brought
                # the log over.
                if not self.failure:
                    try:
                        self.times.add(await loop.run_in_executor(self._thread, _timed_fsync, self._file))
                    except OSError as error:
                        self.failure = (
                            f"{self._ledger}: what is committed does not get to the disk:"
                            f" {describe(error, self._ledger)}."
                        )
                self._tell(waiters)
        finally:
            self._syncing = None

    def _tell(self, waiters: list[asyncio.Future[None]]) -> None:
        if self.failure:
            self._failed(self.failure)
        for waiter in waiters:
            if waiter.done():
                continue
            if self.failure:
                waiter.set_exception(NotSyncedError(self.failure))
            else:
                waiter.set_result(None)


def _timed_fsync(file: int) -> float:
    """Sync it; how long that took."""
    begun = time.perf_counter()
    os.fsync(file)
    return time.perf_counter() - begun


def _log_path(ledger: Path) -> Path:
    """SQLite follows a link to the ledger, and keeps the log beside the file itself."""
    return Path(f"{os.path.realpath(ledger)}-wal")
