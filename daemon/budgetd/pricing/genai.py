"""genai-prices as a source: its matching, its history and its decimals, turned into exact prices.

Its ``calc_price`` is not used (some 70 µs a call), nor its snapshot, whose caches keep every model name ever
asked for. Nothing here caches; the book does. Importing this module costs what importing genai-prices costs.

Not billed, because a usage does not count them: audio by the hour, characters, pages, file searches. Images
and citations are billed as text.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from decimal import Decimal

from genai_prices import __version__ as version
from genai_prices.data import providers as all_providers
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices, TimeOfDateConstraint

from budgetd.pricing.rates import Price, Rates, Tier, utc_day

_ALIASES = {"gemini": "google", "vertex": "google", "xai": "x-ai", "bedrock": "aws"}
"""Our upstreams whose name the source spells otherwise."""

_RATE_EXPONENT = {"mtok": 24 - 6, "kcount": 24 - 3}
"""From dollars per million tokens, or per thousand calls, to 1/SCALE nanodollars for one."""

_Value = Decimal | TieredPrices | None


class GenaiPrices:
    """The prices shipped with the genai-prices package."""

    name = f"genai-prices {version}"

    def day_slots(self) -> list[float]:
        """Seconds after UTC midnight at which some price by the hour changes, ascending, from 0."""
        return sorted({0.0, *(_seconds(moment) for moment in _clock_times(all_providers))})

    def find(self, provider: str, model: str, at: float, *, service_tier: str, geo: str) -> Price | None:
        """The price the source has for this model, by the source's own matching; None if it has none."""
        listed = _provider(provider)
        found = _model(listed, model) if listed else None
        if not (listed and found and found.prices):
            return None
        when = datetime.fromtimestamp(at, UTC)
        standard = found.get_prices(when)
        resolved = standard
        # A variant is the listing provider's own; a model borrowed from another provider has none.
        if (service_tier or geo) and any(found is own for own in listed.models):
            resolved = found.get_prices(when, _context(service_tier, geo))
        label = "" if resolved == standard else f" {service_tier} {geo}".rstrip()
        price = compile_price(
            f"{self.name} {listed.id} {found.id} {utc_day(at)}{label}", resolved, found.context_window
        )
        if price is None or _bills_tokens(price) or _is_free(listed.id, model):
            return price
        return None

    def listed(self, provider: str, at: float) -> list[Price]:
        """The prices that hold at ``at`` of every text model the provider offers; "" for all providers."""
        when = datetime.fromtimestamp(at, UTC)
        found = _provider(provider) if provider else None
        if provider and found is None:
            return []
        chosen = [found, *_lenders(found)] if found else all_providers
        models = (model for each in chosen for model in each.models if model.prices)
        prices = (compile_price("", model.get_prices(when), model.context_window) for model in models)
        return [price for price in prices if price and price.rates.fresh_input and price.rates.output]


def compile_price(id: str, prices: ModelPrice, context_window: int | None) -> Price | None:
    """The same prices as exact integers; None where one of them is negative or not a number."""
    values: dict[str, Decimal | TieredPrices] = {
        key: value for key, value in vars(prices).items() if isinstance(value, Decimal | TieredPrices)
    }
    tiered = [value for value in values.values() if isinstance(value, TieredPrices)]
    decimals = [value for value in values.values() if isinstance(value, Decimal)]
    decimals += [value.base for value in tiered] + [tier.price for value in tiered for tier in value.tiers]
    if not all(value.is_finite() and value >= 0 for value in decimals):
        return None
    starts = sorted({tier.start for value in tiered for tier in value.tiers})
    return Price(
        id=id,
        rates=_rates({key: _above(value, -1) for key, value in values.items()}),
        tiers=tuple(
            Tier(start, _rates({key: _above(value, start) for key, value in values.items()}))
            for start in starts
        ),
        request=_rate(_above(values.get("requests_kcount"), -1), "kcount") or 0,
        context_window=context_window,
    )


