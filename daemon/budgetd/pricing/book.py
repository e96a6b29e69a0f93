"""The price book: which price holds for a model at a time, out of several layers of them. Pure.

The first layer that knows a model wins: what the person states, the primary source, the second opinion. How
a source is read is in `table`, where one comes from in `compile` and `sync`.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import msgspec

from budgetd.pricing import nearest
from budgetd.pricing.names import canonical_name
from budgetd.pricing.overrides import Overrides
from budgetd.pricing.rates import Price, dearest, dearest_by_tier, utc_day

__all__ = ["Book", "Price", "Source", "Sources", "load_book"]

_DAY = 86_400
_LONGEST_NAME = 200
"""A longer model or tier name is nobody's, and is neither searched for nor kept."""
_KEPT_PRICES = 1_024
_KEPT_CEILINGS = 64
_DEAREST_PLACE = "us"
"""Where a request does not say where it is to run, the settings of its workspace may."""
_TIERS_BY_SETTING = {"openai": ("priority",), "azure": ("priority",), "openrouter": ("priority",)}
"""Tiers above the standard one in which a provider serves requests that name none, where the settings of the
project or deployment say so. OpenRouter passes on to the others."""
_STANDARD = {"default", "standard", "standard_only", "on_demand"}
"""Words for the standard tier and no other."""

NO_OVERRIDES = Overrides()


class Source(Protocol):
    """A list of prices. It need not be fast: the book asks once per name and stretch of constant price."""

    @property
    def name(self) -> str:
        """The source and its version."""
        ...

    @property
    def as_of(self) -> int:
        """When it was last right, UTC epoch seconds."""
        ...

    @property
    def slots(self) -> Sequence[int]:
        """Seconds after UTC midnight at which some price changes, ascending, from 0."""
        ...

    def find(
        self, provider: str, model: str, at: float, service_tier: str = "", geo: str = ""
    ) -> Price | None:
        """The price of a model at a time; None if unknown, or zero where nothing says that it is free."""
        ...

    def members(self, provider: str, at: float, service_tier: str = "", geo: str = "") -> list[Price]:
        """Prices of all the provider's models at a time, but those of zero; none if it is unknown."""
        ...

    def listed(self, provider: str, at: float) -> list[Price]:
        """Prices of the provider's text models at a time; none if it is unknown; of everyone's for ""."""
        ...


class Sources(msgspec.Struct, frozen=True):
    """The sources in force."""

    primary: Source
    second: Source | None = None
    """The second opinion: it knows models that the primary does not, and bounds what they may cost."""

    def find(
        self, provider: str, model: str, at: float, service_tier: str = "", geo: str = ""
    ) -> list[Price]:
        """The prices of those that know the model, the one that counts first."""
        both = (self.primary, self.second) if self.second else (self.primary,)
        found = (source.find(provider, model, at, service_tier, geo) for source in both)
        return [price for price in found if price]

    def look_up(
        self, provider: str, model: str, at: float, service_tier: str = "", geo: str = ""
    ) -> tuple[tuple[str, str], list[Price]]:
        """A model's prices, with the provider and name that they stand under: those of the provider itself,
        else of the model's maker; none if neither's list has it.
        """
        for whose in ((provider, model), *nearest.spellings(model)):
            if found := self.find(*whose, at, service_tier, geo):
                return whose, found
        return (provider, model), []

    def nearest(
        self, provider: str, model: str, at: float, service_tier: str = "", geo: str = ""
    ) -> Price | None:
        """The price of the model that one without a price is most like, on the list of its provider, of its
        maker or on the widest one; of several that are as near, the dearest.
        """
        kin: list[tuple[int, list[Price]]] = []
        for whose in dict.fromkeys((provider, nearest.maker(model), nearest.FALLBACK)):
            offered = {each.model: each for each in self.primary.members(whose, at, service_tier, geo)}
            if self.second:
                more = self.second.members(whose, at, service_tier, geo)
                offered = {each.model: each for each in more} | offered
            kin += [
                (how, [offered[name] for name in names])
                for how, names in nearest.relatives(model, offered)
                if whose != nearest.FALLBACK or how == nearest.SAME_CLASS
            ]
        if not kin:
            return None
        _, prices = min(kin, key=lambda each: each[0])
        price = max(prices, key=lambda each: (each.rates.fresh_input + each.rates.output, each.model))
        return msgspec.structs.replace(price, id=f"{price.id} nearest")


