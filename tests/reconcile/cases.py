"""Days of a model on both sides, and their likely cause."""

from collections.abc import Sequence

import msgspec

from budgetd.ledger.invoicing import Portion
from budgetd.metering.usage import Usage
from budgetd.pricing.book import load_book
from budgetd.reconcile.case import Case, Cause
from budgetd.reconcile.causes import find_cause
from budgetd.reconcile.compare import Compared
from budgetd.reconcile.days import DAY_SECONDS, starts_at
from budgetd.reconcile.invoice import Line
from budgetd.reconcile.repricing import Repricing

DAY, TODAY = "2026-11-16", "2026-11-23"
MODEL = "claude-opus-4-8"
BOOK = load_book()
CENT = 10**7
USD = 10**9


def portion(
    usage: Usage, *, day: str = DAY, cost: int | None = None, provider: str = "anthropic", **more: object
) -> Portion:
    """Requests, priced as the ledger would have priced them unless a cost is given."""
    values = {
        "upstream": provider, "billing": "api", "model": MODEL, "model_billed": "", "basis": "reported",
        "service_tier": "", "geo": "", "price_id": "genai-prices 0.2.3", "requests": 10,
        "longest_input": usage.input_tokens // 10,
    } | more  # fmt: skip
    made = Portion(day=int(starts_at(day) // DAY_SECONDS), cost_nusd=cost or 0, usage=usage, **values)
    return made if cost is not None else msgspec.structs.replace(made, cost_nusd=costs(made, provider))


def costs(of: Portion, provider: str = "anthropic", **as_if: str) -> int:
    priced = Repricing(BOOK, provider).cost(msgspec.structs.replace(of, **as_if))
    assert priced
    return priced


def row(
    *portions: Portion, invoice: int | None, day: str = DAY, model: str = MODEL, **line: object
) -> Compared:
    """What the ledger has and what is billed; None: the invoice does not name the model."""
    lines = () if invoice is None else (Line(day=day, model=model, nusd=invoice, **line),)
    return Compared(day=day, model=model, invoice_nusd=invoice or 0, lines=lines, portions=portions)


def cause(
    of: Compared,
    *others: Compared,
    first_day: str | None = "2026-01-01",
    today: str = TODAY,
    provider: str = "anthropic",
) -> Cause:
    days: Sequence[Compared] = sorted((of, *others), key=lambda each: each.day)
    return find_cause(Case(of, days, first_day, today, Repricing(BOOK, provider)))
