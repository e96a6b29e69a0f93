"""What OpenAI's two dialects report alike: the details of a usage, and what they come to."""

import msgspec

from budgetd.metering.decoder import Count
from budgetd.metering.tally import tally
from budgetd.metering.usage import Usage


class InputDetails(msgspec.Struct):
    """Parts of the input."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    audio_tokens: Count | None = None


class OutputDetails(msgspec.Struct):
    """Parts of the output."""

    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None


def usage_of(
    input_tokens: int | None,
    output_tokens: int | None,
    total_tokens: int | None,
    into: InputDetails | None,
    out: OutputDetails | None,
    *,
    web_searches: int,
) -> Usage:
    """A report's usage. Where reasoning is left out of the output, it still is in the total."""
    into, out = into or InputDetails(), out or OutputDetails()
    taken_in = input_tokens or 0
    return tally(
        input_tokens=taken_in,
        cache_read=into.cached_tokens or 0,
        cache_write=into.cache_write_tokens or 0,
        input_audio=into.audio_tokens or 0,
        cache_read_audio=0,
        output_tokens=max(output_tokens or 0, (total_tokens or 0) - taken_in),
        reasoning=out.reasoning_tokens or 0,
        output_audio=out.audio_tokens or 0,
        web_searches=web_searches,
    )