class _Layers:
    """What is in force until the next reload, and its answers, bounded whatever names clients send."""

    def __init__(self, sources: Sources, overrides: Overrides) -> None:
        self.sources = sources
        self.overrides = overrides
        second = sources.second.slots if sources.second else ()
        self._slots = sorted({0, *sources.primary.slots, *second})
        self.price = lru_cache(_KEPT_PRICES)(self._price)
        self.bound = lru_cache(_KEPT_PRICES)(self._bound)
        self.nearest = lru_cache(_KEPT_PRICES)(sources.nearest)
        self.ceiling = lru_cache(_KEPT_CEILINGS)(self._ceiling)
        self.canonical = lru_cache(_KEPT_PRICES)(self._canonical)

    def constant_since(self, at: float) -> float:
        """The start of the stretch around ``at`` in which no price changes: they do so at UTC midnight and at
        the sources' slots."""
        midnight = at // _DAY * _DAY
        return midnight + self._slots[bisect_right(self._slots, at - midnight) - 1]

    def override(self, provider: str, model: str, at: float, price: Price | None) -> Price | None:
        """The price with what the person states in it; None if the person states nothing of the model."""
        override = self.overrides.find(provider, (model, price.model if price else ""))
        return override.over(price, f"{provider} {model} {utc_day(at)}") if override else None

    def _price(self, provider: str, model: str, at: float, service_tier: str, geo: str) -> Price | None:
        _, found = self.sources.look_up(provider, model, at, service_tier, geo)
        price = _filled(found) if found else None
        return self.override(provider, model, at, price) or price

    def _bound(self, provider: str, model: str, at: float, service_tier: str, geo: str) -> Price | None:
        (whose, name), found = self.sources.look_up(provider, model, at, service_tier, geo)
        for tier in _may_be_served(whose, service_tier):
            found += self.sources.find(whose, name, at, tier, geo)
            placed = self.sources.primary.find(whose, name, at, tier, geo or _DEAREST_PLACE)
            found += [placed] if placed else []
        found = list(dict.fromkeys(found))
        price = dearest_by_tier(" / ".join(each.id for each in found), found) if found else None
        if price:
            price = msgspec.structs.replace(price, model=found[0].model)
        return self.override(provider, model, at, price) or price

    def _canonical(self, provider: str, model: str, at: float) -> str:
        def find(provider: str, model: str) -> str:
            found = self.sources.find(provider, model, at)
            return found[0].model if found else ""

        return canonical_name(provider, model, find)

    def _ceiling(self, provider: str, at: float) -> Price:
        primary, second = self.sources.primary, self.sources.second
        for source in (primary, second):
            if source and (prices := source.listed(provider, at)):
                return dearest(f"{source.name} {provider} ceiling {utc_day(at)}", prices)
        return dearest(f"{primary.name} any provider ceiling {utc_day(at)}", primary.listed("", at))


