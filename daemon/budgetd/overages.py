"""Plans whose paid extra usage is on: until the plan pays again, what their accounts ask for costs money."""

import math

from budgetd.ledger import queries
from budgetd.ledger.writer import Ledger
from budgetd.metering.overage import Overage


class Overages:
    """The accounts of one daemon. What it knows of them outlives it."""

    def __init__(self, ledger: Ledger) -> None:
        """``ledger``: open."""
        self._ledger = ledger
        self._until = queries.overages(ledger.db)

    def is_on(self, account: str, now: float) -> bool:
        """Whether the next request of an account is likely to be billed as extra usage. It no longer is once
        the windows of its plan that were used up have begun anew; else an answer has to say so, and where a
        limit refuses all of its requests there would be none.
        """
        return now < self._until.get(account, -math.inf)

    def take(self, account: str, said: Overage) -> None:
        """Note what an answer to an account said, in the transaction of what is settled with it."""
        until = math.inf if said.until is None else said.until
        if not said.in_use:
            if self._until.pop(account, None) is not None:
                self._ledger.add("delete from meta where key = ?", (f"overage:{account}",))
        elif self._until.get(account) != until:
            self._until[account] = until
            self._ledger.add("insert or replace into meta values (?, ?)", (f"overage:{account}", repr(until)))
