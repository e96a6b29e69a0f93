"""One model's price as exact integers, and what a usage costs by it. Where prices come from is not here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from budgetd.metering.usage import Usage

SCALE = 10**15
"""Rates count 1/SCALE nanodollars, so that a published price of whatever decimals is an exact int."""

_DOLLAR = 24
"""A dollar is 10**24 of them."""

MOST_DOLLARS = 1_000_000
"""No price is higher, whatever it is for: what is must be a slip of the pen."""

MOST_TOKENS = 10**12
"""No model takes in more, nor begins a price above it."""

_HEIRS = (
    "audio_cache_read",
    "image_cache_read",
    "cache_read",
    "cache_write_1h",
    "cache_write",
    "audio_input",
    "image_input",
    "reasoning",
    "audio_output",
    "image_output",
)
"""Classes that inherit, each before those it may inherit from."""

FEES = ("web_search", "file_search")
"""Classes that are billed beside what a model does, so that they alone make no price of it."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one token of each class costs, or one of what is not billed by tokens, in 1/SCALE nanodollars.

    The classes do not overlap: ``fresh_input`` is text neither read from nor written to a cache, ``output``
    is neither reasoning nor audio nor image. A class of tokens without a price of its own bears that of the
    one it belongs to.
    """

    fresh_input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    audio_cache_read: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    web_search: int = 0
    image_input: int = 0
    image_cache_read: int = 0
    image_output: int = 0
    file_search: int = 0
    search_unit: int = 0
    image: int = 0
    """For a picture made, whatever its tokens."""
    character: int = 0
    """For a character to be spoken."""
    audio_ms: int = 0
    """For a millisecond of sound."""

    @classmethod
    def of(cls, own: Mapping[str, int]) -> "Rates":
        """Rates of which only these classes have a price of their own; tokens of the others bear their
        parent's.
        """
        fresh, output = own.get("fresh_input", 0), own.get("output", 0)
        audio, image = own.get("audio_input", fresh), own.get("image_input", fresh)
        cache_write = own.get("cache_write", fresh)
        inherited = {
            "cache_read": fresh,
            "cache_write": fresh,
            "cache_write_1h": cache_write,
            "audio_input": fresh,
            "audio_cache_read": own.get("cache_read", audio),
            "image_input": fresh,
            "image_cache_read": own.get("cache_read", image),
            "reasoning": output,
            "audio_output": output,
            "image_output": output,
        }
        return cls(**{**inherited, **own})

    def own(self) -> dict[str, int]:
        """The classes that do not cost just what they would inherit: ``Rates.of`` makes the same of them."""
        own = msgspec.structs.asdict(self)
        for name in _HEIRS:
            rest = {other: value for other, value in own.items() if other != name}
            if Rates.of(rest) == self:
                own = rest
        return own

    def dearest_input(self, *, cache_write_1h: bool) -> int:
        """The most an input token can cost; 1-hour cache writes count only if they were asked for."""
        dearest = max(
            self.fresh_input,
            self.cache_read,
            self.cache_write,
            self.audio_input,
            self.audio_cache_read,
            self.image_input,
            self.image_cache_read,
        )
        return max(dearest, self.cache_write_1h) if cache_write_1h else dearest

    def dearest_output(self) -> int:
        """The most an output token can cost."""
        return max(self.output, self.reasoning, self.audio_output, self.image_output)

    def bound(self, input_tokens: int, output_tokens: int, searches: int, *, cache_write_1h: bool) -> int:
        """The most an exchange of so many tokens can cost by these rates, in 1/SCALE nanodollars."""
        return (
            input_tokens * self.dearest_input(cache_write_1h=cache_write_1h)
            + output_tokens * self.dearest_output()
            + searches * self.web_search
        )


class Tier(msgspec.Struct, frozen=True):
    """The rates of a whole exchange whose input is longer than ``start`` tokens: a cliff, not a margin."""

    start: int
    rates: Rates


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What one model of one provider costs at one time."""

    id: str
    """Names the source and its version, the provider, the model, the UTC day and, where they change the
    price, the service tier, the place and the person's override."""
    model: str = ""
    """What the source calls the model."""
    rates: Rates
    tiers: tuple[Tier, ...] = ()
    """By ascending start; the last one whose start the input exceeds holds, else ``rates``."""
    request: int = 0
    """What each exchange costs on top, in 1/SCALE nanodollars."""
    context_window: int | None = None
    """The most tokens the model takes in, where the source knows."""
    max_output_tokens: int | None = None
    """The most tokens the model puts out, where a source knows."""

    def cost_nusd(self, usage: Usage) -> int:
        """The cost of one exchange, rounded half to even once. Never negative.

        Parts that exceed their total (no provider should report that) are billed in full.
        """
        rates = self.rates
        for tier in self.tiers:
            if usage.input_tokens > tier.start:
                rates = tier.rates
        cost = self.request + _input_cost(usage, rates) + _output_cost(usage, rates) + _beside(usage, rates)
        nusd, rest = divmod(cost, SCALE)
        if rest * 2 > SCALE or (rest * 2 == SCALE and nusd % 2):
            return nusd + 1
        return nusd

    def bound_nusd(
        self, input_tokens: int, output_tokens: int, *, web_searches: int = 0, cache_write_1h: bool = False
    ) -> int:
        """The most an exchange of up to so many tokens can cost, whatever class and tier they fall into."""
        dearest = self.rates.bound(input_tokens, output_tokens, web_searches, cache_write_1h=cache_write_1h)
        for tier in self.tiers:
            if input_tokens > tier.start:
                bound = tier.rates.bound(
                    input_tokens, output_tokens, web_searches, cache_write_1h=cache_write_1h
                )
                dearest = max(dearest, bound)
        return -(-(self.request + dearest) // SCALE)

    def bills_output(self) -> bool:
        """False for an embedding model: its output needs no bound."""
        if self.rates.dearest_output():
            return True
        return any(tier.rates.dearest_output() for tier in self.tiers)

    def bills(self) -> bool:
        """False where all is zero, fees of the provider's own tools apart."""
        every = (self.rates, *(tier.rates for tier in self.tiers))
        return self.request > 0 or any(
            getattr(rates, name) for rates in every for name in Rates.__struct_fields__ if name not in FEES
        )

    def above(self, start: int) -> Rates:
        """The rates of an exchange whose input is just longer than ``start`` tokens."""
        return next((tier.rates for tier in reversed(self.tiers) if tier.start <= start), self.rates)

    def knows_web_search(self) -> bool:
        """Whether the fee of a provider's own web search is known."""
        return self.rates.web_search > 0


def rate(dollars: Decimal, exponent: int = 0) -> int:
    """Dollars for 10**exponent of something as a rate for one, rounded half to even.

    Raises ValueError for what cannot be a price.
    """
    if not dollars.is_finite() or not 0 <= dollars <= MOST_DOLLARS:
        raise ValueError(f"a price of ${dollars:.12G}")
    # scaleb shifts the point without touching a digit; multiplying would round to 28 of them.
    return round(dollars.scaleb(_DOLLAR - exponent))


def dearest(id: str, prices: list[Price]) -> Price:
    """A price whose every rate is the dearest of ``prices``, tiers included, its window the widest."""
    every = [rates for price in prices for rates in (price.rates, *(tier.rates for tier in price.tiers))]
    return _top(id, prices, _tops(every), ())


def dearest_by_tier(id: str, prices: list[Price]) -> Price:
    """A price that is as dear as the dearest of ``prices``, class by class, at each length of the input."""
    starts = sorted({tier.start for price in prices for tier in price.tiers})
    tiers = tuple(Tier(start, _tops([price.above(start) for price in prices])) for start in starts)
    return _top(id, prices, _tops([price.rates for price in prices]), tiers)


def _top(id: str, prices: list[Price], rates: Rates, tiers: tuple[Tier, ...]) -> Price:
    windows = [price.context_window for price in prices if price.context_window is not None]
    outputs = [price.max_output_tokens for price in prices if price.max_output_tokens is not None]
    return Price(
        id=id,
        rates=rates,
        tiers=tiers,
        request=max(price.request for price in prices),
        context_window=max(windows, default=None),
        max_output_tokens=max(outputs, default=None),
    )


def _tops(every: list[Rates]) -> Rates:
    return Rates(**{name: max(getattr(rates, name) for rates in every) for name in Rates.__struct_fields__})


def _input_cost(usage: Usage, rates: Rates) -> int:
    written, written_1h = usage.cache_write_tokens, usage.cache_write_1h_tokens
    read, audio, image = usage.cache_read_tokens, usage.input_audio_tokens, usage.input_image_tokens
    if not (written or written_1h or read or audio or image):
        return _count(usage.input_tokens) * rates.fresh_input
    audio_read, image_read = _count(usage.cache_read_audio_tokens), _count(usage.cache_read_image_tokens)
    written_1h = _count(written_1h)
    text_read, written_5m = _count(read - audio_read - image_read), _count(written - written_1h)
    audio, image = _count(audio - audio_read), _count(image - image_read)
    special = text_read + audio_read + image_read + written_5m + written_1h + audio + image
    return (
        _count(usage.input_tokens - special) * rates.fresh_input
        + text_read * rates.cache_read
        + written_5m * rates.cache_write
        + written_1h * rates.cache_write_1h
        + audio * rates.audio_input
        + audio_read * rates.audio_cache_read
        + image * rates.image_input
        + image_read * rates.image_cache_read
    )


def _output_cost(usage: Usage, rates: Rates) -> int:
    reasoning, audio, image = usage.reasoning_tokens, usage.output_audio_tokens, usage.output_image_tokens
    if not (reasoning or audio or image):
        return _count(usage.output_tokens) * rates.output
    reasoning, audio, image = _count(reasoning), _count(audio), _count(image)
    text = _count(usage.output_tokens - reasoning - audio - image)
    return (
        text * rates.output
        + reasoning * rates.reasoning
        + audio * rates.audio_output
        + image * rates.image_output
    )


def _beside(usage: Usage, rates: Rates) -> int:
    """What is not billed by tokens."""
    cost = 0
    if usage.web_searches > 0:
        cost += usage.web_searches * rates.web_search
    if usage.file_searches > 0:
        cost += usage.file_searches * rates.file_search
    if usage.search_units > 0:
        cost += usage.search_units * rates.search_unit
    if usage.images > 0:
        cost += usage.images * rates.image
    if usage.input_characters > 0:
        cost += usage.input_characters * rates.character
    if usage.input_audio_ms > 0:
        cost += usage.input_audio_ms * rates.audio_ms
    return cost


def _count(number: int) -> int:
    return max(0, number)


def utc_day(at: float) -> str:
    """The UTC date of ``at``, as it stands in a price's id."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
