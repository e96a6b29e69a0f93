"""Costs against genai-prices' own Decimal arithmetic, and against nonsense."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, Tier, TieredPrices
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.usage import Usage
from budgetd.pricing.genai import compile_price
from budgetd.pricing.rates import SCALE, Price, Rates, dearest
from pricing.usages import possible_usages, their_nusd


def every_price(model: ModelInfo) -> list[ModelPrice]:
    """All prices a model has had or will have, and those of its service tiers on top of the present ones."""
    standard = (
        [model.prices] if isinstance(model.prices, ModelPrice) else [each.prices for each in model.prices]
    )
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return standard + [model.get_prices(now, variant.when) for variant in model.price_variants or ()]


MODEL_PRICES = [
    (f"{provider.id} {model.id}", prices)
    for provider in providers
    for model in provider.models
    for prices in every_price(model)
]

USAGES = [
    Usage(),
    Usage(input_tokens=1, output_tokens=1),
    Usage(input_tokens=200_000, cache_read_tokens=150_001, output_tokens=333, reasoning_tokens=77),
    Usage(input_tokens=200_001, cache_write_tokens=30_000, cache_write_1h_tokens=9_999, web_searches=3),
    Usage(
        input_tokens=1_234_567,
        cache_read_tokens=500_000,
        cache_write_tokens=7_777,
        cache_write_1h_tokens=777,
        input_audio_tokens=40_003,
        cache_read_audio_tokens=10_007,
        output_tokens=98_765,
        reasoning_tokens=54_321,
        output_audio_tokens=1_111,
        web_searches=7,
    ),
]


def test_every_price_in_the_package_costs_what_the_package_says() -> None:
    for name, prices in MODEL_PRICES:
        price = compile_price(name, prices, None)
        assert price, name
        for usage in USAGES:
            assert price.cost_nusd(usage) == their_nusd(prices, usage), (name, usage)


@given(listed=st.sampled_from(MODEL_PRICES), usage=possible_usages())
def test_a_random_usage_costs_what_the_package_says(listed: tuple[str, ModelPrice], usage: Usage) -> None:
    price = compile_price(*listed, None)
    assert price
    assert price.cost_nusd(usage) == their_nusd(listed[1], usage)


def test_a_long_context_tier_holds_for_the_whole_exchange_once_its_start_is_exceeded() -> None:
    tiered = TieredPrices(base=Decimal(3), tiers=[Tier(start=200_000, price=Decimal(6))])
    price = compile_price("p", ModelPrice(input_mtok=tiered, output_mtok=Decimal(15)), None)
    assert price
    assert price.cost_nusd(Usage(input_tokens=200_000)) == 600_000_000
    assert price.cost_nusd(Usage(input_tokens=200_001)) == 1_200_006_000


@pytest.mark.parametrize(("halves", "nusd"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_half_a_nanodollar_rounds_to_even(halves: int, nusd: int) -> None:
    price = Price(id="p", rates=Rates(fresh_input=SCALE // 2))
    assert price.cost_nusd(Usage(input_tokens=halves)) == nusd


@pytest.mark.parametrize("bad", [Decimal(-5), Decimal("NaN"), Decimal("Infinity")])
def test_a_price_that_is_negative_or_no_number_is_no_price(bad: Decimal) -> None:
    assert compile_price("p", ModelPrice(input_mtok=Decimal(1), output_mtok=bad), None) is None
    tiered = TieredPrices(base=Decimal(1), tiers=[Tier(start=1, price=bad)])
    assert compile_price("p", ModelPrice(input_mtok=tiered), None) is None


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


@given(listed=st.sampled_from(MODEL_PRICES), usage=possible_usages(), spare=st.integers(0, 10_000))
def test_no_usage_costs_more_than_the_bound_of_its_totals(
    listed: tuple[str, ModelPrice], usage: Usage, spare: int
) -> None:
    price = compile_price(*listed, None)
    assert price
    bound = price.bound_nusd(
        usage.input_tokens + spare,
        usage.output_tokens + spare,
        web_searches=usage.web_searches,
        cache_write_1h=usage.cache_write_1h_tokens > 0,
    )
    assert price.cost_nusd(usage) <= bound


@given(chosen=st.lists(st.sampled_from(MODEL_PRICES), min_size=1, max_size=5), usage=possible_usages())
def test_the_dearest_of_prices_is_dearer_than_each(
    chosen: list[tuple[str, ModelPrice]], usage: Usage
) -> None:
    prices = [price for name, listed in chosen if (price := compile_price(name, listed, None))]
    top = dearest("top", prices)
    assert all(price.cost_nusd(usage) <= top.cost_nusd(usage) for price in prices)
