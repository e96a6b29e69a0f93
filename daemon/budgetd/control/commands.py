"""The calls that change something, or ask for rows. Each leaves its mark in the audit, with who and when."""

from collections.abc import Callable
from typing import Any

import msgspec

from budgetd.accounts import Accounts
from budgetd.budget_file import Budget, BudgetFile, EditRefusedError
from budgetd.control.errors import CommandError
from budgetd.control.needs import Peer
from budgetd.errors import LedgerError
from budgetd.ledger import queries
from budgetwire.messages import (
    Acknowledge,
    AcknowledgeReply,
    Call,
    Pause,
    QueryRequests,
    Resume,
    SetLimit,
)


class Commands:
    """Does what a client calls for."""

    def __init__(
        self, accounts: Accounts, budget_file: BudgetFile, in_force: Callable[[Budget], None]
    ) -> None:
        """``in_force`` puts the limits of an edited file in force."""
        self._accounts = accounts
        self._budget_file = budget_file
        self._in_force = in_force

    async def handle(self, call: Call, peer: Peer) -> dict[str, Any]:
        """Do one call. Raises CommandError, and then nothing was half applied."""
        try:
            return self._do(call, peer)
        except EditRefusedError as error:
            raise CommandError(error.code, str(error), error.field) from None
        except LedgerError as error:
            raise CommandError("failed", str(error)) from None

    def _do(self, call: Call, peer: Peer) -> dict[str, Any]:
        accounts = self._accounts
        match call:
            case SetLimit():
                self._set_limit(call, peer)
            case Acknowledge():
                count = accounts.board.acknowledge(call.alert_ids, peer.name, accounts.clock())
                if count:
                    accounts.changed("alerts")
                    self._audit(peer, "acknowledge", ", ".join(map(str, call.alert_ids or ["all"])))
                return msgspec.to_builtins(AcknowledgeReply(acknowledged=count))
            case Pause():
                accounts.pause(peer.name)
                self._audit(peer, "pause", "all")
            case Resume():
                accounts.resume()
                self._audit(peer, "resume", "all")
            case QueryRequests():
                _check(call)
                accounts.ledger.flush()
                return msgspec.to_builtins(queries.query_requests(accounts.ledger.db, call))
            case _:
                raise CommandError("invalid", f"{type(call).__name__} is not a call this daemon knows.")
        return {}

    def _set_limit(self, call: SetLimit, peer: Peer) -> None:
        before = {window.limit.name: window.limit.limit_nusd for window in self._accounts.guard.windows}
        budget = self._budget_file.set_limit(call.limit, call.limit_cents)
        self._in_force(budget)
        after = {limit.name: limit.limit_nusd for limit in budget.limits}
        self._audit(peer, "set_limit", call.limit, before.get(call.limit), after.get(call.limit))

    def _audit(
        self, peer: Peer, action: str, subject: str, before: int | None = None, after: int | None = None
    ) -> None:
        told = ["" if value is None else str(value) for value in (before, after)]
        self._accounts.ledger.write(
            "insert into audit (at, uid, name, action, subject, before, after) values (?, ?, ?, ?, ?, ?, ?)",
            (self._accounts.clock(), peer.uid, peer.name, action, subject, *told),
        )


def _check(query: QueryRequests) -> None:
    """Refuse what the ledger could not be asked for."""
    if not 1 <= query.count <= queries.MOST_ROWS:
        raise CommandError("invalid", f"count is from 1 to {queries.MOST_ROWS:,}.", "count")
    if query.before_id is not None and not 0 <= query.before_id < 2**63:
        raise CommandError("invalid", "before_id is the id of a request.", "before_id")
