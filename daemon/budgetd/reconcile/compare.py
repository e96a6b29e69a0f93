"""The invoice beside the ledger, for each UTC day and model. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from budgetd.ledger.invoicing import Portion
from budgetd.reconcile.days import DAY_SECONDS, day_of
from budgetd.reconcile.invoice import Invoice, Line
from budgetd.reconcile.models import family

ESTIMATED = frozenset(("estimated", "recovered", "unmetered"))
"""Bases of costs that nobody stated."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One day and model on both sides. Nanodollars."""

    day: str
    model: str
    """As `family` names it; empty for what the invoice bills apart from any model."""
    invoice_nusd: int
    lines: tuple[Line, ...]
    portions: tuple[Portion, ...]
    """Of billed traffic, earlier corrections included."""

    @property
    def ledger_nusd(self) -> int:
        """What the ledger says."""
        return sum(portion.cost_nusd for portion in self.portions)

    @property
    def drift_nusd(self) -> int:
        """What the invoice says beyond it; negative where it says less."""
        return self.invoice_nusd - self.ledger_nusd

    @property
    def estimated_nusd(self) -> int:
        """The part of the ledger's sum that was estimated."""
        return sum(portion.cost_nusd for portion in self.portions if portion.basis in ESTIMATED)

    @property
    def requests(self) -> tuple[Portion, ...]:
        """What went through the proxy, without corrections."""
        return tuple(portion for portion in self.portions if portion.basis != "corrected")

    @property
    def count(self) -> int:
        """How many requests that is."""
        return sum(portion.requests for portion in self.requests)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that could be compared."""

    provider: str
    source: str
    rows: tuple[Compared, ...]
    """By day, then model."""
    missing: tuple[str, ...]
    """Days for which the invoice has no bucket. Nothing is said of them, not even zero."""
    subscription_nusd: int
    """What went over a subscription, at the prices of the API. No invoice of the API has it."""
    notes: tuple[str, ...]

    @property
    def ledger_nusd(self) -> int:
        """The sum of the ledger's side."""
        return sum(row.ledger_nusd for row in self.rows)

    @property
    def invoice_nusd(self) -> int:
        """The sum of the invoice's side."""
        return sum(row.invoice_nusd for row in self.rows)


def compare(invoice: Invoice, portions: Iterable[Portion], days: Sequence[str]) -> Comparison:
    """Hold an invoice against the ledger's sums, on the days that are asked for and that it accounts for."""
    compared = [day for day in days if day in invoice.days]
    billed: dict[tuple[str, str], list[Line]] = defaultdict(list)
    recorded: dict[tuple[str, str], list[Portion]] = defaultdict(list)
    subscription = 0
    for line in invoice.lines:
        billed[line.day, family(line.model)].append(line)
    for portion in portions:
        day = day_of(portion.day * DAY_SECONDS)
        if portion.billing == "api":
            recorded[day, family(portion.name)].append(portion)
        elif day in compared:
            subscription += portion.cost_nusd
    rows = [
        Compared(
            day=day,
            model=model,
            invoice_nusd=sum(line.nusd for line in billed[day, model]),
            lines=tuple(billed[day, model]),
            portions=tuple(recorded[day, model]),
        )
        for day, model in sorted(billed.keys() | recorded.keys())
        if day in compared
    ]
    return Comparison(
        provider=invoice.provider,
        source=invoice.source,
        rows=tuple(row for row in rows if row.invoice_nusd or row.ledger_nusd),
        missing=tuple(day for day in days if day not in invoice.days),
        subscription_nusd=subscription,
        notes=invoice.notes,
    )
