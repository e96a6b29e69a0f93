"""Watches the ledger, so that what fails there is heard: a line in the log and an alert when it begins, and
both once it is over.
"""

import logging
import time
from collections.abc import Callable

from budgetd.alerts.desk import Desk
from budgetd.alerts.finding import Finding
from budgetd.alerts.rules import ledger as rules
from budgetd.ledger.writer import Ledger

CALM_SECONDS = 10.0
"""What fails now and then is not over before it has not failed for so long."""

log = logging.getLogger(__name__)


class LedgerWatch:
    """What is wrong with one ledger, as it was last looked at."""

    def __init__(
        self,
        ledger: Ledger,
        desk: Desk,
        changed: Callable[..., None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``changed`` is told which parts of the shown state have changed."""
        self._ledger = ledger
        self._desk = desk
        self._changed = changed
        self._monotonic = monotonic
        self._failing: dict[str, Finding] = {}
        """What is wrong, by its subject."""
        self._seen_at: dict[str, float] = {}
        self._stands = (0, "")
        """How often commits had failed, and why they did."""
        self._left_out = 0

    def begin(self) -> None:
        """Tell what was found when the ledger was opened; what an earlier daemon told is over."""
        self._desk.ledger_fails([])
        if self._ledger.missing:
            finding = rules.missing(str(self._ledger.path), self._ledger.missing)
            log.error("%s %s", finding.message, finding.advice)
            self._desk.records_lost(finding)

    def look(self) -> None:
        """See whether anything has changed. To be called often."""
        ledger, now = self._ledger, self._monotonic()
        before = dict(self._failing)
        for finding in self._find():
            known = self._failing.get(finding.subject)
            # How slow a disk is changes all the time; what was said of it first is enough.
            if known is None or (known.message != finding.message and finding.severity == "critical"):
                log.error("%s %s", finding.message, finding.advice)
                self._failing[finding.subject] = finding
            self._seen_at[finding.subject] = now
        for subject in [each for each, at in self._seen_at.items() if now - at >= CALM_SECONDS]:
            log.info("%s: the trouble with its %s is over", ledger.path, subject)
            del self._seen_at[subject], self._failing[subject]
        if self._failing != before:
            self._desk.ledger_fails(self._failing.values())
        if ledger.left_out != self._left_out:
            self._left_out = ledger.left_out
            finding = rules.left_out(ledger.left_out, ledger.left_out_why)
            log.error("%s %s", finding.message, finding.advice)
            self._desk.records_lost(finding)

    def _find(self) -> list[Finding]:
        """What is wrong now, or was since the last look."""
        ledger = self._ledger
        found: list[Finding] = []
        stands = ledger.failures, ledger.failure
        if stands != self._stands:  # also where one has passed: it may be shown
            self._changed("daemon")
        if ledger.failure or ledger.failures != self._stands[0]:
            found.append(rules.not_written(ledger.last_failure))
        self._stands = stands
        if ledger.read_failure:
            found.append(rules.not_read(ledger.read_failure))
        if ledger.checkpoint_failure and not ledger.failure:  # else it is the same disk
            found.append(rules.not_checkpointed(ledger.checkpoint_failure))
        if ledger.slow_seconds:
            found.append(rules.slow_disk(str(ledger.path), ledger.slow_seconds * 1000))
        if ledger.texts.damaged:
            found.append(rules.damaged(str(ledger.path)))
        return found
