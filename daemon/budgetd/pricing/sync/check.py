"""Whether a new edition of prices can be what it says it is. Pure.

That no price is negative or no number is seen where it is read.
"""

from collections.abc import Iterator

from budgetd.pricing.rate_names import dollars
from budgetd.pricing.rates import Rates
from budgetd.pricing.sync.errors import SyncError
from budgetd.pricing.table import Model, Sheet

_MOST = 10 ** (24 - 2)
"""No text token costs as much as a cent; the dearest known cost a fifteenth of it."""
_FACTOR = 10
_LEAST_SHARE = 4
"""Prices of a quarter of all models do not become ten times what they were from one edition to the next."""


def check(old: Sheet, new: Sheet) -> None:
    """Compare an edition with the one in force. Raises SyncError with what is wrong with it."""
    before, after = dict(_models(old)), dict(_models(new))
    common = before.keys() & after.keys()
    if 2 * len(common) < len(before):
        raise SyncError(f"It has only {len(common):,} of the {len(before):,} models of now.")
    for (provider, _), model in after.items():
        for rates in _rates(model):
            if max(rates.fresh_input, rates.output) >= _MOST:
                dear = dollars(max(rates.fresh_input, rates.output), "output")
                raise SyncError(f"It asks {dear} for a million tokens of {provider}/{model.id}.")
    jumped = sum(_jumped(before[key], after[key]) for key in common)
    if _LEAST_SHARE * jumped > len(common):
        raise SyncError(
            f"It changes the prices of {jumped:,} models more than tenfold: the unit is not the same."
        )


def _models(sheet: Sheet) -> Iterator[tuple[tuple[str, str], Model]]:
    for provider in sheet.providers:
        for model in provider.models:
            yield (provider.id, model.id), model


def _rates(model: Model) -> Iterator[Rates]:
    for listing in model.prices:
        yield listing.rates
        yield from (tier.rates for tier in listing.tiers)


def _jumped(old: Model, new: Model) -> bool:
    if not (old.prices and new.prices):
        return False
    before, after = old.prices[-1].rates.fresh_input, new.prices[-1].rates.fresh_input
    return max(before, after) > _FACTOR * min(before, after) > 0
