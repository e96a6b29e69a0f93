"""What an exchange may cost and has cost, by the prices of its provider at its time. Pure.

The basis of a cost says how sure it is (DESIGN 3).
"""

from typing import Literal

import msgspec

from budgetd.metering.usage import Ask, Reading, Usage
from budgetd.pricing.book import Book, Price
from budgetd.pricing.estimate import Estimate, estimate, streamed_usage
from budgetd.pricing.learning import Learner
from budgetd.pricing.rates import dearest_by_tier

Basis = Literal["billed", "reported", "estimated", "unmetered"]


class Cost(msgspec.Struct, frozen=True):
    """The cost of an exchange. Nanodollars."""

    nusd: int
    basis: Basis
    usage: Usage
    model: str
    price_id: str
    service_tier: str = ""
    geo: str = ""
    response_id: str = ""
    output_bytes: int = 0
    """Of what was generated, as far as it was seen."""


MOST_NUSD = 10**17
"""No exchange is taken to cost more than this (a hundred million dollars), so that sums fit 64 bits."""

NOTHING = Reading()

FREE = "free"
"""Price id of an upstream that bills nothing."""


class Pricer:
    """Prices for one upstream's provider at the time of a request."""

    def __init__(
        self,
        book: Book,
        provider: str,
        at: float,
        *,
        free: bool,
        learner: Learner | None = None,
        nearest: bool = True,
    ) -> None:
        """Args:
        book: where prices stand.
        provider: who bills.
        at: when the request was admitted, UTC epoch seconds.
        free: the upstream bills nothing, whatever its models are called.
        learner: what it expects of a request is expected; without it, what families of models use.
        nearest: a model without a price counts as the one that its name is most like; else, and where it is
            like none, at the provider's dearest.
        """
        self._book = book
        self._provider = provider
        self._at = at
        self._free = free
        self._learner = learner
        self._nearest = nearest
        self._found: dict[tuple[str, str, str], Price | None] = {}

    def price(self, model: str, service_tier: str = "", geo: str = "") -> Price:
        """The model's price; of a model whose price is not known, what it counts at."""
        return (
            self.known(model, service_tier, geo)
            or self.nearest(model, service_tier, geo)
            or self._book.ceiling(self._provider, self._at)
        )

    def nearest(self, model: str, service_tier: str = "", geo: str = "") -> Price | None:
        """The price that a model of unknown price counts at, if its name is like that of a known one."""
        if not self._nearest:
            return None
        return self._book.nearest(self._provider, model, self._at, service_tier=service_tier, geo=geo)

    def known(self, model: str, service_tier: str = "", geo: str = "") -> Price | None:
        """The model's own price, if it is known."""
        name = (model, service_tier, geo)
        if name not in self._found:
            self._found[name] = self._book.price(
                self._provider, model, self._at, service_tier=service_tier, geo=geo
            )
        return self._found[name]

    def expect(self, ask: Ask, session: str = "") -> Estimate:
        """What a request of this session (empty where nobody names one) may cost."""
        if self._free:
            return Estimate(expected_nusd=0, worst_nusd=0, expected=Usage())
        usage = self._learner and self._learner.expect(ask, session, self._at)
        sized = estimate(ask, self.price(ask.model, ask.service_tier), usage, self._bound(ask))
        if max(sized.expected_nusd, sized.worst_nusd or 0) <= MOST_NUSD:
            return sized
        return msgspec.structs.replace(
            sized,
            expected_nusd=min(sized.expected_nusd, MOST_NUSD),
            worst_nusd=None if sized.worst_nusd is None else min(sized.worst_nusd, MOST_NUSD),
        )

    def _bound(self, ask: Ask) -> Price | None:
        """The dearest that any model which may bill in a request is said to be; of one that is unknown, the
        provider's dearest and what it counts at.
        """
        bounds = [
            self._book.bound(self._provider, model, self._at, service_tier=ask.service_tier)
            for model in (ask.model, *ask.others)
        ]
        if not ask.others and bounds[0]:
            return bounds[0]
        known = [bound for bound in bounds if bound]
        if len(known) < len(bounds):
            known += [self._book.ceiling(self._provider, self._at), self.price(ask.model, ask.service_tier)]
        return dearest_by_tier("", known)

    def tally(
        self,
        ask: Ask,
        reading: Reading | None,
        *,
        failed: bool,
        metered: bool,
        expected: Usage | None = None,
    ) -> Cost:
        """What an exchange cost, or has cost so far.

        Args:
            ask: what was asked for.
            reading: what the meter read; None if nothing was metered.
            failed: the provider answered with an error, for which it bills nothing.
            metered: the API is one that is understood.
            expected: what was expected of the request, for what is never reported.
        """
        reading = reading or NOTHING
        usage, basis = self._usage(ask, reading, expected, failed=failed, metered=metered)
        model = reading.model or ask.model
        tier = reading.service_tier or ask.service_tier

        def cost(nusd: int, basis: Basis, model: str, price_id: str) -> Cost:
            return Cost(
                min(nusd, MOST_NUSD),
                basis,
                usage,
                model,
                price_id,
                service_tier=tier,
                geo=reading.geo,
                response_id=reading.response_id,
                output_bytes=reading.output_bytes,
            )

        if self._free:
            return cost(0, basis, model, FREE)
        price = self.known(model, tier, reading.geo)
        if price is None:
            model = self._instead(model, ask.model)
            price = self.price(model, tier, reading.geo)
        if reading.cost_nusd is not None and _is_charge(reading, model):
            return cost(reading.cost_nusd, "billed", model, "")
        nusd = price.cost_nusd(usage)
        for other, used in reading.others:
            nusd += self.price(other, tier, reading.geo).cost_nusd(used)
        if reading.cost_nusd is not None:
            nusd = max(nusd, reading.cost_nusd)  # what had been charged when the answer broke off
        if usage.images and not nusd:
            basis = "unmetered"  # pictures that nobody tells the price of are not free
        return cost(nusd, basis, model, price.id)

    def _instead(self, billed: str, asked: str) -> str:
        """Which of two names tells the price, where the model that answered has none."""
        if not self.known(asked) and self.nearest(billed):
            return billed
        return asked

    def _usage(
        self, ask: Ask, reading: Reading, expected: Usage | None, *, failed: bool, metered: bool
    ) -> tuple[Usage, Basis]:
        if reading.usage is not None and reading.complete:
            return reading.usage, "reported"
        if failed or reading.failed:
            return reading.usage or Usage(), "reported"
        if reading.complete and ask.input_characters and self.price(ask.model).rates.character:
            return Usage(input_characters=ask.input_characters), "reported"
        if reading.pending:
            return expected or estimate(ask, self.price(ask.model)).expected, "estimated"
        if reading.usage is not None or reading.output_bytes:
            return self._streamed(ask, reading, expected), "estimated"
        if not metered or not ask.understood:
            return expected or estimate(ask, self.price(ask.model)).expected, "unmetered"
        if reading.complete:
            return expected or estimate(ask, self.price(ask.model)).expected, "estimated"
        return self._streamed(ask, reading, expected), "estimated"

    def _streamed(self, ask: Ask, reading: Reading, expected: Usage | None) -> Usage:
        writing = self._learner and self._learner.writing(ask.model, reading.model or ask.model)
        return streamed_usage(ask, reading, expected, writing)


def _is_charge(reading: Reading, model: str) -> bool:
    """Whether what the response states is what the provider charges: it is whole, and nothing is charged for
    something only where the model's name promises that.
    """
    used = reading.output_bytes > 0 or (reading.usage or Usage()) != Usage()
    return reading.complete and (bool(reading.cost_nusd) or not used or model.lower().endswith(":free"))
