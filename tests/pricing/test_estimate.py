"""What a request is expected to cost and can cost, and what a broken response is taken to have used."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.usage import Ask, Reading, Usage
from budgetd.pricing.answers import Writing
from budgetd.pricing.estimate import INPUT_MARGIN, LEAST_PCT, estimate, streamed_usage
from budgetd.pricing.families import EXPECTED_OUTPUT, UNREAD_INPUT, UNREAD_OUTPUT, family_hidden
from budgetd.pricing.rates import SCALE, Price, Rates, Tier
from pricing.usages import possible_usages

PER_TOKEN = SCALE * 1_000
"""One dollar per million tokens."""

PRICE = Price(
    id="made up",
    rates=Rates(
        fresh_input=3 * PER_TOKEN,
        cache_read=PER_TOKEN // 2,
        cache_write=4 * PER_TOKEN,
        cache_write_1h=6 * PER_TOKEN,
        output=15 * PER_TOKEN,
        reasoning=15 * PER_TOKEN,
        web_search=10_000_000 * SCALE,
    ),
    context_window=200_000,
)
BARE = msgspec.structs.replace(
    PRICE, rates=Rates(fresh_input=PER_TOKEN, output=PER_TOKEN), context_window=None
)
EMBEDDING = Price(id="embedding", rates=Rates(fresh_input=PER_TOKEN))

rates = st.builds(Rates, **dict.fromkeys(Rates.__struct_fields__, st.integers(0, 100 * PER_TOKEN)))
prices = st.builds(
    Price,
    id=st.just("p"),
    rates=rates,
    tiers=st.lists(st.builds(Tier, st.integers(0, 500_000), rates), max_size=2).map(
        lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.start))
    ),
    request=st.sampled_from([0, SCALE]),
    context_window=st.none() | st.integers(1, 2_000_000),
)
asks = st.builds(
    Ask,
    model=st.sampled_from(["", "gpt-5", "claude-opus-4-8", "gemini-2.5-pro"]),
    output_cap=st.none() | st.integers(0, 128_000),
    choices=st.integers(1, 8),
    open_input=st.booleans(),
    server_tool_uses=st.none() | st.integers(0, 10),
    cache_write_1h=st.booleans(),
    body_bytes=st.integers(0, 60 * 2**20),
    understood=st.booleans(),
)


@given(ask=asks, price=prices, learned=st.none() | possible_usages())
def test_the_expected_cost_lies_between_nothing_and_the_worst(
    ask: Ask, price: Price, learned: Usage | None
) -> None:
    sized = estimate(ask, price, learned)
    assert sized.expected_nusd >= 0
    assert sized.worst_nusd is None or sized.expected_nusd <= sized.worst_nusd


@given(ask=asks, price=prices)
def test_a_request_is_either_bounded_or_says_why_not(ask: Ask, price: Price) -> None:
    sized = estimate(ask, price)
    assert (sized.worst_nusd is None) == bool(sized.unbounded)


@st.composite
def bounded_exchanges(draw: st.DrawFn) -> tuple[Ask, Price, Usage]:
    """A bounded request, and a usage that it allows: as much as that in any class of tokens."""
    uses = draw(st.sampled_from([0, 0, 1, 7]))
    ask = msgspec.structs.replace(
        draw(asks), understood=True, server_tool_uses=uses, output_cap=draw(st.integers(0, 128_000))
    )
    price = draw(prices)
    window = draw(st.integers(500_001, 2_000_000))
    fee = draw(st.integers(1, 100 * PER_TOKEN))
    price = msgspec.structs.replace(
        price, context_window=window, rates=msgspec.structs.replace(price.rates, web_search=fee)
    )
    most = (uses + 1) * window if ask.open_input or uses else ask.body_bytes + INPUT_MARGIN
    read, written, audio = (draw(st.integers(0, most // 3)) for _ in range(3))
    output = draw(st.integers(0, (uses + 1) * (ask.output_cap or 0)))
    return (
        ask,
        price,
        Usage(
            input_tokens=draw(st.sampled_from([most, read + written + audio])),
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=draw(st.integers(0, written)) if ask.cache_write_1h else 0,
            input_audio_tokens=audio,
            output_tokens=output,
            reasoning_tokens=draw(st.integers(0, output // 2)),
            output_audio_tokens=draw(st.integers(0, output // 2)),
            web_searches=draw(st.integers(0, uses)),
        ),
    )


@given(bounded_exchanges())
def test_no_usage_that_a_bounded_request_allows_costs_more_than_its_worst(
    exchange: tuple[Ask, Price, Usage],
) -> None:
    ask, price, usage = exchange
    worst = estimate(ask, price).worst_nusd
    assert worst is not None
    assert price.cost_nusd(usage) <= worst


@given(ask=asks, price=prices, usage=possible_usages())
def test_what_stays_within_a_closed_request_never_costs_more_than_its_worst(
    ask: Ask, price: Price, usage: Usage
) -> None:
    closed = msgspec.structs.replace(ask, open_input=False, server_tool_uses=0, understood=True)
    fits = msgspec.structs.replace(
        closed,
        body_bytes=usage.input_tokens,
        output_cap=usage.output_tokens,
        cache_write_1h=closed.cache_write_1h or usage.cache_write_1h_tokens > 0,
    )
    worst = estimate(fits, price).worst_nusd
    assert worst is not None
    assert price.cost_nusd(msgspec.structs.replace(usage, web_searches=0)) <= worst


def test_a_closed_request_is_bounded_by_its_bytes_at_the_dearest_rate() -> None:
    ask = Ask(model="m", body_bytes=10_000, output_cap=500)
    tokens = 10_000 + INPUT_MARGIN
    assert estimate(ask, PRICE).worst_nusd == tokens * 4_000 + 500 * 15_000
    hour = msgspec.structs.replace(ask, cache_write_1h=True)
    assert estimate(hour, PRICE).worst_nusd == tokens * 6_000 + 500 * 15_000


def test_the_worst_case_bears_the_long_context_tier_only_where_it_can_be_reached() -> None:
    long = Tier(20_000, Rates(fresh_input=100 * PER_TOKEN, output=100 * PER_TOKEN))
    tiered = msgspec.structs.replace(PRICE, tiers=(long,))
    below, above = (Ask(body_bytes=size, output_cap=1) for size in (10_000, 20_000))
    assert estimate(below, tiered).worst_nusd == estimate(below, PRICE).worst_nusd
    assert estimate(above, tiered).worst_nusd == (20_000 + INPUT_MARGIN) * 100_000 + 100_000


def test_input_outside_the_body_is_bounded_by_the_window_if_that_is_known() -> None:
    ask = Ask(body_bytes=100, output_cap=10, open_input=True)
    assert estimate(ask, PRICE).worst_nusd == 200_000 * 4_000 + 10 * 15_000
    assert estimate(ask, BARE).worst_nusd is None
    longer = msgspec.structs.replace(PRICE, tiers=(Tier(200_000, PRICE.rates),))
    assert estimate(ask, longer).worst_nusd is None, "it has a price for more than its window"


@pytest.mark.parametrize(
    ("ask", "price", "words"),
    [
        (Ask(body_bytes=9), PRICE, "set max_tokens"),
        (Ask(body_bytes=9, output_cap=9, server_tool_uses=None), PRICE, "give each tool max_uses"),
        (Ask(body_bytes=9, output_cap=9, server_tool_uses=1), BARE, "their fee is not known"),
        (Ask(body_bytes=9, output_cap=9, open_input=True), BARE, "send the content itself"),
        (Ask(body_bytes=9, understood=False), PRICE, "could not be read"),
    ],
)
def test_a_request_without_a_bound_is_told_what_would_give_it_one(ask: Ask, price: Price, words: str) -> None:
    assert words in estimate(ask, price).unbounded


def test_a_request_that_lacks_several_bounds_is_told_of_each() -> None:
    why = estimate(Ask(body_bytes=9, server_tool_uses=None), PRICE).unbounded
    assert "max_tokens" in why
    assert "max_uses" in why


def test_each_use_of_a_provider_tool_calls_the_model_once_more_and_bears_its_fee() -> None:
    ask = Ask(body_bytes=100, output_cap=10, server_tool_uses=2)
    assert estimate(ask, PRICE).worst_nusd == 3 * 200_000 * 4_000 + 3 * 10 * 15_000 + 2 * 10_000_000
    assert estimate(ask, PRICE).expected.web_searches == 1
    endless = msgspec.structs.replace(ask, server_tool_uses=None)
    assert estimate(endless, PRICE).worst_nusd is None


def test_a_tool_whose_fee_is_unknown_has_no_bound() -> None:
    ask = Ask(body_bytes=100, output_cap=10, server_tool_uses=1)
    assert estimate(ask, msgspec.structs.replace(BARE, context_window=1000)).worst_nusd is None


def test_a_request_without_an_output_cap_has_no_bound_unless_output_is_not_billed() -> None:
    ask = Ask(body_bytes=1_000)
    assert estimate(ask, PRICE).worst_nusd is None
    assert estimate(ask, EMBEDDING).worst_nusd == (1_000 + INPUT_MARGIN) * 1_000


def test_the_expected_answer_is_short_for_each_choice_and_within_the_cap() -> None:
    assert estimate(Ask(), PRICE).expected.output_tokens == EXPECTED_OUTPUT
    assert estimate(Ask(choices=3), PRICE).expected.output_tokens == 3 * EXPECTED_OUTPUT
    assert estimate(Ask(choices=3, output_cap=100), PRICE).expected.output_tokens == 100


def test_newer_claudes_make_more_tokens_of_the_same_bytes() -> None:
    names = [
        "gpt-5.4",
        "claude-sonnet-4-5-20250929",
        "claude-opus-4-20250514",
        "claude-opus-4-8",
        "claude-sonnet-5",
    ]
    names += [
        "anthropic/claude-opus-4.8",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "claude-3-5-haiku-latest",
    ]
    tokens = [estimate(Ask(model=name, body_bytes=35_000), BARE).expected.input_tokens for name in names]
    assert tokens == [10_000, 11_500, 11_500, 14_400, 14_400, 14_400, 11_500, 11_500]


def test_a_body_that_could_not_be_read_is_guessed_high_up_to_a_point_and_never_bounded() -> None:
    ask = Ask(body_bytes=60_000, understood=False)
    sized = estimate(ask, PRICE)
    assert sized.expected == Usage(input_tokens=30_000, output_tokens=UNREAD_OUTPUT)
    assert sized.worst_nusd is None
    huge = msgspec.structs.replace(ask, body_bytes=60 * 2**20)
    assert estimate(huge, PRICE).expected.input_tokens == UNREAD_INPUT


def test_whatever_was_learned_a_part_of_the_full_price_of_the_input_is_expected() -> None:
    ask = Ask(model="gpt-5", body_bytes=35_000, output_cap=10)
    sized = estimate(ask, PRICE, Usage(input_tokens=1))
    assert sized.expected_nusd == 10_000 * 3_000 * LEAST_PCT // 100


def test_what_was_learned_is_priced_class_by_class() -> None:
    ask = Ask(model="gpt-5", body_bytes=35_000, output_cap=64_000)
    usage = Usage(input_tokens=10_000, cache_read_tokens=9_000, cache_write_tokens=900, output_tokens=200)
    sized = estimate(ask, PRICE, usage)
    assert sized.expected == usage
    assert sized.expected_nusd == 9_000 * 500 + 900 * 4_000 + 100 * 3_000 + 200 * 15_000


def test_no_more_input_is_expected_than_the_window_takes() -> None:
    assert estimate(Ask(body_bytes=60 * 2**20), PRICE).expected.input_tokens == 200_000


readings = st.builds(
    Reading,
    usage=st.none() | possible_usages(),
    complete=st.booleans(),
    model=st.sampled_from(["", "claude-sonnet-5"]),
    output_bytes=st.integers(0, 10_000_000),
)


@given(ask=asks, reading=readings)
def test_a_broken_response_never_used_less_than_was_reported(ask: Ask, reading: Reading) -> None:
    usage = streamed_usage(ask, reading)
    reported = reading.usage or Usage()
    assert all(getattr(usage, name) >= getattr(reported, name) for name in Usage.__struct_fields__)
    if reading.complete and reading.usage:
        assert usage == reported


STREAM = Ask(model="gpt-4.1", stream=True, body_bytes=7_000, output_cap=400)


def test_a_broken_response_without_a_report_is_guessed_from_its_bytes() -> None:
    assert streamed_usage(STREAM, Reading(output_bytes=800)) == Usage(input_tokens=2_000, output_tokens=200)
    assert streamed_usage(STREAM, Reading(output_bytes=8_000)).output_tokens == 400


def test_what_a_model_hides_is_billed_though_nothing_of_it_streamed() -> None:
    ask = msgspec.structs.replace(STREAM, model="gpt-5", output_cap=1_000)
    assert streamed_usage(ask, Reading()).output_tokens == family_hidden("gpt-5") > 300
    assert streamed_usage(ask, Reading(output_bytes=800)).output_tokens == 200 + family_hidden("gpt-5")
    writing = Writing(tokens_per_byte=0.2, hidden=50, correction_pct=150)
    assert streamed_usage(ask, Reading(output_bytes=800), None, writing).output_tokens == (160 + 50) * 3 // 2
    assert streamed_usage(ask, Reading(output_bytes=8_000), None, writing).output_tokens == 1_000


def test_a_report_that_keeps_up_with_the_stream_tells_the_reasoning_too() -> None:
    ask = msgspec.structs.replace(STREAM, model="gemini-2.5-flash", output_cap=None)
    said = Usage(input_tokens=9, output_tokens=60, reasoning_tokens=20)
    assert streamed_usage(ask, Reading(usage=said, output_bytes=160)).output_tokens == 62
    late = Usage(input_tokens=9, output_tokens=1)
    hidden = family_hidden("gemini-2.5-flash")
    assert streamed_usage(ask, Reading(usage=late, output_bytes=160)).output_tokens == 42 + hidden
    assert streamed_usage(ask, Reading(usage=late)).output_tokens == hidden, (
        "nothing streamed to keep up with"
    )


def test_reasoning_that_came_encrypted_is_not_guessed_once_more() -> None:
    ask = msgspec.structs.replace(STREAM, model="gpt-5", output_cap=None)
    sealed = Reading(output_bytes=800, sealed_bytes=4_000)
    assert streamed_usage(ask, sealed).output_tokens == 200 + 1_000
    started = msgspec.structs.replace(sealed, usage=Usage(input_tokens=9, output_tokens=2), output_bytes=0)
    assert streamed_usage(ask, started).output_tokens == 1_000


@pytest.mark.parametrize(
    ("hides", "models"),
    [
        (True, "gpt-5 gpt-5-mini-2025-08-07 openai/gpt-5.2 gpt-5.3-codex gpt-6 o3-mini azure/o1 grok-4-0709"),
        (True, "gemini-2.5-flash gemini-2.5-pro-preview gemini-3-pro-preview"),
        (False, "gpt-5-chat-latest gpt-4o gpt-4.1 gpt-oss-120b grok-4-fast-non-reasoning grok-3 gpt-image-1"),
        (False, "gemini-2.0-flash gemini-2.5-flash-lite gemini-2.5-flash-image claude-opus-4-8 deepseek-r1"),
    ],
)
def test_only_models_that_hide_their_reasoning_are_charged_for_it_unseen(hides: bool, models: str) -> None:
    assert {model: family_hidden(model) > 0 for model in models.split()} == dict.fromkeys(
        models.split(), hides
    )


def test_an_answer_that_does_not_stream_is_taken_to_have_been_written() -> None:
    ask = msgspec.structs.replace(STREAM, stream=False, output_cap=None)
    assert streamed_usage(ask, Reading()).output_tokens == EXPECTED_OUTPUT
    assert streamed_usage(ask, Reading(), Usage(output_tokens=77)).output_tokens == 77
    assert streamed_usage(ask, Reading(output_bytes=800)).output_tokens == 200


def test_what_is_not_billed_by_tokens_is_expected_and_bounded_too() -> None:
    ranked = Ask(model="rerank", documents=100, body_bytes=17_500, output_cap=0)
    assert estimate(ranked, PRICE).expected.search_units == 2
    price = msgspec.structs.replace(PRICE, rates=Rates(search_unit=2_000_000 * SCALE))
    assert estimate(ranked, price) == msgspec.structs.replace(
        estimate(ranked, price), expected_nusd=2 * 2_000_000, worst_nusd=2 * 2_000_000
    )
    spoken = Ask(model="tts", input_characters=30, output_cap=0)
    assert estimate(spoken, msgspec.structs.replace(PRICE, rates=Rates(character=SCALE))).worst_nusd == 30
    assert streamed_usage(spoken, Reading()).input_characters == 30
    assert estimate(Ask(images=2, output_cap=0), PRICE).expected.images == 2


def test_a_batch_is_expected_to_cost_as_much_as_its_requests() -> None:
    assert estimate(Ask(requests=5), PRICE).expected.output_tokens == 5 * EXPECTED_OUTPUT
    one, five = (estimate(Ask(requests=each, output_cap=0), PRICE).worst_nusd or 0 for each in (1, 5))
    assert five == 5 * one > 0


def test_reported_input_stands_while_output_is_guessed() -> None:
    said = Usage(input_tokens=41_000, cache_read_tokens=40_000, output_tokens=1)
    usage = streamed_usage(STREAM, Reading(usage=said, output_bytes=400))
    assert usage == msgspec.structs.replace(said, output_tokens=100)


def test_input_that_was_never_reported_is_what_was_expected_of_the_request() -> None:
    expected = Usage(input_tokens=9_000, cache_read_tokens=8_000, output_tokens=1_024)
    usage = streamed_usage(STREAM, Reading(output_bytes=400), expected)
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (9_000, 8_000, 100)
