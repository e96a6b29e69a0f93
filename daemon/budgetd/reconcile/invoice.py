"""An invoice as values, whoever sent it. Amounts are integer nanodollars from here on."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

import msgspec

from budgetd.reconcile.errors import ReconcileError

MOST_NUSD = 10**17
"""No line is taken to bill more (a hundred million dollars), so that sums fit 64 bits."""

NUSD_PER_USD = Decimal(10**9)
NUSD_PER_CENT = Decimal(10**7)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What is billed for one thing on one UTC day."""

    day: str
    model: str
    """As the invoice writes it; empty where it names none."""
    alias: str = ""
    """Another name that the invoice has for the model; empty if it has but one."""
    nusd: int
    """Negative for a credit."""
    amount_missing: bool = False
    """The invoice has the line but no amount: ``nusd`` is 0, and what it bills is not known."""
    what: str = ""
    """What it is for, in the invoice's own words."""
    service_tier: str = ""
    """As the invoice says; empty where it does not tell tiers apart."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an invoice."""

    days: tuple[str, ...]
    """The days it accounts for, also those on which nothing is billed."""
    lines: tuple[Line, ...]
    following: str = ""
    """What to ask for the next page with; empty on the last."""
    notes: tuple[str, ...] = ()
    """What to know of it, in sentences for a person."""


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider bills."""

    provider: str
    source: str
    """Where it came from: a host or a file's name."""
    days: frozenset[str]
    """The days it accounts for. One that is not among them has no bucket, which is not the same as zero."""
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


def joined(pages: Iterable[Page]) -> Page:
    """Pages as one. Raises ReconcileError if two of them account for the same day: it would count twice."""
    days: dict[str, None] = {}
    lines: list[Line] = []
    notes: dict[str, None] = {}
    for page in pages:
        again = days.keys() & set(page.days)
        if again:
            raise ReconcileError(f"Two pages of the invoice account for {min(again)}; it would count twice.")
        days |= dict.fromkeys(page.days)
        lines += page.lines
        notes |= dict.fromkeys(page.notes)
    return Page(days=tuple(days), lines=tuple(lines), notes=tuple(notes))


def dollars(amount: Decimal, currency: str = "USD") -> int:
    """An amount in dollars as nanodollars, a fraction of one rounded half to even. Raises ReconcileError."""
    return _nusd(amount, NUSD_PER_USD, currency)


def cents(amount: Decimal, currency: str = "USD") -> int:
    """An amount in cents as nanodollars, likewise."""
    return _nusd(amount, NUSD_PER_CENT, currency)


def _nusd(amount: Decimal, unit: Decimal, currency: str) -> int:
    if currency.upper() != "USD":
        raise ReconcileError(f"The invoice is in {currency[:8].upper()}; the ledger counts US dollars only.")
    try:
        nusd = (amount * unit).to_integral_value(ROUND_HALF_EVEN)
        if abs(nusd) <= MOST_NUSD:
            return int(nusd)
    except InvalidOperation:
        pass
    raise ReconcileError(
        "The invoice holds an amount that cannot be: it is not a number, or beyond all bounds."
    )
