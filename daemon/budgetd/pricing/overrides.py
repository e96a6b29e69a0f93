"""`[pricing.overrides]` of config.toml: prices that a person states, checked and laid over a source's. Pure.

What is stated holds for every length of input, service tier and place; what is left out comes from the source
that knows the model, else from the class it belongs to.
"""

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase

import msgspec

from budgetd.pricing.rates import Price, Rates, Tier, rate
from budgetd.toml_file import TomlFile

_EXPONENTS = {
    "input": ("fresh_input", 6),
    "output": ("output", 6),
    "cache_read": ("cache_read", 6),
    "cache_write": ("cache_write", 6),
    "cache_write_1h": ("cache_write_1h", 6),
    "audio_input": ("audio_input", 6),
    "audio_output": ("audio_output", 6),
    "image_input": ("image_input", 6),
    "image_output": ("image_output", 6),
    "reasoning": ("reasoning", 6),
    "characters": ("character", 6),
    "web_search": ("web_search", 3),
    "file_search": ("file_search", 3),
    "search_unit": ("search_unit", 3),
    "image": ("image", 0),
}
"""Our class for each key, and the power of ten that its price is for."""
_MS_AN_HOUR = 3_600_000
_BY_INPUT = {"fresh_input", "search_unit", "image", "character", "audio_ms"}
"""Classes of which one alone makes a price of a model that no source knows."""


class OverrideSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[pricing.overrides."PROVIDER/MODEL"]`, globs allowed. Dollars, as numbers or as text."""

    input: Decimal | None = None
    """Tokens, here and below to `reasoning`: dollars per million."""
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    image_input: Decimal | None = None
    image_output: Decimal | None = None
    reasoning: Decimal | None = None
    web_search: Decimal | None = None
    """Dollars per thousand, as the next two."""
    file_search: Decimal | None = None
    search_unit: Decimal | None = None
    image: Decimal | None = None
    """Dollars for one picture made."""
    request: Decimal | None = None
    """Dollars for each exchange, on top."""
    audio_hour: Decimal | None = None
    """Dollars for an hour of sound."""
    characters: Decimal | None = None
    """Dollars per million characters to be spoken."""
    free: bool = False
    """The explicit yes that a price of zero needs. Without any price: the model is free altogether."""


class Override(msgspec.Struct, frozen=True):
    """What a person says that some models cost."""

    pattern: str
    """provider/model in lower case, perhaps with globs."""
    own: Mapping[str, int]
    """The stated classes, by the names that `Rates` has for them."""
    request: int | None = None
    free: bool = False

    @property
    def tag(self) -> str:
        """Stands in the id of a price for the override and its values."""
        said = msgspec.json.encode([self.pattern, sorted(self.own.items()), self.request, self.free])
        return f"override:{hashlib.blake2b(said, digest_size=3).hexdigest()}"

    def over(self, price: Price | None, id: str) -> Price | None:
        """The price with what is stated in it. Of a model that no source knows, which ``id`` names, there is
        none where what goes in would cost nothing and nobody said so.
        """
        if price is None:
            if not (self.free or self.request or self.own.keys() & _BY_INPUT):
                return None
            return Price(id=f"{self.tag} {id}", rates=Rates.of(self.own), request=self.request or 0)
        id = f"{price.id} {self.tag}"
        if self.free:
            return msgspec.structs.replace(price, id=id, rates=Rates(), tiers=(), request=0)
        return msgspec.structs.replace(
            price,
            id=id,
            rates=self._rates(price.rates),
            tiers=tuple(Tier(tier.start, self._rates(tier.rates)) for tier in price.tiers),
            request=price.request if self.request is None else self.request,
        )

    def _rates(self, rates: Rates) -> Rates:
        """A class that costs what its parent costs goes along with it."""
        return Rates.of({**rates.own(), **self.own})


class Overrides(msgspec.Struct, frozen=True):
    """All that a person says of prices. One without globs goes before one with; else the first written."""

    entries: tuple[Override, ...] = ()

    def find(self, provider: str, models: Iterable[str]) -> Override | None:
        """The one for a model of a provider, by any of the names that it has."""
        names = [f"{provider}/{model}".lower() for model in models if model]
        exact = (each for each in self.entries if each.pattern in names)
        globs = (each for each in self.entries if any(fnmatchcase(name, each.pattern) for name in names))
        return next(exact, None) or next(globs, None)


def read_overrides(file: TomlFile, sections: Mapping[str, OverrideSection]) -> Overrides:
    """The sections of a file, checked. Raises ConfigError with file, line and key."""
    return Overrides(tuple(_override(file, pattern, section) for pattern, section in sections.items()))


def _override(file: TomlFile, pattern: str, section: OverrideSection) -> Override:
    at = ["pricing", "overrides", pattern]
    provider, _, model = pattern.partition("/")
    if not provider or not model:
        raise file.error(at, 'is not PROVIDER/MODEL, like "anthropic/claude-opus-4-8" or "azure/gpt-*".')
    stated: dict[str, Decimal] = {}
    for key in section.__struct_fields__:
        value = getattr(section, key)
        if isinstance(value, Decimal):
            stated[key] = value
            _check(file, [*at, key], value, free=section.free)
    if not stated and not section.free:
        raise file.error(at, "states no price; write one, or free = true.")
    own = {name: rate(stated[key], power) for key, (name, power) in _EXPONENTS.items() if key in stated}
    if "audio_hour" in stated:
        own["audio_ms"] = round(Decimal(rate(stated["audio_hour"])) / _MS_AN_HOUR)
    return Override(
        pattern=pattern.lower(),
        own=own,
        request=rate(stated["request"]) if "request" in stated else None,
        free=section.free and not stated,
    )


def _check(file: TomlFile, at: list[str], dollars: Decimal, *, free: bool) -> None:
    if dollars.is_finite() and dollars < 0:
        raise file.error(at, f"a price of ${dollars} would pay you; write what it costs.")
    if dollars == 0 and not free:
        raise file.error(at, "a price of zero needs free = true beside it.")
    try:
        rate(dollars)
    except ValueError as error:
        raise file.error(at, f"{error} is none; write dollars, like 2.50.") from None
