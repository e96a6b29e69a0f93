"""The invoice beside the ledger, for each UTC day and model. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from budgetd.ledger.invoicing import Portion
from budgetd.ledger.rows import UNSTATED
from budgetd.reconcile.days import DAY_SECONDS, day_of
from budgetd.reconcile.invoice import Invoice, Line
from budgetd.reconcile.models import family

_LEFT_OUT: Mapping[str, frozenset[str]] = {"anthropic": frozenset(("priority",))}
"""Service tiers that a provider's invoices never have."""


def is_left_out(provider: str, service_tier: str) -> bool:
    """Whether the provider bills requests of the tier elsewhere, so that no invoice says what they cost."""
    return service_tier in _LEFT_OUT.get(provider, ())


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One day and model on both sides. Nanodollars."""

    day: str
    model: str
    """As `family` names it; empty for what the invoice bills apart from any model."""
    invoice_nusd: int
    """Without credits."""
    lines: tuple[Line, ...]
    """Likewise."""
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
        return sum(portion.cost_nusd for portion in self.portions if portion.basis in UNSTATED)

    @property
    def missing(self) -> tuple[Line, ...]:
        """The lines that have no amount."""
        return tuple(line for line in self.lines if line.amount_missing)

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
    left_out_nusd: int
    """What the ledger has of service tiers that the invoice leaves out."""
    credits: tuple[Line, ...]
    """Lines that bill less than nothing. A credit pays for requests; it does not make them cheaper, and
    entered as spending it would leave a limit more room than its cap.
    """
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
    subscription = left_out = 0
    for portion in portions:
        day = day_of(portion.day * DAY_SECONDS)
        if day not in compared:
            continue
        if portion.billing != "api":
            subscription += portion.cost_nusd
        elif is_left_out(invoice.provider, portion.service_tier):
            left_out += portion.cost_nusd
        else:
            recorded[day, family(portion.name)].append(portion)
    credits: list[Line] = []
    for line in invoice.lines:
        if line.day not in compared or is_left_out(invoice.provider, line.service_tier):
            continue
        if line.nusd < 0:
            credits.append(line)
        else:
            billed[line.day, _name(line, recorded.keys())].append(line)
    rows = [
        Compared(
            day=day,
            model=model,
            invoice_nusd=sum(line.nusd for line in billed[day, model]),
            lines=tuple(billed[day, model]),
            portions=tuple(recorded[day, model]),
        )
        for day, model in sorted(billed.keys() | recorded.keys())
    ]
    return Comparison(
        provider=invoice.provider,
        source=invoice.source,
        rows=tuple(row for row in rows if row.invoice_nusd or row.ledger_nusd or row.missing),
        missing=tuple(day for day in days if day not in invoice.days),
        subscription_nusd=subscription,
        left_out_nusd=left_out,
        credits=tuple(credits),
        notes=invoice.notes,
    )


def _name(line: Line, recorded: Collection[tuple[str, str]]) -> str:
    """The name that the ledger has for the model of a line on its day, else the line's first."""
    names = [family(name) for name in (line.model, line.alias) if name]
    return next((name for name in names if (line.day, name) in recorded), names[0] if names else "")
