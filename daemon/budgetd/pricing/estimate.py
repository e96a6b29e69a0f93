"""What a request may cost before it is answered, and what a response that broke off is taken to have used.

Pure guesses and bounds from sizes alone. Nothing is learned here and no text is looked at.
"""

import re
from functools import lru_cache
from math import ceil

import msgspec

from budgetd.metering.usage import Ask, Reading, Usage
from budgetd.pricing.rates import Price

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

INPUT_MARGIN = 2_048
"""No recorded body that refers to nothing outside it was billed more input tokens than its bytes and these,
which are the provider's hidden prompts for tools."""

UNREAD_BYTES_PER_TOKEN = 2.0
"""For a body that could not be read; the densest text recorded had 1.7."""
UNREAD_INPUT = 32_768
"""The most input tokens expected of a body that could not be read: a large one is a recording or an archive
rather than text, and makes few tokens of its bytes."""
UNREAD_OUTPUT = 4 * EXPECTED_OUTPUT
"""For a body that could not be read: it may ask for anything."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What one request is expected to cost, and the most it can. ``0 <= expected_nusd <= worst_nusd``."""

    expected_nusd: int
    worst_nusd: int | None
    """None where nothing bounds the cost."""
    expected: Usage


def estimate(ask: Ask, price: Price) -> Estimate:
    """Size up a request by the price it will be billed at (or the ceiling, if that is unknown).

    Expected: the body's bytes as fresh input and a short answer; one web search if the provider may search.
    Worst: the most tokens the provider may bill, each at the dearest rate it can fall under. None where the
    body could not be read or names no output cap, where the provider may call its own tools without end or at
    an unknown fee, and where the input lies outside the body and the model's window is unknown.
    """
    expected = _expected(ask, price)
    expected_nusd = price.cost_nusd(expected)
    worst_nusd = _worst_nusd(ask, price)
    if worst_nusd is not None:
        expected_nusd = min(expected_nusd, worst_nusd)
    return Estimate(expected_nusd=expected_nusd, worst_nusd=worst_nusd, expected=expected)


def streamed_usage(ask: Ask, reading: Reading) -> Usage:
    """The usage of a response that broke off: what was reported, and a guess from sizes for what was not.

    Output is guessed from the bytes that came, within the request's cap. Reasoning that the provider kept to
    itself leaves no bytes and is missed. A complete reading's usage stands as it is.
    """
    reported = reading.usage or Usage()
    if reading.complete and reading.usage is not None:
        return reported
    model = reading.model or ask.model
    output = _tokens(reading.output_bytes, model)
    if ask.output_cap is not None:
        output = min(output, ask.output_cap)
    return msgspec.structs.replace(
        reported,
        input_tokens=reported.input_tokens or _input_guess(ask, model),
        output_tokens=max(reported.output_tokens, output),
    )


def _expected(ask: Ask, price: Price) -> Usage:
    output = EXPECTED_OUTPUT * max(1, ask.choices) if ask.understood else UNREAD_OUTPUT
    if ask.output_cap is not None:
        output = min(output, max(0, ask.output_cap))
    guess = _input_guess(ask, ask.model)
    return Usage(
        input_tokens=guess if price.context_window is None else min(guess, price.context_window),
        output_tokens=output,
        web_searches=0 if ask.server_tool_uses == 0 else 1,
    )


def _worst_nusd(ask: Ask, price: Price) -> int | None:
    input_tokens = _input_bound(ask, price)
    output_tokens = ask.output_cap if price.bills_output() else 0
    uses = ask.server_tool_uses
    fees_known = uses == 0 or price.knows_web_search()
    if not ask.understood or input_tokens is None or output_tokens is None or uses is None or not fees_known:
        return None
    return price.bound_nusd(
        input_tokens, max(0, output_tokens), web_searches=uses, cache_write_1h=ask.cache_write_1h
    )


def _input_bound(ask: Ask, price: Price) -> int | None:
    """The most input tokens the provider may bill: each call of its own tools reads the context once more."""
    if ask.server_tool_uses is None:
        return None
    if ask.open_input or ask.server_tool_uses:
        return None if price.context_window is None else (ask.server_tool_uses + 1) * price.context_window
    return ask.body_bytes + INPUT_MARGIN


def _input_guess(ask: Ask, model: str) -> int:
    if not ask.understood:
        return min(ceil(max(0, ask.body_bytes) / UNREAD_BYTES_PER_TOKEN), UNREAD_INPUT)
    return _tokens(ask.body_bytes, model)


def _tokens(length: int, model: str) -> int:
    """The tokens that so many bytes of text are likely to be for this model."""
    return ceil(length * _tokens_per_byte(model)) if length > 0 else 0


@lru_cache(256)
def _tokens_per_byte(model: str) -> float:
    name = model.lower()
    return next((factor for pattern, factor in FAMILIES if pattern.search(name)), 1.0) / BYTES_PER_TOKEN