def _above(value: _Value, start: int) -> Decimal | None:
    """The price that holds for an input just longer than ``start`` tokens."""
    if not isinstance(value, TieredPrices):
        return value
    return next((tier.price for tier in reversed(value.tiers) if start >= tier.start), value.base)


def _rate(value: Decimal | None, unit: str) -> int | None:
    # scaleb shifts the point without touching a digit; multiplying would round to 28 of them.
    return None if value is None else round(value.scaleb(_RATE_EXPONENT[unit]))


def _rates(prices: dict[str, Decimal | None]) -> Rates:
    def rate(key: str, parent: int) -> int:
        own = _rate(prices.get(f"{key}_mtok"), "mtok")
        return parent if own is None else own

    fresh, output = rate("input", 0), rate("output", 0)
    cache_read, cache_write = rate("cache_read", fresh), rate("cache_write", fresh)
    audio = rate("input_audio", fresh)
    cached = "cache_read_mtok" in prices
    return Rates(
        fresh_input=fresh,
        cache_read=cache_read,
        cache_write=cache_write,
        cache_write_1h=rate("cache_write_1h", cache_write),
        audio_input=audio,
        audio_cache_read=rate("cache_audio_read", cache_read if cached else audio),
        output=output,
        reasoning=rate("output_reasoning", output),
        audio_output=rate("output_audio", output),
        web_search=_rate(prices.get("web_searches_kcount"), "kcount") or 0,
        image_input=rate("input_image", fresh),
        image_cache_read=rate("cache_image_read", cache_read if cached else rate("input_image", fresh)),
        image_output=rate("output_image", output),
    )


def _provider(name: str) -> Provider | None:
    return find_provider_by_id(all_providers, _ALIASES.get(name, name))


def _model(provider: Provider, name: str) -> ModelInfo | None:
    found = provider.find_model(name, all_providers=all_providers)
    if found is None and "models/" in name:
        # Google's clients may name a model by its resource: models/NAME, publishers/google/models/NAME.
        return provider.find_model(name.rpartition("models/")[2], all_providers=all_providers)
    return found


def _lenders(provider: Provider) -> list[Provider]:
    """Those whose models this provider offers too, at their prices."""
    lent = provider.fallback_model_providers or ()
    return [other for other in all_providers if other.id in lent]


def _context(service_tier: str, geo: str) -> dict[str, str]:
    """What selects a variant: the source files what we call a service tier under three names."""
    tier_names = ("service_tier", "processing", "speed")
    return dict.fromkeys(tier_names, service_tier) | {"inference_geo": geo}


def _bills_tokens(price: Price) -> bool:
    every = (price.rates, *(tier.rates for tier in price.tiers))
    return any(rates.fresh_input or rates.output for rates in every)


def _is_free(provider: str, model: str) -> bool:
    """A zero is believed only where the name asked for promises it; else it means that nobody knows."""
    return provider == "openrouter" and model.lower().endswith(":free")


def _clock_times(providers: Iterable[Provider]) -> Iterator[time]:
    for model in (model for provider in providers for model in provider.models):
        for constraint in _constraints(model):
            if isinstance(constraint, TimeOfDateConstraint):
                yield constraint.start_time
                yield constraint.end_time


def _constraints(model: ModelInfo) -> Iterator[object]:
    if isinstance(model.prices, list):
        yield from (conditional.constraint for conditional in model.prices)
    yield from (variant.constraint for variant in model.price_variants or ())


def _seconds(moment: time) -> float:
    """Seconds after UTC midnight of a time of day, which is UTC where it names no zone."""
    on_a_day = datetime.combine(datetime(2000, 1, 2, tzinfo=UTC), moment)
    utc = on_a_day.astimezone(UTC) if moment.tzinfo else on_a_day.replace(tzinfo=UTC)
    return (utc - datetime.combine(utc.date(), time(), UTC)).total_seconds()
