"""Random usages, and the same usage in genai-prices' own terms."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import msgspec
from genai_prices.types import ModelPrice
from genai_prices.types import Usage as TheirUsage
from hypothesis import strategies as st

from budgetd.metering.usage import Usage

tokens = st.one_of(
    st.just(0), st.integers(0, 300), st.integers(0, 3_000_000), st.sampled_from([200_000, 272_000])
)


@st.composite
def possible_usages(draw: st.DrawFn) -> Usage:
    """Usages whose parts fit into their totals."""
    read, read_audio, written, written_1h, audio, fresh = (draw(tokens) for _ in range(6))
    text, reasoning, spoken = (draw(tokens) for _ in range(3))
    return Usage(
        input_tokens=read + read_audio + written + written_1h + audio + fresh,
        cache_read_tokens=read + read_audio,
        cache_write_tokens=written + written_1h,
        cache_write_1h_tokens=written_1h,
        input_audio_tokens=audio + read_audio,
        cache_read_audio_tokens=read_audio,
        output_tokens=text + reasoning + spoken,
        reasoning_tokens=reasoning,
        output_audio_tokens=spoken,
        web_searches=draw(st.integers(0, 40)),
    )


def theirs(usage: Usage) -> TheirUsage:
    return TheirUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        cache_audio_read_tokens=usage.cache_read_audio_tokens,
        output_tokens=usage.output_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        web_searches=usage.web_searches,
        input_image_tokens=usage.input_image_tokens,
        cache_image_read_tokens=usage.cache_read_image_tokens,
        output_image_tokens=usage.output_image_tokens,
        storage_searches=usage.file_searches,
        rerank_searches=usage.search_units,
        input_characters=usage.input_characters,
        audio_seconds=Decimal(usage.input_audio_ms) / 1000,
        input_audio_seconds=Decimal(usage.input_audio_ms) / 1000,
    )


def their_nusd(prices: ModelPrice, usage: Usage) -> int:
    """What genai-prices itself makes of it, in Decimal, to the nanodollar."""
    with localcontext(prec=80):
        total = prices.calc_price(theirs(usage))["total_price"]
        return int((total * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@st.composite
def every_usage(draw: st.DrawFn) -> Usage:
    """Usages with something of every class that genai-prices knows."""
    usage = draw(possible_usages())
    image, image_read, drawn = (draw(tokens) for _ in range(3))
    return msgspec.structs.replace(
        usage,
        input_tokens=usage.input_tokens + image + image_read,
        input_image_tokens=image + image_read,
        cache_read_tokens=usage.cache_read_tokens + image_read,
        cache_read_image_tokens=image_read,
        output_tokens=usage.output_tokens + drawn,
        output_image_tokens=drawn,
        file_searches=draw(st.integers(0, 40)),
        search_units=draw(st.integers(0, 40)),
        input_characters=draw(tokens),
        input_audio_ms=draw(st.one_of(st.just(0), st.integers(10_000, 10_000_000))),
    )
