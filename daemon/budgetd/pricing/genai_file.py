"""The shape of genai-prices' published data file, as far as it bears on prices. Pure."""

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from budgetd.pricing.rates import MOST_TOKENS, Rates
from budgetd.pricing.table import Clause, Listing


class Step(msgspec.Struct, frozen=True):
    """The price of inputs longer than ``start`` tokens."""

    start: Annotated[int, Meta(ge=0, lt=MOST_TOKENS)]
    price: Decimal


class Tiered(msgspec.Struct, frozen=True):
    """A price that goes by the length of the input."""

    base: Decimal
    tiers: tuple[Step, ...]


Prices = dict[str, Decimal | Tiered | None]
"""Dollars by the source's name of what they are for."""


class Constraint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A first day, or a stretch of each day; neither: always. One of another kind is not understood."""

    start_date: datetime.date | None = None
    start_time: datetime.time | None = None
    end_time: datetime.time | None = None

    @property
    def since(self) -> int:
        """The first UTC second; 0 where it names no day."""
        if self.start_date is None:
            return 0
        return int(datetime.datetime.combine(self.start_date, datetime.time(), datetime.UTC).timestamp())

    @property
    def hours(self) -> tuple[int, int] | None:
        """The stretch, in seconds after UTC midnight."""
        if self.start_time is None or self.end_time is None:
            return None
        return _second(self.start_time), _second(self.end_time)

    def holds(self, at: int) -> bool:
        """Whether a UTC second lies in it."""
        return Listing(since=self.since, hours=self.hours, rates=Rates()).holds(at)


ALWAYS = Constraint()


class Conditional(msgspec.Struct, frozen=True):
    """Prices that hold at some times."""

    prices: Prices
    constraint: Constraint | None = None

    @property
    def when_in_force(self) -> Constraint:
        """Its constraint; none means always."""
        return self.constraint or ALWAYS


class Variant(Conditional, frozen=True):
    """Prices that hold at some times for some requests."""

    when: dict[str, str] = {}


class FileModel(msgspec.Struct, frozen=True):
    """A model."""

    id: str
    match: Clause
    prices: Prices | tuple[Conditional, ...]
    context_window: int | None = None
    price_variants: tuple[Variant, ...] | None = None

    @property
    def history(self) -> tuple[Conditional, ...]:
        """Its standard prices; the last one in force holds, else the first."""
        return self.prices if isinstance(self.prices, tuple) else (Conditional(self.prices),)

    @property
    def dated(self) -> Iterator[Constraint]:
        """When any of its prices holds."""
        yield from (each.when_in_force for each in (*self.history, *(self.price_variants or ())))


class FileProvider(msgspec.Struct, frozen=True):
    """A provider."""

    id: str
    models: tuple[FileModel, ...] = ()
    provider_match: Clause | None = None
    fallback_model_providers: tuple[str, ...] | None = None


def _second(moment: datetime.time) -> int:
    """Seconds after UTC midnight of a time of day, which is UTC where it names no zone."""
    zone = moment.tzinfo or datetime.UTC
    utc = datetime.datetime.combine(datetime.date(2000, 1, 2), moment, zone).astimezone(datetime.UTC)
    return utc.hour * 3600 + utc.minute * 60 + utc.second
