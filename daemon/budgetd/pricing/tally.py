"""What an exchange cost, from what its meter read. Pure; the basis says how sure it is (DESIGN 3)."""

from typing import Literal

import msgspec

from budgetd.metering.usage import Ask, Reading, Usage
from budgetd.pricing.book import Book, Price
from budgetd.pricing.estimate import estimate, streamed_usage

Basis = Literal["billed", "reported", "estimated", "unmetered"]


class Cost(msgspec.Struct, frozen=True):
    """The cost of an exchange. Nanodollars."""

    nusd: int
    basis: Basis
    usage: Usage
    model: str
    price_id: str


FREE = "free"
"""Price id of an upstream that bills nothing."""


class Pricer:
    """Prices for one upstream's provider at the time of a request."""

    def __init__(self, book: Book, provider: str, at: float, *, free: bool) -> None:
        """``free``: the upstream bills nothing, whatever its models are called."""
        self._book = book
        self._provider = provider
        self._at = at
        self._free = free

    def price(self, model: str, service_tier: str = "", geo: str = "") -> Price:
        """The model's price, or the dearest of the provider where it is not known."""
        known = self._book.price(self._provider, model, self._at, service_tier=service_tier, geo=geo)
        return known or self._book.ceiling(self._provider, self._at)

    def knows(self, model: str) -> bool:
        """Whether the model has a price of its own."""
        return self._book.price(self._provider, model, self._at) is not None

    def expect(self, ask: Ask) -> tuple[int, int | None]:
        """Expected and worst cost of a request; the worst is None where nothing bounds it."""
        if self._free:
            return 0, 0
        guess = estimate(ask, self.price(ask.model, ask.service_tier))
        return guess.expected_nusd, guess.worst_nusd

    def tally(self, ask: Ask, reading: Reading | None, *, failed: bool, metered: bool) -> Cost:
        """What an exchange cost, or has cost so far.

        Args:
            ask: what was asked for.
            reading: what the meter read; None if nothing was metered.
            failed: the provider answered with an error, for which it bills nothing.
            metered: the API is one that is understood.
        """
        reading = reading or Reading()
        model = reading.model if reading.model and self.knows(reading.model) else ask.model or reading.model
        usage, basis = self._usage(ask, reading, failed=failed, metered=metered)
        if self._free:
            return Cost(0, basis, usage, model, FREE)
        price = self.price(model, reading.service_tier or ask.service_tier, reading.geo)
        if reading.cost_nusd is not None:
            return Cost(reading.cost_nusd, "billed", usage, model, "")
        nusd = price.cost_nusd(usage)
        for other, used in reading.others:
            nusd += self.price(other, reading.service_tier, reading.geo).cost_nusd(used)
        return Cost(nusd, basis, usage, model, price.id)

    def _usage(self, ask: Ask, reading: Reading, *, failed: bool, metered: bool) -> tuple[Usage, Basis]:
        if reading.usage is not None and reading.complete:
            return reading.usage, "reported"
        if failed:
            return reading.usage or Usage(), "reported"
        if reading.usage is not None or reading.output_bytes:
            return streamed_usage(ask, reading), "estimated"
        if not metered or not ask.understood:
            return estimate(ask, self.price(ask.model)).expected, "unmetered"
        if reading.complete:
            return estimate(ask, self.price(ask.model)).expected, "estimated"
        return streamed_usage(ask, reading), "estimated"
