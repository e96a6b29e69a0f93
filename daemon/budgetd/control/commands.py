"""The calls that change something, or ask for rows. Each change leaves its mark in the audit.

The steering of limits is in `limit_commands`.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec

from budgetd.accounts import Accounts
from budgetd.alerts.outbox import Outbox
from budgetd.budget_file import Budget, BudgetFile, EditRefusedError
from budgetd.control.alert_commands import AlertCommands
from budgetd.control.audit import Audit
from budgetd.control.errors import CommandError
from budgetd.control.limit_commands import LimitCommands
from budgetd.control.needs import Peer
from budgetd.control.undo import UndoCommands
from budgetd.corrections import Corrections
from budgetd.errors import LedgerError
from budgetd.ledger import reports
from budgetd.ledger.problems import describe
from budgetd.receipts import Receipts
from budgetd.steering import Steering
from budgetwire.messages import (
    Acknowledge,
    ApplyCorrections,
    Approve,
    Call,
    Cost,
    ForgetLimits,
    Grant,
    Kill,
    Pause,
    QueryAlerts,
    QueryAudit,
    QueryChannels,
    QueryCost,
    QueryDeliveries,
    QueryEstimates,
    QueryRequests,
    Redeliver,
    Refuse,
    Release,
    ReportDrift,
    Resume,
    SendTest,
    SetLimit,
    Snooze,
    State,
    UndoCorrections,
    UndoLimit,
)

T = TypeVar("T")


class Commands:
    """Does what a client calls for."""

    def __init__(
        self,
        accounts: Accounts,
        steering: Steering,
        outbox: Outbox,
        budget_file: BudgetFile,
        in_force: Callable[[Budget], None],
    ) -> None:
        """``in_force`` puts the limits of an edited file in force."""
        self._accounts = accounts
        self._steering = steering
        self._audit = Audit(accounts.ledger, accounts.clock)
        self._receipts = Receipts(accounts)
        self._alerts = AlertCommands(accounts, outbox, self._audit)
        self._corrections = Corrections(accounts)
        self._limits = LimitCommands(accounts, steering, self._audit, budget_file, in_force)
        self._undo = UndoCommands(accounts, steering, self._audit, budget_file, in_force)

    async def handle(self, call: Call, peer: Peer) -> dict[str, Any]:
        """Do one call. Raises CommandError, and then nothing was half applied."""
        try:
            match call:
                case QueryRequests() | QueryAudit() | QueryEstimates():
                    return msgspec.to_builtins(await self._query(call))
                case QueryCost():
                    return msgspec.to_builtins(self._cost(call))
                case (
                    Acknowledge()
                    | Snooze()
                    | QueryAlerts()
                    | QueryDeliveries()
                    | QueryChannels()
                    | SendTest()
                    | Redeliver()
                ):
                    return msgspec.to_builtins(await self._alerts.handle(call, peer))
                case ApplyCorrections():
                    return msgspec.to_builtins(self._corrections.apply(call, peer))
                case UndoCorrections():
                    return msgspec.to_builtins(self._corrections.undo(call, peer))
                case UndoLimit():
                    return msgspec.to_builtins(self._undo.undo(call, peer))
                case Release():
                    return msgspec.to_builtins(self._limits.release(call, peer))
                case ReportDrift():
                    self._accounts.desk.drift(call)
                    return {}
                case _:
                    self._steer(call, peer)
                    return {}
        except EditRefusedError as error:
            raise CommandError(error.code, str(error), error.field) from None
        except LedgerError as error:
            raise CommandError("failed", str(error)) from None
        except sqlite3.Error as error:
            why = describe(error, self._accounts.ledger.path)
            raise CommandError("failed", f"The ledger cannot be read: {why}.") from None

    def _steer(self, call: Call, peer: Peer) -> None:
        match call:
            case SetLimit():
                self._limits.set(call, peer)
            case ForgetLimits():
                self._limits.forget(peer)
            case Grant():
                self._limits.grant(call, peer)
            case Pause():
                self._limits.pause(call, peer)
            case Resume():
                self._limits.resume(call, peer)
            case Approve() | Refuse() | Kill():
                self._decide(call, peer)
            case _:
                raise CommandError("invalid", f"{type(call).__name__} is not a call this daemon knows.")

    def _decide(self, call: Approve | Refuse | Kill, peer: Peer) -> None:
        """Settle the fate of one request. It may have ended since the client looked."""
        steering, id = self._steering, call.request_id
        match call:
            case Approve():
                killed = self._accounts.blocks.get(id) is not None
                before, after = ("killed", "may go on") if killed else ("held", "let through")
                action, do = "approve", steering.approve
            case Refuse():
                action, do, before, after = "refuse", steering.refuse, "held", "refused"
            case Kill():
                by = f"{peer.user} ({peer.name})"
                action, do, before, after = "kill", partial(steering.kill, by=by), "running", "killed"
        if action == "approve" and self._accounts.paused_at is not None:
            raise CommandError("conflict", "Spending is paused: resume first, then approve.")
        with self._audit.change(peer, action, f"request {id}", before, after):
            if not do(id):
                raise CommandError("not_found", f"Request {id} is not {before} any more.", "request_id")

    def _cost(self, call: QueryCost) -> Cost:
        cost = self._receipts.find(call.request)
        if cost is None:
            raise CommandError(
                "not_found", f"No request of the id {call.request[:80]!r} is on record.", "request"
            )
        return cost

    async def _query(self, call: QueryRequests | QueryAudit | QueryEstimates) -> State:
        """Ask the ledger without keeping the proxy waiting."""
        self._accounts.ledger.flush()
        match call:
            case QueryRequests():
                _check_count(call.count)
                if call.before_id is not None and not 0 <= call.before_id < 2**63:
                    raise CommandError("invalid", "before_id is the id of a request.", "before_id")
                return await self._read(lambda db: reports.query_requests(db, call))
            case QueryAudit():
                _check_count(call.count)
                return await self._read(lambda db: reports.query_audit(db, call.count))
            case QueryEstimates():
                return await self._read(lambda db: reports.query_estimates(db, call.since))

    async def _read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        def read() -> T:
            with reports.reading(self._accounts.ledger.path) as db:
                return ask(db)

        return await asyncio.to_thread(read)


def _check_count(count: int) -> None:
    """Refuse what the ledger could not be asked for."""
    if not 1 <= count <= reports.MOST_ROWS:
        raise CommandError("invalid", f"count is from 1 to {reports.MOST_ROWS:,}.", "count")
