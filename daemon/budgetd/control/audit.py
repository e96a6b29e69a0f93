"""The audit: who changed what. Written before the change, so that none can be made that is not on record."""

import contextlib
import logging
from collections.abc import Callable, Generator

from budgetd.control.needs import Peer
from budgetd.errors import LedgerError
from budgetd.ledger import reports
from budgetd.ledger.schema import INSERT_AUDIT
from budgetd.ledger.writer import Ledger
from budgetwire.messages import Change

log = logging.getLogger(__name__)

EDITS = ("set_limit", "undo_limit")
"""Actions that change the cap of a limit. Before and after are nanodollars, nothing where there was no limit,
and the whole table of the file, as JSON, where one was removed that a cap alone does not make.
"""


GRANTS = ("grant", "undo_grant")
"""Actions that change what is granted to a counter. Before and after are what is granted in all."""


class Audit:
    """Rows of one ledger."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        """``clock``: UTC epoch seconds."""
        self._ledger = ledger
        self._clock = clock

    @contextlib.contextmanager
    def change(
        self, peer: Peer, action: str, subject: str, before: str = "", after: str = ""
    ) -> Generator[None]:
        """Record a change, then let it be made; if that raises, there was none. Raises LedgerError if it
        cannot be recorded, and then nothing was begun.
        """
        row = (self._clock(), peer.uid, peer.name, action, subject, before, after)
        self._ledger.write(INSERT_AUDIT, row)
        try:
            yield
        except BaseException:
            self._take_back()
            raise

    def last_of_limits(self, limit: str | None) -> Change | None:
        """The newest edit of a limit's cap or grant to one of its counters; None: of any limit."""
        return reports.last_change(self._ledger.db, limit, EDITS, GRANTS)

    def _take_back(self) -> None:
        try:
            self._ledger.write("delete from audit where id = (select max(id) from audit)")
        except LedgerError:
            log.exception("the audit tells of a change that was not made")
