"""What the sources say of one model's price, class by class, side by side. Pure."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import msgspec

from budgetd.pricing.book import Source
from budgetd.pricing.overrides import Override
from budgetd.pricing.rate_names import NAMES, dollars
from budgetd.pricing.rates import Price

VARIANTS = (
    ("batch", ""),
    ("flex", ""),
    ("priority", ""),
    ("fast", ""),
    ("ultrafast", ""),
    ("", "us"),
    ("", "eu"),
)
"""Service tiers and places that may have prices of their own; where both do, they multiply."""

NOTHING = "—"
"""Stands where a source says nothing."""

_TOKENS = tuple(name for name in NAMES if NAMES[name].per == "M")


class Opinion(msgspec.Struct, frozen=True):
    """What one layer says of a model."""

    name: str
    standard: Price
    variants: dict[tuple[str, str], Price]
    """By service tier and place; only what differs from the standard."""


class Row(msgspec.Struct, frozen=True):
    """One line of the comparison."""

    label: str
    values: tuple[str, ...]
    """One for each opinion."""

    @property
    def disputed(self) -> bool:
        """Whether those that say something differ."""
        return len({value for value in self.values if value != NOTHING}) > 1


def opinion(source: Source, provider: str, model: str, at: float) -> Opinion | None:
    """What a source says; None if it does not know the model."""
    standard = source.find(provider, model, at)
    if standard is None:
        return None
    variants = {
        variant: price
        for variant in VARIANTS
        if (price := source.find(provider, model, at, *variant))
        and (price.rates, price.tiers, price.request) != (standard.rates, standard.tiers, standard.request)
    }
    return Opinion(source.name, standard, variants)


def stated(override: Override, over: Opinion | None) -> Opinion | None:
    """What a person says, laid over what the source says that counts, if one knows the model; None if that
    makes no price.
    """
    standard = override.over(over.standard if over else None, "")
    variants = over.variants if over else {}
    laid = {variant: each for variant, price in variants.items() if (each := override.over(price, ""))}
    return Opinion("config.toml", standard, laid) if standard else None


def rows(opinions: Sequence[Opinion]) -> Iterator[Row]:
    """The standard price of each class, then tiers and places: by their factor where it is the same for all
    tokens, else class by class.
    """
    standards = [each.standard for each in opinions]
    yield from _classes("", standards, standards)
    for variant in VARIANTS:
        word = "".join(variant)
        found = [each.variants.get(variant) for each in opinions]
        factors = [
            price and _factor(price, standard) for price, standard in zip(found, standards, strict=True)
        ]
        if all(factor is not None for factor, price in zip(factors, found, strict=True) if price):
            if any(found):
                yield Row(word, tuple(f"× {float(factor):g}" if factor else NOTHING for factor in factors))
        else:
            yield from _classes(f"{word} ", found, standards)
    yield from _sizes(standards)


def _classes(words: str, prices: Sequence[Price | None], standards: Sequence[Price]) -> Iterator[Row]:
    """A row for each class and length of input that some price tells apart."""
    starts = {-1, *(tier.start for price in prices if price for tier in price.tiers)}
    told: set[tuple[str, tuple[str, ...]]] = set()
    for start in sorted(starts):
        long = f" >{start // 1000}k" if start > 0 else ""
        names = {
            name
            for price, standard in zip(prices, standards, strict=True)
            for name in _told(price, standard, start)
        }
        for name in (name for name in NAMES if name in names):
            values = tuple(_value(price, name, start) for price in prices)
            if (name, values) not in told:
                told.add((name, values))
                per = NAMES[name].per
                yield Row(f"{words}{NAMES[name].label}{long}" + ("" if per == "M" else f", {per}"), values)


def _told(price: Price | None, standard: Price, start: int) -> Iterator[str]:
    """The classes that have a price of their own; of a tier or place, those that differ from the standard."""
    if price is None:
        return
    rates, base = price.above(start), standard.above(start)
    own = rates.own()
    for name in own:
        billed = own[name] or (name in _TOKENS and rates.dearest_input(cache_write_1h=True))
        if billed and (price is standard or getattr(rates, name) != getattr(base, name)):
            yield name
    if price.request:
        yield "request"


def _value(price: Price | None, name: str, start: int) -> str:
    if price is None:
        return NOTHING
    rate = price.request if name == "request" else getattr(price.above(start), name)
    return dollars(rate, name) if rate or name in _TOKENS else NOTHING


def _factor(price: Price, standard: Price) -> Fraction | None:
    """By how much every token costs more or less, at any length of input; None if not all do by the same."""
    starts = {-1, *(tier.start for each in (price, standard) for tier in each.tiers)}
    factors: set[Fraction] = set()
    for start in starts:
        for name in _TOKENS:
            told, base = getattr(price.above(start), name), getattr(standard.above(start), name)
            if told or base:
                factors.add(Fraction(told, base) if base else Fraction(-1))
    factor = factors.pop() if len(factors) == 1 else Fraction(-1)
    return factor if factor >= 0 else None


def _sizes(standards: Sequence[Price]) -> Iterator[Row]:
    for label, name in (("takes in, tokens", "context_window"), ("puts out, tokens", "max_output_tokens")):
        sizes = [getattr(price, name) for price in standards]
        if any(sizes):
            yield Row(label, tuple(f"{size:,}" if size else NOTHING for size in sizes))
