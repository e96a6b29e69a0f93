"""Taking back the last thing that a person did to a limit: an edit, a grant, or an undo of one.

What would raise a cap is done only if the call says so.
"""

import json
from collections.abc import Callable

from budgetd.accounts import Accounts
from budgetd.budget.counters import Window
from budgetd.budget_file import Budget, BudgetFile
from budgetd.control.audit import GRANTS, Audit
from budgetd.control.errors import CommandError
from budgetd.control.limit_commands import described, find_limit, quoted
from budgetd.control.needs import Peer
from budgetd.ledger import queries
from budgetd.steering import Steering
from budgetwire.messages import Change, UndoLimit, UndoLimitReply
from budgetwire.money import NUSD_PER_CENT, cents_to_nusd


class UndoCommands:
    """Takes back what is on record in the audit."""

    def __init__(
        self,
        accounts: Accounts,
        steering: Steering,
        audit: Audit,
        budget_file: BudgetFile,
        in_force: Callable[[Budget], None],
    ) -> None:
        """``in_force`` puts the limits of an edited file in force."""
        self._accounts = accounts
        self._steering = steering
        self._audit = audit
        self._budget_file = budget_file
        self._in_force = in_force

    def undo(self, call: UndoLimit, peer: Peer) -> UndoLimitReply:
        """Take back the last change of a limit, or of any; an undo included. Raises CommandError, and then
        nothing has changed.
        """
        change = self._audit.last_of_limits(call.limit)
        if change is None:
            of = "" if call.limit is None else f" of {quoted(call.limit)}"
            raise CommandError("not_found", f"No change{of} is on record that could be taken back.", "limit")
        if change.action not in GRANTS:
            return self._undo_edit(change, call, peer)
        counter = self._counter(change.subject)
        if counter is None or not self._holds(change, counter):
            raise _ended(change)
        if change.action == "grant":
            return self._take_back_grant(change, counter, peer)
        return self._grant_again(change, counter, call, peer)

    def _undo_edit(self, change: Change, call: UndoLimit, peer: Peer) -> UndoLimitReply:
        """Not where the cap has been changed by hand since."""
        name = change.subject
        limit = find_limit(self._accounts, name)
        now, left, back = (
            (None if limit is None else limit.limit_nusd),
            _cap(change.after),
            _cap(change.before),
        )
        if now != left:
            message = (
                f"{name} was changed by hand since: its last edit here left {_told(left)}, now there is"
                f" {_told(now)}. Set the cap you want instead."
            )
            raise CommandError("conflict", message, "limit")
        if now is not None and (back is None or back > now):
            _check_raise(
                call,
                f"remove the limit {name}, whose cap is {_usd(now)}"
                if back is None
                else f"raise the cap of {name} from {_usd(now)} to {_usd(back)}",
            )
        before = "" if limit is None else described(self._budget_file, limit, removed=back is None)
        with self._audit.change(peer, "undo_limit", name, before, change.before):
            self._in_force(self._put_back(name, change.before))
        return UndoLimitReply(
            limit=name,
            action=change.action,
            before_nusd=now,
            after_nusd=back,
            message=_edited(name, now, back),
        )

    def _put_back(self, name: str, described: str) -> Budget:
        if described.startswith("{"):
            return self._budget_file.add_limit(json.loads(described))
        cap = _cap(described)
        return self._budget_file.set_limit(name, None if cap is None else cap // NUSD_PER_CENT)

    def _take_back_grant(self, change: Change, counter: Window, peer: Peer) -> UndoLimitReply:
        granted, cap, nusd = counter.granted_nusd, counter.cap_nusd, _granted(change)
        with self._audit.change(peer, "undo_grant", change.subject, str(granted), str(granted - nusd)):
            self._steering.take_back_grant(counter.limit.name, counter.subject)
        message = (
            f"The grant of {_usd(nusd)} to {change.subject} is taken back: it may spend"
            f" {_usd(cap - nusd)} in this window; it was {_usd(cap)}."
        )
        return _of_grant(change, counter, granted, granted - nusd, message)

    def _grant_again(self, change: Change, counter: Window, call: UndoLimit, peer: Peer) -> UndoLimitReply:
        granted, cap, nusd = counter.granted_nusd, counter.cap_nusd, _granted(change)
        spends = f"{_usd(cap + nusd)} in this window"
        _check_raise(call, f"grant {_usd(nusd)} to {change.subject} again, which then may spend {spends}")
        with self._audit.change(peer, "grant", change.subject, str(granted), str(granted + nusd)):
            self._steering.grant(counter.limit.name, counter.subject, nusd)
        message = f"{change.subject} is granted {_usd(nusd)} again: it may spend {spends}."
        return _of_grant(change, counter, granted, granted + nusd, message)

    def _counter(self, whose: str) -> Window | None:
        """The counter that the audit calls ``limit`` or ``limit / subject``; None if it is gone."""
        now = self._accounts.clock()
        for limit in self._accounts.budget.limits:
            subject = whose.removeprefix(f"{limit.name} / ") if limit.per else ""
            if whose == (f"{limit.name} / {subject}" if subject else limit.name):
                try:
                    return self._accounts.guard.find(limit.name, subject, now)
                except KeyError:
                    return None
        return None

    def _holds(self, change: Change, counter: Window) -> bool:
        """Whether what was granted, or taken back of it, would count in the counter's present window."""
        if change.action == "undo_grant":
            return change.at >= counter.starts_at
        newest = queries.newest_grant(self._accounts.ledger.db, counter.limit.name, counter.subject)
        return newest is not None and newest.at >= counter.starts_at and newest.nusd == _granted(change)


def _check_raise(call: UndoLimit, what: str) -> None:
    """Refuse what raises a cap unless the call says that it may."""
    if not call.allow_raise:
        raise CommandError("conflict", f"That would {what}.", "allow_raise")


def _ended(change: Change) -> CommandError:
    nusd = _usd(_granted(change))
    what = f"grant {nusd} to {change.subject}"
    if change.action == "undo_grant":
        what = f"take back a grant of {nusd} to {change.subject}"
    message = f"The last thing done was to {what}, and that has ended: nothing is left to take back."
    return CommandError("not_found", message, "limit")


def _of_grant(
    change: Change, counter: Window, before_nusd: int, after_nusd: int, message: str
) -> UndoLimitReply:
    return UndoLimitReply(
        limit=counter.limit.name,
        subject=counter.subject,
        action=change.action,
        before_nusd=before_nusd,
        after_nusd=after_nusd,
        message=message,
    )


def _edited(name: str, before_nusd: int | None, after_nusd: int | None) -> str:
    if after_nusd is None:
        return f"{name} is no limit any more; its cap was {_usd(before_nusd or 0)}."
    if before_nusd is None:
        return f"{name} is a limit again, with a cap of {_usd(after_nusd)}."
    return f"The cap of {name} is {_usd(after_nusd)} again; it was {_usd(before_nusd)}."


def _granted(change: Change) -> int:
    """What a grant was, or what was taken back."""
    return abs(int(change.after) - int(change.before))


def _cap(described: str) -> int | None:
    """The cap, in nanodollars, of what the audit keeps of a limit; None where there was none."""
    if described.startswith("{"):
        return cents_to_nusd(json.loads(described)["limit_cents"])
    return int(described) if described else None


def _told(cap_nusd: int | None) -> str:
    return "no such limit" if cap_nusd is None else f"a cap of {_usd(cap_nusd)}"


def _usd(nusd: int) -> str:
    """A cap or a grant to the cent, of which both are whole: a change of a few must show."""
    cents = nusd // NUSD_PER_CENT
    return f"${cents // 100:,}.{cents % 100:02}"
