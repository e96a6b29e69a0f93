"""What a usage costs by a price: tiers, classes, rounding, bounds, and nonsense."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.usage import Usage
from budgetd.pricing.rates import SCALE, Price, Rates, Tier, dearest, dearest_by_tier, rate
from pricing.test_genai import SHEET
from pricing.usages import possible_usages

PRICES = [
    Price(id=model.id, rates=listing.rates, tiers=listing.tiers, request=listing.request)
    for provider in SHEET.providers
    for model in provider.models
    for listing in model.prices
]
"""All prices that models have had or will have, and those of their service tiers."""


def test_a_long_context_tier_holds_for_the_whole_exchange_once_its_start_is_exceeded() -> None:
    long = Tier(200_000, Rates(fresh_input=rate(Decimal(6), 6)))
    price = Price(id="p", rates=Rates(fresh_input=rate(Decimal(3), 6)), tiers=(long,))
    assert price.cost_nusd(Usage(input_tokens=200_000)) == 600_000_000
    assert price.cost_nusd(Usage(input_tokens=200_001)) == 1_200_006_000


@pytest.mark.parametrize(
    ("dollars", "exponent", "expected"),
    [("5", 6, 5 * 10**18), ("0.000000000000000001", 6, 1), ("0.25", 0, 25 * 10**22), ("10", 3, 10**22)],
)
def test_dollars_become_a_rate_to_the_last_digit(dollars: str, exponent: int, expected: int) -> None:
    assert rate(Decimal(dollars), exponent) == expected


@pytest.mark.parametrize(
    "bad", ["-5", "-1e-30", "NaN", "sNaN", "Infinity", "-Infinity", "1000001", "1e999999"]
)
def test_what_cannot_be_a_price_is_no_rate(bad: str) -> None:
    with pytest.raises(ValueError, match="a price of"):
        rate(Decimal(bad), 6)


some_own = st.dictionaries(st.sampled_from(Rates.__struct_fields__), st.integers(0, 3))


@given(own=some_own)
def test_named_classes_keep_their_price_and_make_the_same_rates_again(own: dict[str, int]) -> None:
    rates = Rates.of(own)
    assert all(getattr(rates, name) == value for name, value in own.items())
    assert Rates.of(rates.own()) == rates


def test_tokens_without_a_price_of_their_own_bear_that_of_the_class_they_belong_to() -> None:
    rates = Rates.of({"fresh_input": 2, "output": 5, "cache_write": 3})
    assert (rates.cache_read, rates.cache_write_1h, rates.audio_input, rates.image_cache_read) == (2, 3, 2, 2)
    assert (rates.reasoning, rates.audio_output, rates.image_output) == (5, 5, 5)
    assert (rates.web_search, rates.image, rates.character) == (0, 0, 0)


@pytest.mark.parametrize(("halves", "nusd"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_half_a_nanodollar_rounds_to_even(halves: int, nusd: int) -> None:
    price = Price(id="p", rates=Rates(fresh_input=SCALE // 2))
    assert price.cost_nusd(Usage(input_tokens=halves)) == nusd


any_count = st.integers(-1000, 5_000_000)
any_usages = st.builds(Usage, **dict.fromkeys(Usage.__struct_fields__, any_count))
small_rates = st.builds(Rates, **dict.fromkeys(Rates.__struct_fields__, st.integers(0, 10**18)))


@given(rates=small_rates, usage=any_usages)
def test_an_impossible_usage_never_costs_less_than_nothing(rates: Rates, usage: Usage) -> None:
    assert Price(id="p", rates=rates).cost_nusd(usage) >= 0


@given(rates=small_rates, usage=possible_usages())
def test_parts_that_exceed_their_total_are_billed_in_full(rates: Rates, usage: Usage) -> None:
    price = Price(id="p", rates=rates)
    parts_only = msgspec.structs.replace(usage, input_tokens=0, output_tokens=0)
    fresh = msgspec.structs.replace(
        usage,
        input_tokens=usage.cache_read_tokens
        + usage.cache_write_tokens
        + usage.input_audio_tokens
        - usage.cache_read_audio_tokens,
        output_tokens=usage.reasoning_tokens + usage.output_audio_tokens,
    )
    assert price.cost_nusd(parts_only) == price.cost_nusd(fresh)


@given(price=st.sampled_from(PRICES), usage=possible_usages(), spare=st.integers(0, 10_000))
def test_no_usage_costs_more_than_the_bound_of_its_totals(price: Price, usage: Usage, spare: int) -> None:
    bound = price.bound_nusd(
        usage.input_tokens + spare,
        usage.output_tokens + spare,
        web_searches=usage.web_searches,
        cache_write_1h=usage.cache_write_1h_tokens > 0,
    )
    assert price.cost_nusd(usage) <= bound


several = st.lists(st.sampled_from(PRICES), min_size=1, max_size=5)


@given(chosen=several, usage=possible_usages())
def test_the_dearest_of_prices_is_dearer_than_each(chosen: list[Price], usage: Usage) -> None:
    by_tier, flat = dearest_by_tier("top", chosen), dearest("top", chosen)
    most = max(price.cost_nusd(usage) for price in chosen)
    assert most <= by_tier.cost_nusd(usage) <= flat.cost_nusd(usage)


@given(price=st.sampled_from(PRICES), usage=possible_usages())
def test_the_dearest_of_one_price_is_that_price(price: Price, usage: Usage) -> None:
    assert dearest_by_tier("top", [price]).cost_nusd(usage) == price.cost_nusd(usage)
