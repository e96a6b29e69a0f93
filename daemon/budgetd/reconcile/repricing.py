"""What the ledger's requests would cost if something about them were different. Pure."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from budgetd.ledger.invoicing import Portion
from budgetd.pricing.rates import Price
from budgetd.reconcile.days import DAY_SECONDS

Change: TypeAlias = Callable[[Portion], Portion | None]
"""The same requests, as they may have been billed; None: not at all."""

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

    def difference(self, portions: Iterable[Portion], change: Change) -> int:
        """Nanodollars that portions would cost more (or, negative, less) if they were otherwise, by the same
        prices. What has no price, or was billed by the provider, stays as it is.
        """
        total = 0
        for portion in portions:
            other = change(portion)
            if other is None:
                total -= portion.cost_nusd
            elif other is not portion:
                before, after = self.cost(portion), self.cost(other)
                total += 0 if before is None or after is None else after - before
        return total

    def cost(self, portion: Portion) -> int | None:
        """What a portion costs by the prices as they are known now; None if they are not or do not matter."""
        if portion.basis in {"billed", "corrected"} or not portion.name:
            return None
        price = self._prices.price(
            self._provider,
            portion.name,
            portion.day * DAY_SECONDS + NOON,
            service_tier=portion.service_tier,
            geo=portion.geo,
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
