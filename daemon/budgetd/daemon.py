"""Where everything is wired together, started and stopped. The only place that knows everyone."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import version
from zoneinfo import ZoneInfo

from budgetd import tls
from budgetd.accounts import Accounts
from budgetd.alerts.channels import desktop
from budgetd.alerts.channels.make import MAKE
from budgetd.alerts.channels.screen import Screen, has_desktop
from budgetd.alerts.lifecycle import state_of
from budgetd.alerts.outbox import Outbox
from budgetd.alerts.rules.running import REMOVE_ON_PURPOSE
from budgetd.budget_file import Budget, BudgetFile
from budgetd.config import Config, load_config
from budgetd.control.commands import Commands
from budgetd.control.needs import Part
from budgetd.control.presses import Presses
from budgetd.control.server import ControlServer
from budgetd.control.views import DaemonViews
from budgetd.errors import BudgetdError, ConfigError
from budgetd.file_watch import FileWatch
from budgetd.ledger import queries
from budgetd.ledger.lock import LedgerLock, lock
from budgetd.ledger.problems import reading_errors
from budgetd.ledger.writer import Ledger
from budgetd.ledger_watch import LedgerWatch
from budgetd.metering.text import count_here, count_with
from budgetd.price_keeper import PriceKeeper
from budgetd.proxy.forward import Forwarder
from budgetd.proxy.listener import Listener
from budgetd.proxy.pool import Pool
from budgetd.receipts import Receipts
from budgetd.steering import Steering
from budgetd.token_counter import TokenCounter
from budgetwire.messages import VERSION, Welcome
from budgetwire.places import Places

log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
"""How often the running costs of what streams are shown anew."""

PUSH_SECONDS = 0.02
"""How long a change waits for company before it is shown."""

BUDGET_TEXT = "budget_text"
"""Under this key the ledger remembers the limits in force."""

REMEMBER = "insert or replace into meta values (?, ?)"

SLOW_PARTS: frozenset[Part] = frozenset(("burn", "spending"))
"""Parts that ask the ledger; shown anew once a second at most."""


class Daemon:
    """One running budgetd."""

    def __init__(self, places: Places) -> None:
        """Nothing is opened until `start`."""
        self._places = places
        self._started_at = time.time()
        self._budget_file = BudgetFile(places.budget)
        self._lock: LedgerLock | None = None
        self._ledger: Ledger | None = None
        self._listener: Listener | None = None
        self._control: ControlServer | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._tokens = TokenCounter()
        self._stopped = self._cutting = False
        self._stale: set[Part] = set()
        self._pushing: asyncio.TimerHandle | None = None
        self._rejected = ""
        """Why the files as they are now are not in force; empty when they are."""

    async def start(self) -> None:
        """Come up whole or not at all. Raises ConfigError, LedgerError or StartError with what stands in the
        way.
        """
        self._files = FileWatch(self._places.config, *self._budget_file.candidates)
        self._started_with = config = load_config(self._places.config)
        ledger_path = config.ledger_path or self._places.ledger
        self._lock = lock(ledger_path)
        self._ledger = Ledger(ledger_path, config.durability, self._lock)
        self._prices = PriceKeeper(self._places.prices, ledger_path, config)
        with reading_errors(ledger_path):
            before, budget = self._first_budget(self._ledger, config)
            is_new = queries.first_admitted_at(self._ledger.db) is None
            self._accounts = Accounts(
                self._ledger,
                self._prices.book,
                ZoneInfo(config.timezone),
                changed=self._changed,
                alerts=config.alerts,
            )
            self._accounts.unknown_model = config.pricing.unknown_model
            desk = self._accounts.desk
            self._ledger_watch = LedgerWatch(self._ledger, desk, self._changed)
            self._ledger_watch.begin()
            self._views = DaemonViews(self._accounts)
            self._forwarder = Forwarder(config, self._accounts, Pool())
            desk.limits_removed(before, budget)
            self._in_force(budget)
        desk.upstreams.keep(config.upstreams)
        if not is_new:
            desk.restarted(version("budgettop"))
        self._screen = Screen()
        self._outbox = Outbox(
            self._ledger,
            time.time,
            failed=desk.delivery_failed,
            delivered=desk.delivery_works,
            changed=lambda: self._changed("alerts"),
            make={**MAKE, "desktop": desktop.maker(self._screen, lambda press: self._presses.press(press))},
            has_desktop=has_desktop,
        )
        self._outbox.configure(config.alerts, budget.alert_webhook)
        desk.tell(self._outbox)
        count_with(self._tokens.count)
        for problem in tls.problems():
            log.warning("%s", problem)
        self._listener = Listener(self._forwarder, Receipts(self._accounts).find_json)
        await self._listener.start(config.host, config.port)
        self._views.listen = self._listener.address
        commands = Commands(
            self._accounts, Steering(self._accounts), self._outbox, self._budget_file, self._edited
        )
        self._presses = Presses(self._accounts, commands.handle)
        welcome = self._welcome(self._listener.address)
        self._control = ControlServer(self._places.socket, welcome, self._views, commands.handle)
        await self._control.start()
        self._outbox.start()
        self._ledger.start_checkpoints()
        self._prices.start(desk)
        self._ticking = asyncio.create_task(self._tick_for_ever(), name="tick")
        log.info("budgetd %s listens on http://%s", version("budgettop"), self._listener.address)

    async def stop(self) -> None:
        """Refuse new requests, let those in flight end for `drain_seconds` or until `cut`, settle, and close
        everything that was started, also where `start` came to nothing half way. An error in one step does
        not keep the others from being done; the first is raised at the end. Once; later calls do nothing.
        """
        if self._stopped:
            return
        self._stopped = True
        first: Exception | None = None
        for step in self._closing_steps():
            try:
                done = step()
                if done is not None:
                    await done
            except BudgetdError as error:
                log.error("stopping: %s", error)  # noqa: TRY400
                first = first or error
            except Exception as error:
                log.exception("stopping: something could not be closed; the rest is")
                first = first or error
        if first is not None:
            raise first
        if self._ticking is not None:
            log.info("budgetd stopped")

    def cut(self) -> None:
        """Cut requests that still run, now or once the daemon is told to stop."""
        if self._listener is not None and not self._cutting:
            self._cutting = True
            if running := len(self._accounts.in_flight):
                log.info("cutting %s", _count(running))
            self._forwarder.cut()

    def _closing_steps(self) -> Iterator[Callable[[], Awaitable[None] | None]]:
        """What has to be closed, in this order."""
        if self._listener is not None:
            yield self._accounts.stop
            yield self._end_requests
        if self._ticking is not None:
            yield self._stop_ticking
        if self._control is not None:
            yield self._control.stop
            yield self._outbox.stop
            yield self._screen.close
            yield self._prices.stop
        if self._ledger is not None:
            yield self._ledger.close
        yield self._stop_counting_tokens
        if self._lock is not None:
            yield self._lock.release

    def _stop_counting_tokens(self) -> None:
        count_with(count_here)
        self._tokens.close()

    async def _end_requests(self) -> None:
        """Wait for those that run. Clients of the control socket see it until then."""
        assert self._listener is not None
        seconds = self._forwarder.config.drain_seconds
        self._views.stopping_until = time.time() + seconds
        self._changed("daemon")
        if running := len(self._accounts.in_flight):
            log.info(
                "stopping: waiting up to %d s for %s; Ctrl-C again or `budgetd stop --now` cuts %s",
                seconds,
                _count(running),
                "it" if running == 1 else "them",
            )
        await self._listener.stop(seconds)

    def _stop_ticking(self) -> None:
        assert self._ticking is not None
        self._ticking.cancel()

    def _welcome(self, listen: str) -> Welcome:
        return Welcome(
            version=VERSION,
            daemon=version("budgettop"),
            pid=os.getpid(),
            started_at=self._started_at,
            listen=listen,
        )

    def _changed(self, *parts: Part) -> None:
        """Note what changed; many changes are passed on together. Called several times a request."""
        self._stale.update(parts)
        if self._pushing is None:
            self._pushing = asyncio.get_running_loop().call_later(PUSH_SECONDS, self._push)

    def _push(self) -> None:
        """Tell those who watch; what is costly to show waits for the next second."""
        self._pushing = None
        if self._control is not None:
            self._control.changed(*self._stale.difference(SLOW_PARTS))
            self._stale &= SLOW_PARTS

    def _in_force(self, budget: Budget) -> None:
        """Put limits in force that were just read or written, and remember them in the same transaction."""
        if not self._budget_file.lost:
            self._accounts.ledger.add(REMEMBER, (BUDGET_TEXT, self._budget_file.to_remember()))
        self._accounts.configure(budget)
        self._tell_config()

    def _tell_config(self) -> None:
        """Say whether the files are in force."""
        lost = self._budget_file.lost
        if lost and not self._rejected:
            log.error("%s", lost)
            self._accounts.desk.limits_kept(lost)
        elif not self._rejected:
            self._accounts.desk.config_accepted()
        kept = f"{lost} {REMOVE_ON_PURPOSE}" if lost else ""
        error = self._rejected or kept or self._needs_restart(self._forwarder.config)
        if self._views.config_error != error:
            self._views.config_error = error
            self._changed("daemon")

    def _edited(self, budget: Budget) -> None:
        """Put the limits of a file that was just written from here in force, without reading it once more."""
        self._in_force(budget)
        if self._budget_file.is_unchanged() and not self._rejected:
            self._files.written(*self._budget_file.candidates)

    async def _tick_for_ever(self) -> None:
        """What goes wrong in one tick must not end them: without them no window ends and nothing is shown."""
        turn = 0
        stumble = ""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            turn += 1
            try:
                self._tick(turn)
            except Exception as error:
                if repr(error) != stumble:  # once, and not every second
                    log.exception("budgetd stumbled, and goes on")
                stumble = repr(error)

    def _tick(self, turn: int) -> None:
        self._accounts.tick()
        if self._accounts.in_flight or self._accounts.holds:
            self._changed("in_flight")
        self._ledger_watch.look()
        if turn % 2 == 0:
            self._look_at_files()
        if turn % 4 == 0:
            self._every_second()
        if turn % 40 == 0:
            self._forwarder.check_silence()

    def _every_second(self) -> None:
        accounts = self._accounts
        accounts.desk.tick(accounts.budget.limits, accounts.guard, accounts.burn)
        self._screen.keep(
            {alert.id for alert in accounts.desk.board.kept() if state_of(alert, time.time()) == "firing"}
        )
        self._outbox.look_for_desktop()
        self._prices.look()
        if self._stale and self._control is not None:
            self._control.changed(*self._stale)
            self._stale.clear()

    def _look_at_files(self) -> None:
        if self._files.look():
            self._reload()

    def _reload(self) -> None:
        """Put changed files in force; a bad one leaves the last good one as it is."""
        before = self._budget_file.in_force
        try:
            config = load_config(self._places.config)
            if config.is_blank and not self._forwarder.config.is_blank:
                raise ConfigError(f"{self._places.config} is gone or empty.")
            budget = self._load_budget(config, self._files.are_still)
        except ConfigError as error:
            log.error("%s The configuration before stays in force.", error)  # noqa: TRY400
            self._rejected = str(error)
            self._accounts.desk.config_rejected(str(error))
            self._tell_config()
            self._files.accept()
            return
        self._rejected = ""
        self._forwarder.config = config
        self._prices.configure(config)
        self._accounts.unknown_model = config.pricing.unknown_model
        self._accounts.desk.configure(config.alerts)
        self._accounts.desk.upstreams.keep(config.upstreams)
        self._outbox.configure(config.alerts, budget.alert_webhook)
        self._accounts.desk.limits_removed(before, budget)
        self._in_force(budget)
        self._files.accept()
        if not self._budget_file.lost:
            log.info("configuration reloaded")

    def _first_budget(self, ledger: Ledger, config: Config) -> tuple[Budget, Budget]:
        """The limits an earlier daemon had in force, and those to be in force now. Raises ConfigError."""
        text = queries.get_meta(ledger.db, BUDGET_TEXT)
        try:
            if text:
                self._budget_file.resume(text)
        except ConfigError as error:  # of another version; it is of no matter where the file has limits
            budget = self._load_budget(config)
            if not budget.limits and budget.enabled:
                raise ConfigError(
                    f"{self._places.budget} has no limits, and those that were in force cannot be read any"
                    " more. Write limits into it, or enabled = false in [budget]."
                    f" What the ledger remembers of it: {error}"
                ) from None
            return Budget(), budget
        return self._budget_file.in_force, self._load_budget(config)

    def _load_budget(self, config: Config, is_whole: Callable[[], bool] = lambda: True) -> Budget:
        self._budget_file.upstreams = config.upstreams
        budget = self._budget_file.load(is_whole)
        for warning in budget.warnings:
            log.warning("%s", warning)
        return budget

    def _needs_restart(self, config: Config) -> str:
        """What a running daemon cannot change about itself."""
        before = _fixed(self._started_with)
        changed = [f"`{key}`" for key, value in _fixed(config).items() if value != before[key]]
        if not changed:
            return ""
        what = " and ".join(changed) + (" takes effect" if len(changed) == 1 else " take effect")
        return f"{self._places.config}: {what} when budgetd is started again."


def _count(running: int) -> str:
    return "1 request" if running == 1 else f"{running} requests"


def _fixed(config: Config) -> dict[str, object]:
    """What a daemon that runs cannot change, by its key in the file."""
    return {
        "timezone": config.timezone,
        "proxy.listen": (config.host, config.port),
        "ledger.path": config.ledger_path,
        "ledger.durability": config.durability,
    }
