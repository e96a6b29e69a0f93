"""The price book: which price holds for a model at a time. How a source is read is in its own file."""

from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Protocol

from budgetd.pricing.rates import Price, dearest, utc_day

__all__ = ["Book", "Price", "Source", "load_book"]

_DAY = 86_400
_LONGEST_NAME = 200
"""A longer model or tier name is nobody's, and is neither searched for nor kept."""
_KEPT_PRICES = 1_024
_KEPT_CEILINGS = 64


class Source(Protocol):
    """A list of prices. It need not be fast: the book asks once per name and stretch of constant price."""

    @property
    def name(self) -> str:
        """The source and its version."""
        ...

    def day_slots(self) -> list[float]:
        """Seconds after UTC midnight at which some price changes, ascending, from 0."""
        ...

    def find(self, provider: str, model: str, at: float, *, service_tier: str, geo: str) -> Price | None:
        """The price of a model at a time; None if unknown, or zero where nothing says that it is free."""
        ...

    def listed(self, provider: str, at: float) -> list[Price]:
        """Prices of the provider's text models at a time; none if it is unknown; of everyone's for ""."""
        ...


class Book:
    """Answers for prices, and remembers its answers, within bounds whatever names clients send.

    The source is loaded when first needed; ``warm`` does it ahead of the first request.
    """

    def __init__(self, load: Callable[[], Source]) -> None:
        self._load = load
        self._find = lru_cache(_KEPT_PRICES)(self._find_price)
        self._top = lru_cache(_KEPT_CEILINGS)(self._find_ceiling)

    @cached_property
    def _source(self) -> Source:
        return self._load()

    @cached_property
    def _slots(self) -> list[float]:
        return self._source.day_slots()

    def warm(self) -> None:
        """Load the source now: some 0.2 s, best spent in a thread while the daemon starts."""
        _ = self._slots

    def price(
        self, provider: str, model: str, at: float, *, service_tier: str = "", geo: str = ""
    ) -> Price | None:
        """The price of ``model`` at ``at``; None if no source knows it.

        A price of zero counts as unknown, unless the name itself says that it is free. ``service_tier`` and
        ``geo`` are the provider's words (``priority``, ``flex``, ``batch``, ``fast``; ``us``); where the
        source has no price for them, the standard price holds. So far it has none for any ``geo``.
        """
        if len(model) > _LONGEST_NAME:
            return None
        if len(service_tier) > _LONGEST_NAME or len(geo) > _LONGEST_NAME:
            service_tier = geo = ""
        return self._find(provider, model, self._constant_since(at), service_tier, geo)

    def ceiling(self, provider: str, at: float) -> Price:
        """The dearest a text model of ``provider`` costs, class by class, long-context tiers included; for a
        provider nobody knows, of all providers.

        No model is left out as an outlier: whatever is on the list can be what an unknown name stands for.
        """
        return self._top(provider, self._constant_since(at))

    def _constant_since(self, at: float) -> float:
        """The start of the stretch around ``at`` in which no price changes: they do so at UTC midnight and at
        the source's slots."""
        midnight = at // _DAY * _DAY
        return midnight + self._slots[bisect_right(self._slots, at - midnight) - 1]

    def _find_price(self, provider: str, model: str, at: float, service_tier: str, geo: str) -> Price | None:
        return self._source.find(provider, model, at, service_tier=service_tier, geo=geo)

    def _find_ceiling(self, provider: str, at: float) -> Price:
        prices = self._source.listed(provider, at)
        whose = provider if prices else "any provider"
        return dearest(
            f"{self._source.name} {whose} ceiling {utc_day(at)}", prices or self._source.listed("", at)
        )


def load_book() -> Book:
    """The book of the prices that are shipped. Returns at once: they are loaded when first needed."""
    return Book(_shipped)


def _shipped() -> Source:
    # Imported here, for this import is a good part of the time in which the daemon has to be ready.
    from budgetd.pricing.genai import GenaiPrices

    return GenaiPrices()
