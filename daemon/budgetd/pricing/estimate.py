"""What a request may cost before it is answered, and what a response that broke off is taken to have used.

Pure sums and bounds from sizes alone; no text is looked at. What to expect comes from elsewhere: `families`
has the figures to start from, `learning` what was learned since.
"""

from math import ceil

import msgspec

from budgetd.metering.usage import Ask, Reading, Usage
from budgetd.pricing.answers import Writing
from budgetd.pricing.families import (
    LEAST_CHUNK_BYTES,
    answer_tokens_per_byte,
    beside,
    capped,
    family_factor,
    family_hidden,
    family_input,
    family_usage,
    search_units,
)
from budgetd.pricing.rates import SCALE, Price

INPUT_MARGIN = 2_048
"""No recorded body that refers to nothing outside it was billed more input tokens than its bytes and these,
which are the provider's hidden prompts for tools."""

LEAST_PCT = 3
"""No request is expected to cost less than this part of its family's input at the full price, whatever was
learned: even input read from a cache costs more."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What one request is expected to cost, and the most it can. ``0 <= expected_nusd <= worst_nusd``."""

    expected_nusd: int
    worst_nusd: int | None
    """None where nothing bounds the cost."""
    unbounded: str = ""
    """Why nothing bounds the cost, and what would, in sentences for a person; empty where it is bounded."""
    expected: Usage


def estimate(ask: Ask, price: Price, usage: Usage | None = None, bound: Price | None = None) -> Estimate:
    """Size up a request by the price it will be billed at (or the ceiling, if that is unknown).

    Args:
        ask: what is asked for.
        price: of the model that will bill.
        usage: what is expected to be used; without it, what the model's family uses, all input fresh.
        bound: the dearest that any source of prices says of the model; without it, the price itself.

    Worst: the most tokens the provider may bill, each at the dearest rate it can fall under. None where the
    body could not be read or names no output cap, where the provider may call its own tools without end or at
    an unknown fee, and where the input lies outside the body and the model's window is unknown.
    """
    window = _window(price)
    expected = _within(usage or family_usage(ask), window)
    expected_nusd = max(price.cost_nusd(expected), _least_nusd(ask, price, window))
    most = bound or price
    unbounded = _unbounded(ask, most, _window(most))
    worst_nusd = None if unbounded else _worst_nusd(ask, most, _window(most))
    if worst_nusd is not None:
        expected_nusd = min(expected_nusd, worst_nusd)
    return Estimate(
        expected_nusd=expected_nusd, worst_nusd=worst_nusd, unbounded=unbounded, expected=expected
    )


def streamed_usage(
    ask: Ask, reading: Reading, expected: Usage | None = None, writing: Writing | None = None
) -> Usage:
    """The usage of a response that broke off: what was reported, and a guess for what was not.

    Input is what was ``expected`` of the request, if that is known, else guessed from its size. Output is
    what the bytes that came stand for, and what the model hides, within the request's cap; ``writing`` says
    how the model's answers look, else its family does. A complete reading's usage stands as it is.
    """
    reported = reading.usage or msgspec.structs.replace(beside(ask), web_searches=0)
    if reading.complete and reading.usage is not None:
        return reported
    model = reading.model or ask.model
    if not reported.input_tokens:
        into = expected or Usage(input_tokens=family_input(ask, model))
        reported = msgspec.structs.replace(
            reported,
            input_tokens=into.input_tokens,
            cache_read_tokens=into.cache_read_tokens,
            cache_write_tokens=into.cache_write_tokens,
            cache_write_1h_tokens=into.cache_write_1h_tokens,
        )
    writing = writing or Writing(answer_tokens_per_byte(model), family_hidden(model))
    if ask.stream or reading.output_bytes:
        output = _streamed_output(reading, model, writing)
    else:  # none of a body that is one document can be read before its end
        output = (expected or family_usage(ask)).output_tokens
    output = capped(ceil(output * writing.correction_pct / 100), ask.output_cap)
    return msgspec.structs.replace(reported, output_tokens=max(reported.output_tokens, output))


