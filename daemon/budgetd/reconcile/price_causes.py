"""Hypotheses that the requests were priced as something they were not. Each is tried on the numbers. Pure."""

from collections.abc import Callable
from itertools import combinations

from budgetd.ledger.invoicing import Portion
from budgetd.ledger.rows import UNSTATED
from budgetd.reconcile.case import ROUNDING_PCT, Case, Cause
from budgetd.reconcile.compare import Compared
from budgetd.reconcile.repricing import Change
from budgetd.reconcile.suppositions import suppositions
from budgetwire.money import format_usd

NEARER_PERMILLE = 5
"""Of many pairs one comes near to any number, so that they have to come nearer."""

LEAST_DAYS = 3
"""A price that was never right shows on so many days."""


def _one(case: Case) -> Cause | None:
    """One thing was otherwise."""
    for supposed in suppositions(case):
        if case.fits(case.difference(supposed.change)):
            return Cause(supposed.kind, f"The drift fits {supposed.words}.")
    return None


def _prices(case: Case) -> Cause | None:
    """The book has been put right since."""
    difference = 0
    for portion in case.row.requests:
        now = case.repricing.cost(portion)
        difference += 0 if now is None or portion.basis in UNSTATED else now - portion.cost_nusd
    if not case.fits(difference):
        return None
    ids = sorted({portion.price_id for portion in case.row.requests if portion.price_id})
    return Cause(
        "prices",
        "By the prices that are in force now the invoice is right; the requests were priced by"
        f" {', '.join(ids[:2]) or 'others'} at the time.",
    )


def _change(case: Case) -> Cause | None:
    """From some day on the invoice is higher or lower than the ledger, always by the same part."""
    days = [row for row in case.days if row.ledger_nusd > 0 and row.invoice_nusd > 0 and _tokens(row)]
    since = next((row for row in days if not _same(row.invoice_nusd, row.ledger_nusd)), None)
    if since is None:
        return None
    before = [row for row in days if row.day < since.day]
    after = [row for row in days if row.day >= since.day]
    steady = all(
        _same(row.invoice_nusd * since.ledger_nusd, since.invoice_nusd * row.ledger_nusd) for row in after
    )
    if len(after) < (2 if before else LEAST_DAYS) or not steady or case.row not in after:
        return None
    if not before:
        return Cause(
            "change",
            f"On each of {len(after)} days the invoice is off by the same part: the price is not the"
            " ledger's; run `budgetd sync-pricing`.",
        )
    was, now = (
        format_usd(sum(row.invoice_nusd for row in rows) * 1_000_000 // sum(map(_tokens, rows)))
        for rows in (before, after)
    )
    return Cause(
        "change",
        f"Invoice per million tokens changed from {was} to {now} on {since.day}, and the ledger's did not:"
        " a price change; run `budgetd sync-pricing`.",
    )


def two_at_once(case: Case) -> Cause | None:
    """Two things were otherwise. To be tried when nothing that is simpler holds."""
    bearing = [supposed for supposed in suppositions(case) if case.difference(supposed.change)]
    for one, other in combinations(bearing, 2):
        both = case.difference(_both(one.change, other.change))
        if one.kind != other.kind and case.fits(both, NEARER_PERMILLE):
            return Cause("two", f"The drift fits {one.words}, together with {other.words}.")
    return None


HYPOTHESES: tuple[Callable[[Case], Cause | None], ...] = (_one, _prices, _change)
"""Of one thing alone, in the order in which they are tried."""


def _both(one: Change, other: Change) -> Change:
    def change(portion: Portion) -> Portion | None:
        first = one(portion)
        return None if first is None else other(first)

    return change


def _same(one: int, other: int) -> bool:
    """Within what rounding makes of a day's sum."""
    return abs(one - other) * 100 <= ROUNDING_PCT * max(abs(one), abs(other))


def _tokens(row: Compared) -> int:
    return sum(portion.usage.input_tokens + portion.usage.output_tokens for portion in row.requests)
