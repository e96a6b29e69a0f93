"""Steering limits: set a cap, grant on top of it, release unknown ends, pause what matches, resume it.

Taking that back is in `undo`.
"""

import json
from collections.abc import Callable

from budgetd.accounts import Accounts
from budgetd.budget.limits import Limit
from budgetd.budget_file import Budget, BudgetFile
from budgetd.control.audit import Audit
from budgetd.control.errors import CommandError
from budgetd.control.needs import Peer
from budgetd.steering import Steering
from budgetwire.messages import Grant, Pause, Release, ReleaseReply, Resume, SetLimit
from budgetwire.money import cents_to_nusd

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
        limit = find_limit(self._accounts, name)
        before = "" if limit is None else described(self._budget_file, limit, removed=cents is None)
        after = "" if cents is None else str(cents_to_nusd(cents))
        with self._audit.change(peer, "set_limit", name, before, after):
            self._in_force(self._budget_file.set_limit(name, cents))

    def forget(self, peer: Peer) -> None:
        """Let go of limits that the file has lost."""
        names = ", ".join(limit.name for limit in self._accounts.budget.limits)
        with self._audit.change(peer, "forget_limits", "all", names):
            self._in_force(self._budget_file.forget())

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
        with self._audit.change(peer, "grant", _whose(name, subject), str(granted), str(granted + nusd)):
            self._steering.grant(name, subject, nusd)

    def release(self, call: Release, peer: Peer) -> ReleaseReply:
        """Let go of what a counter keeps for requests of unknown end."""
        name, counter = call.limit, call.subject
        limit = self._known(name)
        if limit.guarantee != "strict":
            message = f"{name} keeps nothing for unknown ends: only strict limits do."
            raise CommandError("invalid", message, "limit")
        try:
            ends = self._accounts.unknown_ends(name, counter)
        except KeyError:
            raise CommandError("not_found", _no_counter(limit, counter), "subject") from None
        nusd = sum(end.unknown_nusd for end in ends)
        if ends:
            with self._audit.change(peer, "release", _whose(name, counter), str(nusd), "0"):
                self._steering.release(ends)
        return ReleaseReply(released=len(ends), nusd=nusd)

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

    def _known(self, name: str) -> Limit:
        limit = find_limit(self._accounts, name)
        if limit is None:
            names = ", ".join(each.name for each in self._accounts.budget.limits)
            known = f"in force: {names}." if names else "no limit is in force."
            raise CommandError("not_found", f"There is no limit {quoted(name)}; {known}", "limit")
        return limit


def find_limit(accounts: Accounts, name: str) -> Limit | None:
    """The limit of this name, if it is in force."""
    return next((limit for limit in accounts.budget.limits if limit.name == name), None)


def described(budget_file: BudgetFile, limit: Limit, *, removed: bool) -> str:
    """What the audit keeps of a limit: its cap or, before it is removed, all that the file says of it."""
    table = budget_file.table(limit.name) if removed else None
    return str(limit.limit_nusd) if table is None else json.dumps(table, ensure_ascii=False)


def _whose(name: str, counter: str) -> str:
    return f"{name} / {counter}" if counter else name


def _no_counter(limit: Limit, subject: str) -> str:
    if limit.per is None:
        return f"{limit.name} counts all that match it together; leave the subject out."
    if not subject:
        return f"{limit.name} has a counter for each {limit.per}; say whose."
    return f"{limit.name} has no counter for the {limit.per} {quoted(subject)} in its present window."


def quoted(name: str) -> str:
    """A name from a client, in a message."""
    return repr(name if len(name) <= 40 else name[:40] + "…")
