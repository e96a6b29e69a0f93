"""One reconciliation from end to end: an invoice, the ledger's sums of the same days, and why they differ."""

from collections import defaultdict
from pathlib import Path

import msgspec

from budgetd.errors import LedgerError
from budgetd.ledger import invoicing
from budgetd.ledger.reports import reading
from budgetd.reconcile.case import Case, Cause
from budgetd.reconcile.causes import find_cause
from budgetd.reconcile.compare import Compared, Comparison, compare
from budgetd.reconcile.days import DAY_SECONDS, day_of, days_between, following, starts_at
from budgetd.reconcile.errors import ReconcileError
from budgetd.reconcile.invoice import Invoice
from budgetd.reconcile.repricing import Prices, Repricing
from budgetwire.messages import Correction


class Reckoning(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison with its explanations."""

    since: str
    until: str
    today: str
    comparison: Comparison
    causes: tuple[Cause, ...]
    """One for each row of the comparison."""

    @property
    def drift_nusd(self) -> int:
        """What the invoice says beyond the ledger, in all."""
        return self.comparison.invoice_nusd - self.comparison.ledger_nusd

    @property
    def explained(self) -> list[tuple[Compared, Cause]]:
        """Every row with its cause."""
        return list(zip(self.comparison.rows, self.causes, strict=True))

    @property
    def corrections(self) -> list[Correction]:
        """What is to be entered so that the ledger says what the invoice says, to the nanodollar. What is not
        complete is not entered: limits would take what is missing for room. Estimates are named only where
        they explain the difference: nothing is to be learned from other traffic.
        """
        return [
            Correction(
                day=row.day,
                provider=self.comparison.provider,
                model=row.model,
                ledger_nusd=row.ledger_nusd,
                invoice_nusd=row.invoice_nusd,
                estimated_nusd=row.estimated_nusd if cause.kind == "estimates" else 0,
            )
            for row, cause in self.complete
            if row.drift_nusd
        ]

    @property
    def complete(self) -> list[tuple[Compared, Cause]]:
        """Those of which all is known, and to which the provider adds no more."""
        return [(row, cause) for row, cause in self.explained if cause.kind not in {"late", "unread"}]

    def exceeds(self, pct: float) -> bool:
        """Whether the drift is more than so many per cent of what is billed, as far as that is complete."""
        drift = sum(row.drift_nusd for row, _ in self.complete)
        return abs(drift) * 100 > pct * abs(sum(row.invoice_nusd for row, _ in self.complete))


def reckon(invoice: Invoice, ledger: Path, prices: Prices, since: str, until: str, today: str) -> Reckoning:
    """Compare and explain. Reads the ledger, whether a daemon runs or not. Raises ReconcileError."""
    try:
        with reading(ledger) as db:
            portions = invoicing.portions(db, invoice.provider, starts_at(since), starts_at(following(until)))
            first = invoicing.first_day(db)
    except LedgerError as error:
        raise ReconcileError(
            f"{error} If there is none, or an old one, `budgetd start` makes it or brings it up to date."
        ) from None
    comparison = compare(invoice, portions, days_between(since, until))
    by_model: dict[str, list[Compared]] = defaultdict(list)
    for row in comparison.rows:
        by_model[row.model].append(row)
    repricing = Repricing(prices, invoice.provider)
    first_day = None if first is None else day_of(first * DAY_SECONDS)
    return Reckoning(
        since=since,
        until=until,
        today=today,
        comparison=comparison,
        causes=tuple(
            find_cause(Case(row, by_model[row.model], first_day, today, repricing)) for row in comparison.rows
        ),
    )
