"""What is known of a request before anything has been learned: how many tokens its bytes are, and how long an
answer usually is. Figures by family of models, measured on recorded exchanges. Pure."""

import re
from functools import lru_cache
from math import ceil

import msgspec

from budgetd.metering.usage import Ask, Usage

BYTES_PER_TOKEN = 3.5
"""Bytes of JSON or text to a token of the o200k vocabulary. Recorded bodies too long for their envelope to
matter had 3.2 to 6.6. Towards the low end, where code lies, so that a guess is rather high than low."""

ANSWER_BYTES_PER_TOKEN = 4.0
"""The same for what models write, tool calls with all that is around them included: recorded answers had 4.3
all together, half of them more than 4.1."""

FAMILIES: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"claude-(opus-4[-.][7-9]\b|[a-z]+-[5-9]\b)"), 1.44),
    (re.compile(r"claude"), 1.15),
    (re.compile(r"mistral|mixtral|codestral|devstral|ministral|magistral|pixtral"), 1.08),
    (re.compile(r"gemini"), 1.04),
)
"""How many tokens a family's own vocabulary makes of one o200k token: medians of recorded output. The first
pattern found in the model's name counts; other models count as OpenAI's, 1."""

HIDDEN: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"gemini-(2\.5-(flash|pro)\b|[3-9])(?!.*-(lite|image|tts))"), 384),
    (re.compile(r"\bo[1-9]\b|gpt-5(?!\.|-chat)|grok-4(?!.*non-reasoning)"), 384),
    (re.compile(r"gpt-(5\.|[6-9])"), 64),
)
"""Tokens of reasoning that answers of a family are billed for and do not show: means of recorded answers
(those of Gemini had 35 to 1,096, of gpt-5.2 and later 9 to 100), of gpt-5 and its like the median (64 to
2,560). The effort asked for tells no more: gpt-5 had 448 and 2,112 at a low one. The first pattern found in
the name of the model counts; other models show all that they are billed for, or nearly."""

EXPECTED_OUTPUT = 1_024
"""Output tokens expected of one choice while nothing better is known: a long tool call, a short essay."""

UNREAD_BYTES_PER_TOKEN = 2.0
"""For a body that could not be read; the densest text recorded had 1.7."""
UNREAD_INPUT = 32_768
"""The most input tokens expected of a body that could not be read: a large one is a recording or an archive
rather than text, and makes few tokens of its bytes."""
UNREAD_OUTPUT = 4 * EXPECTED_OUTPUT
"""For a body that could not be read: it may ask for anything."""


UNIT_DOCUMENTS = 100
CHUNK_BYTES = 1_750
LEAST_CHUNK_BYTES = 250
"""A rerank is billed by so many documents, of which one longer than 500 tokens counts as several: so many
bytes are 500 tokens as a rule, and so few beside a long query in dense text."""


def family_usage(ask: Ask) -> Usage:
    """The usage of a request of which only its size and its model are known: all input is fresh."""
    output = EXPECTED_OUTPUT * answers(ask) if ask.understood else UNREAD_OUTPUT
    return msgspec.structs.replace(
        beside(ask),
        input_tokens=family_input(ask, ask.model),
        output_tokens=capped(output, ask.output_cap),
    )


def beside(ask: Ask) -> Usage:
    """What a request is likely to be billed for beside tokens: one web search, if the provider may search."""
    return Usage(
        web_searches=0 if ask.server_tool_uses == 0 else 1,
        search_units=search_units(ask, CHUNK_BYTES),
        images=ask.images,
        input_characters=ask.input_characters,
    )


def search_units(ask: Ask, chunk_bytes: int) -> int:
    """What ranking documents is billed by, if so many bytes count as one more document."""
    if not ask.documents:
        return 0
    return ceil((ask.documents + max(0, ask.body_bytes) // chunk_bytes) / UNIT_DOCUMENTS)


def answers(ask: Ask) -> int:
    """How many answers are asked for."""
    return max(1, ask.choices) * max(1, ask.requests)


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


def tokens_per_byte(model: str) -> float:
    """The tokens that a byte of text is likely to be for this model."""
    return family_factor(model) / BYTES_PER_TOKEN


def answer_tokens_per_byte(model: str) -> float:
    """The tokens that a byte of this model's answers is likely to be billed as."""
    return family_factor(model) / ANSWER_BYTES_PER_TOKEN


@lru_cache(256)
def family_factor(model: str) -> float:
    """The tokens that this model's vocabulary is likely to make of one o200k token."""
    name = model.lower()
    return next((factor for pattern, factor in FAMILIES if pattern.search(name)), 1.0)


@lru_cache(256)
def family_hidden(model: str) -> int:
    """The tokens of an answer that this model is likely to be billed for and not to show."""
    name = model.lower()
    return next((tokens for pattern, tokens in HIDDEN if pattern.search(name)), 0)
