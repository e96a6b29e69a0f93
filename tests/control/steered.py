"""What commands steer, without a proxy: accounts that note what is asked, a file in memory, a real ledger."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from budgetd.alerts.desk import Desk
from budgetd.alerts.outbox import Outbox
from budgetd.blocks import Blocks
from budgetd.budget.limits import Limit, Subject
from budgetd.budget_file import Budget, EditRefusedError
from budgetd.control.commands import Commands
from budgetd.control.needs import Peer
from budgetd.ledger.queries import UnknownEnd
from budgetd.ledger.rows import AlertRow
from budgetd.ledger.writer import Ledger
from budgetd.pricing.learning import Learner
from budgetwire.messages import Call
from budgetwire.money import NUSD_PER_CENT
from ledger.rows import fire

NOW = 1_795_446_240.0
ADA = Peer(pid=1, uid=1000, name="budgettop")

SHORT = {"daily": "day", "monthly": "month"}


class MemoryFile:
    """A budget file: the caps of the short form, and the entries of the long one."""

    def __init__(self) -> None:
        self.caps: dict[str, int] = {"daily": 1000}
        self.tables: list[dict[str, Any]] = [
            {
                "name": "opus",
                "window": "7d",
                "limit_cents": 500,
                "match": {"model": "*opus*"},
                "per": "project",
            }
        ]
        self.refusal: EditRefusedError | None = None

    def budget(self) -> Budget:
        short = [Limit(name, SHORT[name], cents * NUSD_PER_CENT) for name, cents in self.caps.items()]
        long = [
            Limit(
                table["name"],
                table["window"],
                table["limit_cents"] * NUSD_PER_CENT,
                per="project",
                guarantee="strict",
            )
            for table in self.tables
        ]
        return Budget(limits=(*short, *long))

    def table(self, name: str) -> dict[str, Any] | None:
        return next((table for table in self.tables if table["name"] == name), None)

    def set_limit(self, name: str, limit_cents: int | None) -> Budget:
        if self.refusal:
            raise self.refusal
        table = self.table(name)
        if table is not None:
            self.tables.remove(table)
            if limit_cents is not None:
                self.tables.append(table | {"limit_cents": limit_cents})
        elif name not in SHORT:
            raise EditRefusedError("not_found", f"There is no limit {name!r}.", "limit")
        elif limit_cents is None:
            self.caps.pop(name, None)
        else:
            self.caps[name] = limit_cents
        return self.budget()

    def forget(self) -> Budget:
        self.caps.clear()
        self.tables.clear()
        return self.budget()

    def add_limit(self, table: dict[str, Any]) -> Budget:
        self.tables.append(table)
        return self.budget()


class NotedAccounts:
    """Accounts that hold request 12, run request 11, and have a counter for acme of opus."""

    def __init__(self, path: Path, budget: Budget) -> None:
        self.ledger = Ledger(path)
        self.budget = budget
        self.desk = Desk(self.ledger, self.clock, self.changed, ZoneInfo("UTC"))
        self.learner = Learner()
        self.paused_at: float | None = None
        self.counters = {("daily", ""): 0, ("opus", "acme"): 0}
        self.guard = SimpleNamespace(find=self.find, paused=set())
        self.ends: dict[tuple[str, str], list[UnknownEnd]] = {("opus", "acme"): []}
        self.held, self.running = {12}, {11}
        self.blocks = Blocks()
        self.calls: list[tuple] = []

    def clock(self) -> float:
        return NOW

    def changed(self, *parts: str) -> None:
        pass

    def configure(self, budget: Budget) -> None:
        self.budget = budget

    def adjust(self, subject: Subject, nusd: int, at: float, unknown_nusd: int = 0) -> None:
        self.calls.append(("adjust", subject.model, nusd))

    def unknown_ends(self, limit: str, counter: str) -> list[UnknownEnd]:
        return self.ends[limit, counter]

    def release(self, ends: list[UnknownEnd]) -> None:
        self.calls.append(("release", [end.id for end in ends]))

    def find(self, limit: str, subject: str, now: float) -> SimpleNamespace:
        granted, of = self.counters[limit, subject], next(x for x in self.budget.limits if x.name == limit)
        return SimpleNamespace(
            limit=of, subject=subject, granted_nusd=granted, cap_nusd=of.limit_nusd + granted, starts_at=0.0
        )

    def grant(self, limit: str, subject: str, nusd: int) -> None:
        self.counters[limit, subject] += nusd
        self.ledger.write(
            'insert into grants ("limit", subject, window_starts_at, nusd, at) values (?, ?, 0, ?, ?)',
            (limit, subject, nusd, NOW),
        )

    def take_back_grant(self, limit: str, subject: str) -> None:
        self.counters[limit, subject] = 0

    def pause(self, by: str, limit: str | None = None) -> None:
        self.calls.append(("pause", by, limit))
        if limit is None:
            self.paused_at = NOW
        else:
            self.guard.paused.add(limit)

    def resume(self, limit: str | None = None) -> None:
        self.calls.append(("resume", limit))
        if limit is None:
            self.paused_at = None
        else:
            self.guard.paused.discard(limit)

    def approve(self, request_id: int) -> bool:
        return self._end(self.held, "approve", request_id)

    def refuse(self, request_id: int) -> bool:
        return self._end(self.held, "refuse", request_id)

    def kill(self, request_id: int, by: str) -> bool:
        return self._end(self.running, "kill", request_id)

    def _end(self, among: set[int], action: str, request_id: int) -> bool:
        if request_id not in among:
            return False
        among.remove(request_id)
        self.calls.append((action, request_id))
        return True


class Steered:
    """Commands over them, which can be stopped and started again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = MemoryFile()
        self.start()

    def start(self) -> None:
        self.accounts = NotedAccounts(self.path, self.file.budget())
        self.outbox = Outbox(
            self.accounts.ledger,
            self.accounts.clock,
            failed=self.accounts.desk.delivery_failed,
            delivered=self.accounts.desk.delivery_works,
            changed=self.accounts.changed,
        )
        self.commands = Commands(
            self.accounts, self.accounts, self.outbox, self.file, self.accounts.configure
        )

    async def restart(self) -> None:
        await self.accounts.ledger.close()
        self.start()

    async def call(self, call: Call, peer: Peer = ADA) -> dict[str, Any]:
        return await self.commands.handle(call, peer)

    @property
    def cap(self) -> int | None:
        """Of the daily limit that is in force, in cents."""
        caps = [limit.limit_nusd for limit in self.accounts.budget.limits if limit.name == "daily"]
        return caps[0] // NUSD_PER_CENT if caps else None

    def fire(self, *ids: int) -> None:
        alerts = tuple(
            AlertRow(
                id=id, rule="threshold", severity="warning", limit="daily", window_starts_at=NOW,
                threshold_pct=id, message="", fired_at=NOW,
            )
            for id in ids
        )  # fmt: skip
        self.accounts.desk.board.post(alerts)
        fire(self.accounts.ledger, *alerts)

    def audit(self) -> list[tuple[str, str, str, str]]:
        """What was done to whom, from what to what; oldest first."""
        rows = self.accounts.ledger.db.execute("select action, subject, before, after from audit order by id")
        return [tuple(row) for row in rows]
