"""Shared by the dialects: a usage whose totals hold their parts, and the tier that decides the price."""

from budgetd.metering.decoder import name
from budgetd.metering.usage import UNKNOWN_TIER, Usage


def tally(
    *,
    input_tokens: int,
    cache_read: int,
    cache_write: int,
    input_audio: int,
    cache_read_audio: int,
    output_tokens: int,
    reasoning: int,
    output_audio: int,
    web_searches: int,
    input_image: int = 0,
    cache_read_image: int = 0,
    output_image: int = 0,
) -> Usage:
    """A usage without contradictions. A part larger than its total raises the total; where parts overlap, the
    cheaper one gives way."""
    input_tokens = max(input_tokens, cache_read, cache_write, input_audio + input_image)
    cache_read = min(cache_read, input_tokens - cache_write)
    # More was read than there is text, so that the rest of it was pictures or sound, whether reported or not.
    beyond_text = max(0, cache_read - (input_tokens - input_audio - input_image))
    cache_read_image = max(cache_read_image, beyond_text - cache_read_audio)
    cache_read_image = min(cache_read_image, input_image, cache_read)
    cache_read_audio = max(cache_read_audio, beyond_text - cache_read_image)
    cache_read_audio = min(cache_read_audio, input_audio, cache_read - cache_read_image)
    output_tokens = max(output_tokens, output_audio + output_image)
    return Usage(
        input_tokens=input_tokens,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        input_audio_tokens=input_audio,
        cache_read_audio_tokens=cache_read_audio,
        input_image_tokens=input_image,
        cache_read_image_tokens=cache_read_image,
        output_image_tokens=output_image,
        output_tokens=output_tokens,
        reasoning_tokens=min(reasoning, output_tokens),
        output_audio_tokens=output_audio,
        web_searches=web_searches,
    )


def tier(service_tier: str | None, speed: str | None) -> str:
    """The tier by which it is priced: Anthropic's fast mode has its own price, whatever tier is named."""
    return "fast" if speed == "fast" else service_tier or ""


def asked_tier(tier: str | None, *, strange: bool) -> str:
    """The tier that a request asks for. ``strange``: what names it makes no sense."""
    return UNKNOWN_TIER if strange else name(tier)


def total(one: Usage, other: Usage) -> Usage:
    """What two exchanges come to."""
    return Usage(**{field: getattr(one, field) + getattr(other, field) for field in Usage.__struct_fields__})
