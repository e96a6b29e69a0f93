"""genai-prices' data as a sheet: its matching, its history and its decimals, turned into exact prices. Pure.

The data comes as its published JSON, or as the same shape in plain maps. Its own code is not needed here.

Not billed, because a usage does not count them: pages of documents, pixels, video apart from other tokens,
messages, social searches and code runs. Citations are billed as output.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from budgetd.pricing.errors import PricesError
from budgetd.pricing.genai_file import ALWAYS, Constraint, FileModel, FileProvider, Prices, Tiered, Variant
from budgetd.pricing.rates import MOST_TOKENS, Rates, Tier, rate
from budgetd.pricing.table import Clause, Listing, Model, Provider, Sheet

_NAMES = {"google": ("gemini", "vertex"), "x-ai": ("xai",), "aws": ("bedrock",)}
"""Providers that our upstreams spell otherwise."""

_TOKENS = {
    "input_mtok": "fresh_input",
    "input_text_mtok": "fresh_input",
    "cache_read_mtok": "cache_read",
    "cache_text_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "audio_input",
    "cache_audio_read_mtok": "audio_cache_read",
    "input_image_mtok": "image_input",
    "cache_image_read_mtok": "image_cache_read",
    "output_mtok": "output",
    "output_text_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_audio_mtok": "audio_output",
    "output_image_mtok": "image_output",
    "input_mchars": "character",
}
"""Our class for each key that counts millions; of two keys the later one is the more exact."""
_CALLS = {
    "web_searches_kcount": "web_search",
    "storage_searches_kcount": "file_search",
    "rerank_searches_kcount": "search_unit",
}
"""Our class for each key that counts thousands."""
_HOURS = ("audio_hours", "input_audio_hours")
_MS_AN_HOUR = 3_600_000
_DAY = 86_400

_PLACE = "inference_geo"
_DEEPEST = 16
_MOST_STARTS = 20
_MOST_LISTINGS = 200
_SLOW = re.compile(r"\)[*+{]|(?:(?:[*+]|,\d*\}).*){3}|(?:[^(]\?.*){6}")
"""A group that repeats, three repetitions of any number, six options: these may take exponentially long."""
_SELECTORS = {"service_tier", "processing", "speed", _PLACE}
"""What may select a variant: what we call a service tier is filed under three names."""


def read_json(data: bytes, *, version: str, as_of: int) -> Sheet:
    """The published data file as a sheet. Raises PricesError where it is none, or holds what is no price.

    Args:
        data: the JSON file.
        version: what to call this edition.
        as_of: when it was right, UTC epoch seconds.
    """
    try:
        return _sheet(msgspec.json.decode(data, type=tuple[FileProvider, ...]), version, as_of)
    except msgspec.DecodeError as error:
        raise PricesError(f"genai-prices {version} is not understood: {error}.") from None
    except RecursionError:
        raise PricesError(f"genai-prices {version} is not understood: it nests too deeply.") from None


def read_plain(providers: Any, *, version: str, now: float) -> Sheet:
    """The same from plain maps and lists, which do not say how old they are: as old as the newest dated price
    up to now.
    """
    try:
        read = msgspec.convert(providers, tuple[FileProvider, ...])
    except msgspec.ValidationError as error:
        raise PricesError(f"genai-prices {version} is not understood: {error}.") from None
    return _sheet(read, version, _newest(read, now))


def _sheet(providers: tuple[FileProvider, ...], version: str, as_of: int) -> Sheet:
    try:
        made = tuple(map(_provider, providers))
    except ValueError as error:
        raise PricesError(f"genai-prices {version}: {error}.") from None
    return Sheet(source="genai-prices", version=version, as_of=as_of, providers=made)


def _provider(provider: FileProvider) -> Provider:
    """Raises ValueError with what is wrong of which model."""
    if not all(name.isprintable() for name in (provider.id, *(model.id for model in provider.models))):
        raise ValueError("it has a name that cannot be shown")
    if provider.provider_match is not None:
        _check(provider.provider_match)
    models: list[Model] = []
    for model in provider.models:
        try:
            models.append(_model(model))
        except ValueError as error:
            raise ValueError(f"{provider.id} {model.id}: {error}") from None
    return Provider(
        id=provider.id,
        models=tuple(models),
        names=_NAMES.get(provider.id, ()),
        match=provider.provider_match,
        borrows=provider.fallback_model_providers or (),
    )


def _model(model: FileModel) -> Model:
    _check(model.match)
    listings = [_listing(each.prices, each.when_in_force) for each in model.history]
    if listings:
        # The first one holds where no other does, whatever it says of itself.
        listings[0] = replace(listings[0], since=0, hours=None)
    window = model.context_window
    return Model(
        id=model.id,
        match=model.match,
        prices=(*listings, *_variants(model)),
        context_window=window if window and 0 < window < MOST_TOKENS else None,
    )


def _listing(prices: Prices, when: Constraint = ALWAYS) -> Listing:
    """Raises ValueError where one of the prices cannot be one."""
    given = {key: value for key, value in prices.items() if value is not None}
    starts = {step.start for value in given.values() if isinstance(value, Tiered) for step in value.tiers}
    if len(starts) > _MOST_STARTS:
        raise ValueError(f"it costs otherwise from {len(starts):,} lengths of the input on")
    return Listing(
        since=when.since,
        hours=when.hours,
        rates=_rates(given, -1),
        tiers=tuple(Tier(start, _rates(given, start)) for start in sorted(starts)),
        request=_rate(given, "requests_kcount", 3, -1) if "requests_kcount" in given else 0,
    )


def _rates(given: dict[str, Decimal | Tiered], start: int) -> Rates:
    """The rates for an input just longer than ``start`` tokens."""
    own = {name: _rate(given, key, 6, start) for key, name in _TOKENS.items() if key in given}
    own |= {name: _rate(given, key, 3, start) for key, name in _CALLS.items() if key in given}
    for key in _HOURS:
        if key in given:
            own["audio_ms"] = round(Decimal(_rate(given, key, 0, start)) / _MS_AN_HOUR)
    return Rates.of(own)


def _rate(given: dict[str, Decimal | Tiered], key: str, exponent: int, start: int) -> int:
    value = given[key]
    try:
        if isinstance(value, Decimal):
            return rate(value, exponent)
        steps = sorted(value.tiers, key=lambda step: step.start)
        rates = [rate(value.base, exponent), *(rate(step.price, exponent) for step in steps)]
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
    return rates[sum(step.start <= start for step in steps)]


def _variants(model: FileModel) -> Iterator[Listing]:
    """A listing for each stretch in which a service tier or a place has prices of its own.

    Each price of a variant replaces the standard one on its own, so they are put together for every day and
    hour at which some price changes.
    """
    variants = [each for each in model.price_variants or () if each.when.keys() <= _SELECTORS]
    days = sorted({0, *(each.since for each in model.dated)})
    seconds = sorted({0, *itertools.chain.from_iterable(each.hours or () for each in model.dated)})
    hours = [None] if len(seconds) == 1 else list(itertools.pairwise([*seconds, _DAY]))
    contexts = _contexts(variants)
    if (count := (1 + len(contexts)) * len(days) * len(hours)) > _MOST_LISTINGS:
        raise ValueError(f"it has {count:,} prices by tier, place, day and hour")
    for tier, geo in contexts:
        for stretch in hours:
            last = None
            for day in days:
                at = day + (stretch[0] if stretch else 0)
                standard = _standard(model, at)
                prices = standard | _replaced(variants, tier, geo, at)
                if prices != (standard if last is None else last):
                    last = prices
                    found = _listing(prices)
                    yield replace(found, since=day, hours=stretch, service_tier=tier, geo=geo)


def _contexts(variants: list[Variant]) -> list[tuple[str, str]]:
    """Every pair of a service tier and a place that may select a variant."""
    geos = {"", *(each.when.get(_PLACE, "") for each in variants)}
    tiers = {"", *(word for each in variants for key, word in each.when.items() if key != _PLACE)}
    return sorted(set(itertools.product(tiers, geos)) - {("", "")})


def _standard(model: FileModel, at: int) -> Prices:
    in_force = (each.prices for each in reversed(model.history) if each.when_in_force.holds(at))
    return next(in_force, model.history[0].prices)


def _replaced(variants: list[Variant], tier: str, geo: str, at: int) -> Prices:
    """The prices that variants put in place of the standard ones; the first to name a key has it."""
    context = dict.fromkeys(_SELECTORS, tier) | {_PLACE: geo}
    replaced: Prices = {}
    for variant in variants:
        if variant.when_in_force.holds(at) and variant.when.items() <= context.items():
            for key, value in variant.prices.items():
                if value is not None:
                    replaced.setdefault(key, value)
    return replaced


def _check(clause: Clause, depth: int = 1) -> None:
    """Raises ValueError where a clause would not match as its source does, or could take for ever."""
    if depth > _DEEPEST:
        raise ValueError("its `match` nests too deeply")
    kinds = [name for name in Clause.__struct_fields__ if getattr(clause, name) is not None]
    if len(kinds) != 1:
        raise ValueError("its `match` is not understood")
    if clause.regex is not None:
        try:
            re.compile(clause.regex)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"its `match` is no regular expression: {error}") from None
        if _SLOW.search(clause.regex):
            raise ValueError("its `match` is a regular expression that could take for ever")
    for inner in (*(clause.or_ or ()), *(clause.and_ or ())):
        _check(inner, depth + 1)


def _newest(providers: Iterable[FileProvider], now: float) -> int:
    """The newest day up to now that some price or variant starts on."""
    days = (each.since for provider in providers for model in provider.models for each in model.dated)
    return max((day for day in days if day <= now), default=0)
