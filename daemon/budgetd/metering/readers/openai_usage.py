"""What OpenAI's dialects report alike: the details of a usage and what they come to, and a stated charge."""

from decimal import Decimal
from math import ceil

import msgspec

from budgetd.metering.decoder import Count
from budgetd.metering.tally import tally
from budgetd.metering.usage import Usage

NUSD_PER_USD = 1_000_000_000
MOST_USD = 1_000_000_000
"""A larger cost is not believed."""
TICKS_PER_NUSD = 10
"""xAI states what it charges in ticks, of which a dollar has ten thousand million."""


class CachedDetails(msgspec.Struct):
    """Parts of what was read from the cache, under their two names."""

    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    cached_image_tokens: Count | None = None


class InputDetails(msgspec.Struct):
    """Parts of the input."""

    cached_tokens: Count | None = None
    cached_tokens_details: CachedDetails | None = None
    cache_write_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    """Alibaba's word for it."""
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class OutputDetails(msgspec.Struct):
    """Parts of the output."""

    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class _CostDetails(msgspec.Struct):
    upstream_inference_cost: Decimal | None = None


class _Total(msgspec.Struct):
    total_cost: Decimal | None = None


class Stated(msgspec.Struct):
    """What a usage says of its charge: OpenRouter and gateways like it, Perplexity (a total), xAI (ticks)."""

    cost: Decimal | _Total | None = None
    is_byok: bool | None = None
    cost_details: _CostDetails | None = None
    cost_in_usd_ticks: Count | None = None


class PictureReport(Stated):
    """The usage of pictures made by a model that bills tokens."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_tokens: Count | None = None
    cached_tokens_details: CachedDetails | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


def usage_of(
    input_tokens: int | None,
    output_tokens: int | None,
    total_tokens: int | None,
    into: InputDetails | None,
    out: OutputDetails | None,
    *,
    cached: int = 0,
    written: int = 0,
    web_searches: int = 0,
    file_searches: int = 0,
    input_audio_ms: int = 0,
) -> Usage:
    """A report's usage. Where reasoning is left out of the output, it still is in the total.

    ``cached`` and ``written`` are what was read from and written to the cache by counts of the provider's
    own, beside the details.
    """
    into, out = into or _NO_INPUT, out or _NO_OUTPUT
    of_cached = into.cached_tokens_details
    taken_in = input_tokens or 0
    usage = tally(
        input_tokens=taken_in,
        cache_read=max(into.cached_tokens or 0, cached),
        cache_write=max(into.cache_write_tokens or into.cache_creation_input_tokens or 0, written),
        input_audio=into.audio_tokens or 0,
        cache_read_audio=(of_cached and of_cached.audio_tokens) or 0,
        output_tokens=max(output_tokens or 0, (total_tokens or 0) - taken_in),
        reasoning=out.reasoning_tokens or 0,
        output_audio=out.audio_tokens or 0,
        web_searches=web_searches,
        input_image=into.image_tokens or 0,
        cache_read_image=_cached_image(of_cached),
        output_image=out.image_tokens or 0,
    )
    if file_searches or input_audio_ms:
        return msgspec.structs.replace(usage, file_searches=file_searches, input_audio_ms=input_audio_ms)
    return usage


def pictures_usage(report: PictureReport) -> Usage:
    """A picture report's usage: all output is pictures, unless it says otherwise."""
    into = report.input_tokens_details or _NO_INPUT
    out = report.output_tokens_details
    made = report.output_tokens or 0
    return tally(
        input_tokens=report.input_tokens or 0,
        cache_read=report.cached_tokens or into.cached_tokens or 0,
        cache_write=0,
        input_audio=0,
        cache_read_audio=0,
        output_tokens=made,
        reasoning=0,
        output_audio=0,
        web_searches=0,
        input_image=into.image_tokens or 0,
        cache_read_image=_cached_image(report.cached_tokens_details or into.cached_tokens_details),
        output_image=made if out is None or out.image_tokens is None else out.image_tokens,
    )


def _cached_image(details: CachedDetails | None) -> int:
    return 0 if details is None else details.image_tokens or details.cached_image_tokens or 0


_NO_INPUT, _NO_OUTPUT = InputDetails(), OutputDetails()


def stated_nusd(stated: Stated) -> int | None:
    """The charge a report states. With a key of one's own at the provider behind a gateway, that provider
    charges too; where the report does not say how much, it states no charge. So does one of nothing that
    tells what lies behind."""
    if stated.cost_in_usd_ticks is not None:
        return -(-stated.cost_in_usd_ticks // TICKS_PER_NUSD)
    cost = stated.cost.total_cost if isinstance(stated.cost, _Total) else stated.cost
    if cost is None or not _credible(cost):
        return None
    behind = stated.cost_details and stated.cost_details.upstream_inference_cost
    if stated.is_byok or (not cost and behind):
        if behind is None or not _credible(behind):
            return None
        cost += behind
    return round(cost * NUSD_PER_USD)


def _credible(cost: Decimal) -> bool:
    return cost.is_finite() and 0 <= cost <= MOST_USD


def milliseconds(seconds: Decimal | None) -> int:
    """A duration in whole milliseconds, rounded up; 0 for one that is none."""
    if seconds is None or not seconds.is_finite() or not 0 <= seconds <= MOST_SECONDS:
        return 0
    return ceil(seconds * 1000)


MOST_SECONDS = 10**7
"""A longer sound is not believed."""
