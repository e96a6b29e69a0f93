"""Steering limits: set a cap, take that back, grant on top of it, pause what matches, resume it."""

import json
from collections.abc import Callable

from budgetd.accounts import Accounts
from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget, BudgetFile
from budgetd.control.audit import Audit
from budgetd.control.errors import CommandError
from budgetd.control.needs import Peer
from budgetd.steering import Steering
from budgetwire.messages import Grant, Pause, Resume, SetLimit, UndoLimit
from budgetwire.money import NUSD_PER_CENT, cents_to_nusd, format_usd

MOST_CENTS = 10**11
"""A billion dollars."""


class LimitCommands:
    """What a client may do to a limit."""

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

    def set(self, call: SetLimit, peer: Peer) -> None:
        """Set or remove a cap."""
        name, cents = call.limit, call.limit_cents
        limit = self._find(name)
        before = "" if limit is None else self._described(limit, removed=cents is None)
        after = "" if cents is None else str(cents_to_nusd(cents))
        with self._audit.change(peer, "set_limit", name, before, after):
            self._in_force(self._budget_file.set_limit(name, cents))

    def undo(self, call: UndoLimit, peer: Peer) -> None:
        """Take back the last edit, an undo included. Not where the cap has been changed by hand since."""
        name = call.limit
        edit = self._audit.last_edit(name)
        if edit is None:
            message = f"No edit of {_quoted(name)} is on record that could be taken back."
            raise CommandError("not_found", message, "limit")
        limit = self._find(name)
        now, left = (None if limit is None else limit.limit_nusd), _cap(edit.after)
        if now != left:
            message = (
                f"{name} was changed by hand since: its last edit here left {_told(left)}, now there is"
                f" {_told(now)}. Set the cap you want instead."
            )
            raise CommandError("conflict", message, "limit")
        before = "" if limit is None else self._described(limit, removed=edit.before == "")
        with self._audit.change(peer, "undo_limit", name, before, edit.before):
            self._in_force(self._put_back(name, edit.before))

    def grant(self, call: Grant, peer: Peer) -> None:
        """Let a counter go beyond its cap."""
        name, subject = call.limit, call.subject
        if not 0 < call.cents <= MOST_CENTS:
            message = "A grant is 1 cent or more, and at most a billion dollars."
            raise CommandError("invalid", message, "cents")
        limit = self._known(name)
        accounts, nusd = self._accounts, cents_to_nusd(call.cents)
        try:
            granted = accounts.guard.find(name, subject, accounts.clock()).granted_nusd
        except KeyError:
            raise CommandError("not_found", _no_counter(limit, subject), "subject") from None
        whose = f"{name} / {subject}" if subject else name
        with self._audit.change(peer, "grant", whose, str(granted), str(granted + nusd)):
            self._steering.grant(name, subject, nusd)

    def pause(self, call: Pause, peer: Peer) -> None:
        """Pause everything, or what matches one limit."""
        name = call.limit
        if name is not None:
            self._known(name)
        with self._audit.change(peer, "pause", name or "all", self._standing(name), "paused"):
            self._steering.pause(peer.name, name)

    def resume(self, call: Resume, peer: Peer) -> None:
        """Resume everything, or what matches one limit; also one that was paused and then removed."""
        name = call.limit
        if name is not None and name not in self._accounts.guard.paused:
            self._known(name)
        with self._audit.change(peer, "resume", name or "all", self._standing(name), "running"):
            self._steering.resume(name)

    def _standing(self, limit: str | None) -> str:
        accounts = self._accounts
        paused = accounts.paused_at is not None if limit is None else limit in accounts.guard.paused
        return "paused" if paused else "running"

    def _find(self, name: str) -> Limit | None:
        return next((limit for limit in self._accounts.budget.limits if limit.name == name), None)

    def _known(self, name: str) -> Limit:
        limit = self._find(name)
        if limit is None:
            names = ", ".join(each.name for each in self._accounts.budget.limits)
            known = f"in force: {names}." if names else "no limit is in force."
            raise CommandError("not_found", f"There is no limit {_quoted(name)}; {known}", "limit")
        return limit

    def _described(self, limit: Limit, *, removed: bool) -> str:
        """What the audit keeps of a limit: its cap or, before it is removed, all that the file says of it."""
        table = self._budget_file.table(limit.name) if removed else None
        return str(limit.limit_nusd) if table is None else json.dumps(table, ensure_ascii=False)

    def _put_back(self, name: str, described: str) -> Budget:
        if described.startswith("{"):
            return self._budget_file.add_limit(json.loads(described))
        cap = _cap(described)
        return self._budget_file.set_limit(name, None if cap is None else cap // NUSD_PER_CENT)


def _cap(described: str) -> int | None:
    """The cap, in nanodollars, of what the audit keeps of a limit; None where there was none."""
    if described.startswith("{"):
        return cents_to_nusd(json.loads(described)["limit_cents"])
    return int(described) if described else None


def _told(cap_nusd: int | None) -> str:
    return "no such limit" if cap_nusd is None else f"a cap of {format_usd(cap_nusd)}"


def _no_counter(limit: Limit, subject: str) -> str:
    if limit.per is None:
        return f"{limit.name} counts all that match it together; leave the subject out."
    if not subject:
        return f"{limit.name} has a counter for each {limit.per}; say whose."
    return f"{limit.name} has no counter for the {limit.per} {_quoted(subject)} in its present window."


def _quoted(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:40] + "…")
