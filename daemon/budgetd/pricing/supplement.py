"""Prices that providers publish as a rule and that no price list states model by model. Pure.

Only what is documented and has one number. What has none (OpenAI's and Gemini's priority tier where the
source lists no price; OpenAI's regional endpoints, which responses do not name) stays at the standard price.
"""

from collections.abc import Iterator

import msgspec

from budgetd.pricing.rates import Rates, Tier
from budgetd.pricing.table import Listing, Model, Provider, Sheet

_UNBILLED_BY_TOKEN = {"web_search", "file_search", "search_unit", "image", "character", "audio_ms"}
_CACHE_READS = {
    "cache_read": "fresh_input",
    "audio_cache_read": "audio_input",
    "image_cache_read": "image_input",
}
"""What is read from a cache, and what it is when it is not."""


def supplement(sheet: Sheet) -> Sheet:
    """The sheet with these prices in it. What the source itself says of a tier or a place wins."""
    return msgspec.structs.replace(sheet, providers=tuple(_provider(each) for each in sheet.providers))


def _provider(provider: Provider) -> Provider:
    if provider.id not in {"anthropic", "openai", "google"}:
        return provider
    return msgspec.structs.replace(
        provider, models=tuple(_model(provider.id, model) for model in provider.models)
    )


def _model(provider: str, model: Model) -> Model:
    # Of two listings for the same tier the later one counts: the rule's go first.
    prices = (*_batches(provider, model), *model.prices)
    if provider == "anthropic":
        prices = (*_in_us(prices), *prices)
    return msgspec.structs.replace(model, prices=prices)


def _batches(provider: str, model: Model) -> Iterator[Listing]:
    """Batches at half the price of every token (platform.claude.com: build-with-claude/batch-processing;
    developers.openai.com: guides/batch; ai.google.dev: gemini-api/docs/batch-api).

    OpenAI and Google halve what is read from a cache for some models only, so there it stays as it is, but
    never above other input.
    """
    for listing in model.prices:
        if not listing.service_tier and not listing.geo:
            yield _scaled(listing, 1, 2, cache_reads=provider == "anthropic", service_tier="batch")


def _in_us(prices: tuple[Listing, ...]) -> Iterator[Listing]:
    """Inference kept in the US at 1.1 times the price of every token, batches and fast mode included
    (platform.claude.com: about-claude/pricing, data residency). Models before Opus 4.6 refuse to be asked.
    """
    for listing in prices:
        if not listing.geo:
            yield _scaled(listing, 11, 10, cache_reads=True, geo="us")


def _scaled(
    listing: Listing, by: int, over: int, *, cache_reads: bool, service_tier: str = "", geo: str = ""
) -> Listing:
    return msgspec.structs.replace(
        listing,
        rates=_times(listing.rates, by, over, cache_reads=cache_reads),
        tiers=tuple(
            Tier(tier.start, _times(tier.rates, by, over, cache_reads=cache_reads)) for tier in listing.tiers
        ),
        service_tier=service_tier or listing.service_tier,
        geo=geo or listing.geo,
    )


def _times(rates: Rates, by: int, over: int, *, cache_reads: bool) -> Rates:
    scaled: dict[str, int] = {}
    for name in Rates.__struct_fields__:
        value = getattr(rates, name)
        scaled[name] = value if name in _UNBILLED_BY_TOKEN else value * by // over
        if name in _CACHE_READS and not cache_reads:
            scaled[name] = min(value, getattr(rates, _CACHE_READS[name]) * by // over)
    return Rates(**scaled)
