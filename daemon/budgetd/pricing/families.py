"""What is known of a request before anything has been learned: how many tokens its bytes are, and how long an
answer usually is. Figures by family of models, measured on recorded exchanges. Pure."""

import re
from functools import lru_cache
from math import ceil

from budgetd.metering.usage import Ask, Usage

BYTES_PER_TOKEN = 3.5
"""Bytes of JSON or text to a token of the o200k vocabulary. Recorded bodies too long for their envelope to
matter had 3.2 to 6.6. Towards the low end, where code lies, so that a guess is rather high than low."""

FAMILIES: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"claude-(opus-4[-.][7-9]\b|[a-z]+-[5-9]\b)"), 1.44),
    (re.compile(r"claude"), 1.15),
    (re.compile(r"mistral|mixtral|codestral|devstral|ministral|magistral|pixtral"), 1.08),
    (re.compile(r"gemini"), 1.04),
)
"""How many tokens a family's own vocabulary makes of one o200k token: medians of recorded output. The first
pattern found in the model's name counts; other models count as OpenAI's, 1."""

EXPECTED_OUTPUT = 1_024
"""Output tokens expected of one choice while nothing better is known: a long tool call, a short essay."""

UNREAD_BYTES_PER_TOKEN = 2.0
"""For a body that could not be read; the densest text recorded had 1.7."""
UNREAD_INPUT = 32_768
"""The most input tokens expected of a body that could not be read: a large one is a recording or an archive
rather than text, and makes few tokens of its bytes."""
UNREAD_OUTPUT = 4 * EXPECTED_OUTPUT
"""For a body that could not be read: it may ask for anything."""


def family_usage(ask: Ask) -> Usage:
    """The usage of a request of which only its size and its model are known: all input is fresh."""
    output = EXPECTED_OUTPUT * max(1, ask.choices) if ask.understood else UNREAD_OUTPUT
    return Usage(
        input_tokens=family_input(ask, ask.model),
        output_tokens=capped(output, ask.output_cap),
        web_searches=expected_searches(ask),
    )


def family_input(ask: Ask, model: str) -> int:
    """The input tokens a body is likely to be for this model."""
    if not ask.understood:
        return min(ceil(max(0, ask.body_bytes) / UNREAD_BYTES_PER_TOKEN), UNREAD_INPUT)
    return text_tokens(ask.body_bytes, model)


def text_tokens(length: int, model: str) -> int:
    """The tokens that so many bytes of text are likely to be for this model."""
    return ceil(length * tokens_per_byte(model)) if length > 0 else 0


def capped(output_tokens: int, output_cap: int | None) -> int:
    """An output within what the request allows."""
    return output_tokens if output_cap is None else min(output_tokens, max(0, output_cap))


def expected_searches(ask: Ask) -> int:
    """One web search if the provider may search."""
    return 0 if ask.server_tool_uses == 0 else 1


@lru_cache(256)
def tokens_per_byte(model: str) -> float:
    """The tokens that a byte of text is likely to be for this model."""
    name = model.lower()
    return next((factor for pattern, factor in FAMILIES if pattern.search(name)), 1.0) / BYTES_PER_TOKEN
