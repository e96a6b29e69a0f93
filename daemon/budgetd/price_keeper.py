"""Keeps the price book right while the daemon runs: prices that were synced, overrides that were edited, the
daily sync, and the alert that prices are old.
"""

import asyncio
import logging
import time
from pathlib import Path

from budgetd.alerts.desk import Desk
from budgetd.config import Config
from budgetd.errors import BudgetdError
from budgetd.pricing.book import Book
from budgetd.pricing.sync.daily import sync_harmless
from budgetd.pricing.sync.shelf import Shelf, age_days

log = logging.getLogger(__name__)

SYNC_SECONDS = 86_400.0
"""From one daily sync to the next."""
RETRY_SECONDS = 3_600.0
"""From one that failed to the next: at its start, a laptop may have no network yet."""


class PriceKeeper:
    """The price book of one daemon. Nothing is read until prices are first asked for, or `start`."""

    def __init__(self, folder: Path, ledger_path: Path, config: Config) -> None:
        """
        Args:
            folder: where synced prices lie.
            ledger_path: tells the sync which models are in use.
            config: the one in force.
        """
        self._folder = folder
        self._ledger_path = ledger_path
        self._config = config
        self._shelf = Shelf(folder)
        self._stamp = self._shelf.stamp()
        self._next_sync: float | None = None
        self._desk: Desk | None = None
        self._work: asyncio.Task[None] | None = None
        self.book = Book(self._shelf.sources, config.overrides)

    def start(self, desk: Desk) -> None:
        """Load the prices in a thread, then look after them. ``desk`` hears of prices that are old."""
        self._desk = desk
        self._work = asyncio.create_task(self._warm(), name="load prices")

    async def stop(self) -> None:
        """End what is under way."""
        if self._work is not None:
            if self._work.get_name() == "sync prices":
                self._work.cancel()
            await asyncio.wait([self._work])

    def configure(self, config: Config) -> None:
        """Put what the person states in force."""
        changed = config.overrides != self._config.overrides
        self._config = config
        if changed:
            self.book.reload(overrides=config.overrides)
            self._say_known()

    def look(self) -> None:
        """Notice prices that were synced meanwhile, and sync where it is time. To be called every second."""
        if self._work is None or not self._work.done():
            return
        stamp = self._shelf.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._work = asyncio.create_task(self._read(), name="read prices")
        elif self._config.pricing.sync == "daily" and self._is_due(time.time()):
            self._work = asyncio.create_task(self._sync(), name="sync prices")
        else:
            self._say_age()

    def _is_due(self, now: float) -> bool:
        due = self.book.as_of + SYNC_SECONDS if self._next_sync is None else self._next_sync
        return now >= due

    async def _warm(self) -> None:
        try:
            await asyncio.to_thread(self.book.warm)
        except BudgetdError as error:
            log.error("No price is known: %s", error)  # noqa: TRY400

    async def _read(self) -> None:
        try:
            sources = await asyncio.to_thread(self._shelf.sources)
        except BudgetdError as error:
            log.error("The prices in force stay: %s", error)  # noqa: TRY400
            return
        self.book.reload(sources=sources)
        self._say_known()
        log.info("other prices are in force")

    async def _sync(self) -> None:
        now = time.time()
        self._next_sync = now + RETRY_SECONDS
        outcomes = await sync_harmless(self._folder, self._ledger_path, self._config.pricing, now)
        for outcome in outcomes:
            (log.info if outcome.ok else log.warning)("%s", outcome.message)
        if all(outcome.ok for outcome in outcomes):
            self._next_sync = now + SYNC_SECONDS

    def _say_known(self) -> None:
        assert self._desk is not None
        now = time.time()
        self._desk.prices_changed(lambda provider, model: self.book.price(provider, model, now) is not None)

    def _say_age(self) -> None:
        assert self._desk is not None
        days = age_days(self.book.as_of, time.time())
        if days >= self._config.pricing.stale_days:
            self._desk.prices_stale(days)
        else:
            self._desk.prices_fresh()