class Book:
    """Answers for prices. The sources are loaded when first needed; ``warm`` does it ahead of that."""

    def __init__(self, load: Callable[[], Sources], overrides: Overrides = NO_OVERRIDES) -> None:
        """Args:
        load: gives the sources; called once, in whatever thread needs them first.
        overrides: what the person states.
        """
        self._load = load
        self._overrides = overrides
        self._loaded: _Layers | None = None

    def warm(self) -> None:
        """Load the sources now: where prices were never compiled here, half a second, best spent in a thread
        while the daemon starts."""
        _ = self._layers

    def reload(self, sources: Sources | None = None, overrides: Overrides | None = None) -> None:
        """Put other sources or overrides in force. A price that was given out stays what it is."""
        if overrides is not None:
            self._overrides = overrides
        self._loaded = _Layers(sources or self._layers.sources, self._overrides)

    def price(
        self, provider: str, model: str, at: float, *, service_tier: str = "", geo: str = ""
    ) -> Price | None:
        """The price of ``model`` at ``at``; None if no layer knows it.

        A price of zero counts as unknown, unless the name itself says that it is free, or the person does.
        ``service_tier`` and ``geo`` are the provider's words (``priority``, ``flex``, ``batch``, ``fast``;
        ``us``); where the source has no price for them, the standard price holds.
        """
        if len(model) > _LONGEST_NAME:
            return None
        layers = self._layers
        return layers.price(provider, model, layers.constant_since(at), _short(service_tier), _short(geo))

    def bound(
        self, provider: str, model: str, at: float, *, service_tier: str = "", geo: str = ""
    ) -> Price | None:
        """The most that any source says of a model, class by class, in any tier in which the provider may
        serve a request for this one; None if none knows it.

        What a worst case is made of: the sources differ now and then, and a strict limit goes by the dearer.
        """
        if len(model) > _LONGEST_NAME:
            return None
        layers = self._layers
        return layers.bound(provider, model, layers.constant_since(at), _short(service_tier), _short(geo))

    def nearest(
        self, provider: str, model: str, at: float, *, service_tier: str = "", geo: str = ""
    ) -> Price | None:
        """The price of the model that one without a price is most like, by its name: the same family and size
        in the next older version. None where the name is like no other.
        """
        if len(model) > _LONGEST_NAME:
            return None
        layers = self._layers
        return layers.nearest(provider, model, layers.constant_since(at), _short(service_tier), _short(geo))

    def canonical(self, provider: str, model: str, at: float) -> str:
        """The one name of a model, however the provider spells it; the name itself if nobody knows it."""
        if not model or len(model) > _LONGEST_NAME:
            return model
        layers = self._layers
        return layers.canonical(provider, model, layers.constant_since(at))

    def ceiling(self, provider: str, at: float) -> Price:
        """The dearest a text model of ``provider`` costs, class by class, long-context tiers included; for a
        provider nobody knows, of all providers.

        No model is left out as an outlier: whatever is on the list can be what an unknown name stands for.
        """
        layers = self._layers
        return layers.ceiling(provider, layers.constant_since(at))

    def explain(self, provider: str, model: str, at: float) -> list[tuple[str, Price]]:
        """What each layer says of a model, with the layer's name, the one that counts first."""
        layers = self._layers
        sources = filter(None, (layers.sources.primary, layers.sources.second))
        found = [(source.name, source.find(provider, model, at)) for source in sources]
        said = [(name, price) for name, price in found if price]
        stated = layers.override(provider, model, at, said[0][1] if said else None)
        return [("config.toml", stated), *said] if stated else said

    @property
    def as_of(self) -> int:
        """When the primary source was last right, UTC epoch seconds."""
        return self._layers.sources.primary.as_of

    @property
    def _layers(self) -> _Layers:
        if self._loaded is None:
            self._loaded = _Layers(self._load(), self._overrides)
        return self._loaded


def load_book(overrides: Overrides = NO_OVERRIDES) -> Book:
    """The book of the prices that are shipped. Returns at once: they are loaded when first needed."""
    return Book(_shipped, overrides)


def _shipped() -> Sources:
    # Imported here: the book itself reads no files and starts no process.
    from budgetd.pricing.compile import shipped

    return Sources(shipped())


def _may_be_served(provider: str, asked: str) -> tuple[str, ...]:
    """The tiers in which a request for this one may be served and billed, the one that is asked for first."""
    by_setting = _TIERS_BY_SETTING.get(provider, ())
    if asked in {"", "auto"}:
        return ("", *by_setting)
    if asked in _STANDARD:
        return ("",)
    if asked == "flex":  # where the account has no flex, the request is served as if it named no tier
        return ("flex", "", *by_setting)
    if asked == "batch":
        return ("batch",)
    if asked in {"priority", "fast"}:
        return (asked, "")
    return (asked, "", "priority", "fast")


def _short(word: str) -> str:
    return word if len(word) <= _LONGEST_NAME else ""


def _filled(found: list[Price]) -> Price:
    """The first price, with what it does not know of the model's size from the second."""
    price = found[0]
    for other in found[1:]:
        price = msgspec.structs.replace(
            price,
            context_window=price.context_window or other.context_window,
            max_output_tokens=price.max_output_tokens or other.max_output_tokens,
        )
    return price
