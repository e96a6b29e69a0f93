"""What a person does to the budget while it runs: grant, release, approve, refuse, kill, pause, resume.

Synchronous. Each outlives the daemon where it is meant to: it is in the ledger before it takes effect.
"""

from collections.abc import Sequence

from budgetd.accounts import Accounts
from budgetd.budget.decision import Refused
from budgetd.ledger.correcting import set_unknown
from budgetd.ledger.queries import UnknownEnd


class Steering:
    """Steers the accounts of one daemon."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def grant(self, limit: str, subject: str, nusd: int) -> None:
        """Let a counter go so much beyond its cap until its window ends. Raises KeyError if there is no such
        counter, LedgerError if it cannot be recorded.
        """
        accounts = self._accounts
        now = accounts.clock()
        window = accounts.guard.find(limit, subject, now)
        accounts.ledger.write(
            'insert into grants ("limit", subject, window_starts_at, nusd, at) values (?, ?, ?, ?, ?)',
            (limit, subject, window.starts_at, nusd, max(now, window.starts_at)),
        )
        accounts.guard.grant(limit, subject, nusd, now)
        accounts.desk.review(accounts.budget.limits, accounts.guard)
        accounts.changed("limits")
        accounts.retry_held([window])

    def take_back_grant(self, limit: str, subject: str) -> None:
        """Take back what was granted to a counter last. Raises LedgerError if it cannot be recorded."""
        accounts = self._accounts
        accounts.ledger.write(
            'delete from grants where id = (select max(id) from grants where "limit" = ? and subject = ?)',
            (limit, subject),
        )
        accounts.restore_grants()
        accounts.changed("limits")

    def release(self, ends: Sequence[UnknownEnd]) -> None:
        """Take requests of unknown end to have cost no more than they are counted at, whatever limit keeps
        room for them. Raises LedgerError.
        """
        accounts = self._accounts
        accounts.ledger.write_all([set_unknown(end.id, 0) for end in ends])
        for end in ends:
            accounts.guard.adjust(accounts.named(end.subject), 0, end.admitted_at, -end.unknown_nusd)
        accounts.changed("limits")
        accounts.retry_held()

    def approve(self, request_id: int) -> bool:
        """Let a held request through this once, or the repeats of a killed one; False if it is neither."""
        accounts = self._accounts
        if accounts.blocks.lift(request_id):
            accounts.changed("daemon")
            return True
        waiting = accounts.holds.get(request_id)
        if waiting is None or waiting.held.decided.done():
            return False
        approved = frozenset({waiting.refused.window.limit.name})
        while isinstance(decision := accounts.decide(waiting.case, accounts.clock(), approved), Refused):
            approved |= {decision.window.limit.name}
        accounts.go_on(waiting, decision, "allowed")
        accounts.changed("limits")
        return True

    def refuse(self, request_id: int) -> bool:
        """Turn a held request away; False if it is not held."""
        accounts = self._accounts
        waiting = accounts.holds.get(request_id)
        if waiting is None:
            return False
        accounts.turn_held_away(waiting, "refused", "It was held and then refused by its owner.")
        return True

    def kill(self, request_id: int, by: str) -> bool:
        """Cut a running request and refuse its repeats for a while; False if there is none, or it is not on
        its way yet. ``by``: who does it, for a person.
        """
        accounts = self._accounts
        entry = accounts.in_flight.get(request_id)
        if entry is None or entry.ticket.kill is None:
            return False
        accounts.block(entry.ticket, by, accounts.clock())
        entry.ticket.kill()
        return True

    def pause(self, by: str, limit: str | None = None) -> None:
        """Refuse whatever can cost, or what matches a limit, until resumed; outlives the daemon. Raises
        LedgerError.
        """
        accounts = self._accounts
        now = accounts.clock()
        if limit is not None:
            accounts.ledger.write(
                "insert or replace into meta values (?, ?)", (f"paused:{limit}", f"{now} {by}")
            )
            accounts.guard.pause(limit)
            accounts.changed("limits")
        elif accounts.paused_at is None:
            accounts.ledger.write("insert or replace into meta values ('paused', ?)", (f"{now} {by}",))
            accounts.paused_at, accounts.paused_by = now, by
            accounts.changed("daemon")

    def resume(self, limit: str | None = None) -> None:
        """Admit again. Raises LedgerError."""
        accounts = self._accounts
        if limit is not None:
            accounts.ledger.write("delete from meta where key = ?", (f"paused:{limit}",))
            accounts.guard.resume(limit)
            accounts.changed("limits")
            accounts.retry_held()
        elif accounts.paused_at is not None:
            accounts.ledger.write("delete from meta where key = 'paused'")
            accounts.paused_at, accounts.paused_by = None, ""
            accounts.changed("daemon")
            accounts.retry_held()
