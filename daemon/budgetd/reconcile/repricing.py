"""What the ledger's requests would cost if something about them were different. Pure."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

import msgspec

from budgetd.ledger.invoicing import Portion
from budgetd.metering.usage import Usage
from budgetd.pricing.rates import Price
from budgetd.reconcile.days import DAY_SECONDS

Change: TypeAlias = Callable[[Usage], Usage]
"""The same usage, filed under other classes."""

NOON = DAY_SECONDS / 2


class Prices(Protocol):
    """Where prices stand: `budgetd.pricing.book.Book`."""

    def price(
        self, provider: str, model: str, at: float, *, service_tier: str = "", geo: str = ""
    ) -> Price | None:
        """The price of a model at a time; None if it is not known."""
        ...


class Repricing:
    """Prices of one provider, and what portions cost by them."""

    def __init__(self, prices: Prices, provider: str) -> None:
        self._prices = prices
        self._provider = provider

    def difference(
        self,
        portions: Iterable[Portion],
        *,
        service_tier: str | None = None,
        geo: str | None = None,
        change: Change | None = None,
    ) -> int:
        """Nanodollars that portions would cost more (or, negative, less) with another tier, place or usage
        than by the same prices as they are. What has no price, or was billed by the provider, stays as it is.
        """
        total = 0
        for portion in portions:
            before = self.cost(portion)
            other = (
                portion if change is None else msgspec.structs.replace(portion, usage=change(portion.usage))
            )
            after = self.cost(other, service_tier=service_tier, geo=geo)
            if before is not None and after is not None:
                total += after - before
        return total

    def cost(
        self, portion: Portion, *, service_tier: str | None = None, geo: str | None = None
    ) -> int | None:
        """What a portion costs by the prices as they are known now; None if they are not or do not matter."""
        if portion.basis in {"billed", "corrected"} or not portion.name:
            return None
        price = self._prices.price(
            self._provider,
            portion.name,
            portion.day * DAY_SECONDS + NOON,
            service_tier=portion.service_tier if service_tier is None else service_tier,
            geo=portion.geo if geo is None else geo,
        )
        if price is None:
            return None
        return _flat(price, portion).cost_nusd(portion.usage)


def _flat(price: Price, portion: Portion) -> Price:
    """The price of requests as long as these. A sum of requests is longer than each: its length must not
    choose the tier.
    """
    rates = price.rates
    for tier in price.tiers:
        if portion.longest_input > tier.start:
            rates = tier.rates
    return Price(id=price.id, rates=rates, request=price.request * portion.requests)
