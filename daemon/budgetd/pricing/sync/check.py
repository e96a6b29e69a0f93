"""Whether a new edition of prices can be what it says it is. Pure.

That no price is negative or no number is seen where it is read.
"""

from collections.abc import Iterator

from budgetd.pricing.rate_names import NAMES, dollars
from budgetd.pricing.rates import Rates
from budgetd.pricing.sync.errors import SyncError
from budgetd.pricing.table import Model, Sheet

_MOST_A_TOKEN = 10 ** (24 - 2)
"""No token and no character costs as much as a cent; the dearest known cost a fifteenth of it."""
_MOST_A_PIECE = 10 ** (24 + 2)
"""No picture, search, request or second costs as much as a hundred dollars."""
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
        for name, rate in _rates(model):
            label, exponent, per = NAMES[name]
            if rate >= (_MOST_A_TOKEN if exponent == 6 else _MOST_A_PIECE):
                asked = f"{dollars(rate, name)} for {label} ({per})"
                raise SyncError(f"It asks {asked} of {provider}/{model.id}.")
    jumped = sum(_jumped(before[key], after[key]) for key in common)
    if _LEAST_SHARE * jumped > len(common):
        raise SyncError(
            f"It changes the prices of {jumped:,} models more than tenfold: the unit is not the same."
        )


def _models(sheet: Sheet) -> Iterator[tuple[tuple[str, str], Model]]:
    for provider in sheet.providers:
        for model in provider.models:
            yield (provider.id, model.id), model


def _rates(model: Model) -> Iterator[tuple[str, int]]:
    for listing in model.prices:
        yield "request", listing.request
        for rates in (listing.rates, *(tier.rates for tier in listing.tiers)):
            yield from ((name, getattr(rates, name)) for name in Rates.__struct_fields__)


def _jumped(old: Model, new: Model) -> bool:
    if not (old.prices and new.prices):
        return False
    before, after = old.prices[-1].rates.fresh_input, new.prices[-1].rates.fresh_input
    return max(before, after) > _FACTOR * min(before, after) > 0