def _streamed_output(reading: Reading, model: str, writing: Writing) -> float:
    """The tokens of what has been generated, seen or not. Those that were counted are the better guess."""
    visible = reading.output_bytes * writing.tokens_per_byte
    if reading.text_tokens is not None:
        visible = reading.text_tokens * family_factor(model)
    return visible + _hidden(reading, visible, writing)


def _hidden(reading: Reading, visible: float, writing: Writing) -> float:
    """The tokens of reasoning that was not shown."""
    if reading.sealed_bytes:
        return reading.sealed_bytes * writing.tokens_per_byte
    reported = reading.usage
    if reported is not None and (reported.reasoning_tokens or 0 < visible <= reported.output_tokens * 2):
        return reported.reasoning_tokens  # a report that keeps up with what streams tells this too
    return writing.hidden


def _window(price: Price) -> int | None:
    """The most tokens the model takes in. A price for inputs longer than the window belies the window."""
    window = price.context_window
    if window is None or any(tier.start >= window for tier in price.tiers):
        return None
    return window


def _least_nusd(ask: Ask, price: Price, window: int | None) -> int:
    tokens = family_input(ask, ask.model)
    if window is not None:
        tokens = min(tokens, window)
    return tokens * price.rates.fresh_input * LEAST_PCT // (100 * SCALE)


def _within(usage: Usage, window: int | None) -> Usage:
    if window is None or usage.input_tokens <= window:
        return usage
    read = min(usage.cache_read_tokens, window)
    written = min(usage.cache_write_tokens, window - read)
    return msgspec.structs.replace(
        usage,
        input_tokens=window,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(usage.cache_write_1h_tokens, written),
    )


def _unbounded(ask: Ask, price: Price, window: int | None) -> str:
    """Each reason why nothing bounds what a request costs, with its remedy."""
    if not ask.understood:
        return "Its body could not be read: send JSON, plain or compressed with gzip, deflate, br or zstd."
    reasons: list[str] = []
    if ask.output_cap is None and price.bills_output():
        reasons.append(
            "It does not say how long the answer may be: set max_tokens (OpenAI: max_completion_tokens or"
            " max_output_tokens; Gemini: maxOutputTokens)."
        )
    if ask.server_tool_uses is None:
        reasons.append(
            "It lets the provider run its own tools as often as it likes: give each tool max_uses (OpenAI:"
            " max_tool_calls), or leave them out."
        )
    elif ask.server_tool_uses and not price.knows_web_search():
        reasons.append("It lets the provider run its own tools, and their fee is not known: leave them out.")
    if ask.media and window is None:
        reasons.append(
            "It holds pictures, sound or documents, and how much this model takes in is not known."
        )
    if (ask.open_input or ask.server_tool_uses) and window is None:
        reasons.append(
            "Part of its input is not in its body, and how much this model takes in is not known: send the"
            " content itself instead of a URL, a file id or an earlier response."
        )
    return " ".join(reasons)


def _worst_nusd(ask: Ask, price: Price, window: int | None) -> int:
    """The most a request can cost that something bounds.

    The provider's own tools make it call the model again: each use reads the whole context once more and, to
    be on the safe side, writes as much as the first.
    """
    uses = ask.server_tool_uses or 0
    input_tokens = ask.body_bytes + INPUT_MARGIN * max(1, ask.requests)
    if window is not None and (ask.open_input or ask.media or uses):
        input_tokens = max(input_tokens, (uses + max(1, ask.requests)) * window)
    bound = price.bound_nusd(
        input_tokens,
        (uses + 1) * max(0, ask.output_cap or 0),
        web_searches=uses,
        cache_write_1h=ask.cache_write_1h,
    )
    units = search_units(ask, LEAST_CHUNK_BYTES)
    if not (units or ask.images or ask.input_characters):
        return bound
    rest = Usage(search_units=units, images=ask.images, input_characters=ask.input_characters)
    return bound + price.cost_nusd(rest)
