"""Prices that follow from a provider's published rule."""

from datetime import UTC, datetime

import pytest

from budgetd.metering.usage import Usage
from budgetd.pricing.supplement import supplement
from budgetd.pricing.table import Table
from pricing.test_genai import NOW, SHEET

TABLE = Table(supplement(SHEET).encode())
MILLION = 1_000_000
USAGE = Usage(
    input_tokens=3 * MILLION,
    cache_read_tokens=MILLION,
    cache_write_tokens=MILLION,
    output_tokens=MILLION,
    web_searches=1_000,
)
"""A million tokens of each class, and a thousand searches."""


def dollars(provider: str, model: str, tier: str = "", geo: str = "", at: float = NOW) -> float:
    price = TABLE.find(provider, model, at, tier, geo)
    assert price
    return price.cost_nusd(USAGE) / 10**9


@pytest.mark.parametrize(
    ("tier", "tokens"),
    [("", 5 + 0.5 + 6.25 + 25), ("batch", 2.5 + 0.25 + 3.125 + 12.5), ("fast", 10 + 1 + 12.5 + 50)],
)
def test_claude_in_the_us_costs_a_tenth_more_for_tokens_and_no_more_for_searches(
    tier: str, tokens: float
) -> None:
    assert dollars("anthropic", "claude-opus-4-8", tier) == pytest.approx(tokens + 10)
    assert dollars("anthropic", "claude-opus-4-8", tier, "us") == pytest.approx(tokens * 1.1 + 10)


def test_claude_anywhere_costs_the_standard_price() -> None:
    assert dollars("anthropic", "claude-opus-4-8", geo="global") == dollars("anthropic", "claude-opus-4-8")


def test_claude_elsewhere_has_no_such_rule() -> None:
    for provider in ("vertex", "azure", "bedrock"):
        model = "anthropic.claude-sonnet-4-6" if provider == "bedrock" else "claude-sonnet-4-6"
        assert dollars(provider, model, geo="us") == dollars(provider, model)


def test_a_batch_of_a_claude_that_no_list_has_costs_half() -> None:
    assert dollars("anthropic", "claude-3-haiku-20240307", "batch") == pytest.approx(
        (0.25 + 0.03 + 0.3 + 1.25) / 2
    )


def test_a_batch_before_the_source_lists_batches_costs_half() -> None:
    july = datetime(2026, 7, 1, tzinfo=UTC).timestamp()
    assert dollars("anthropic", "claude-opus-4-8", "batch", at=july) == pytest.approx(36.75 / 2 + 10)


def test_what_the_source_says_of_a_tier_wins() -> None:
    for tier in ("batch", "flex", "priority"):
        listed, supplemented = (
            table.find("openai", "gpt-5.4", NOW, tier) for table in (Table(SHEET.encode()), TABLE)
        )
        assert listed == supplemented


def test_openais_cache_is_read_in_a_batch_at_no_more_than_other_input() -> None:
    price = TABLE.find("openai", "gpt-4o", datetime(2026, 7, 1, tzinfo=UTC).timestamp(), "batch")
    assert price
    assert (price.rates.fresh_input, price.rates.cache_read, price.rates.output) == (
        1_250_000_000_000_000_000,
        1_250_000_000_000_000_000,
        5_000_000_000_000_000_000,
    )


def test_the_standard_price_is_left_as_it_is() -> None:
    plain = Table(SHEET.encode())
    for provider in SHEET.providers:
        for model in provider.models:
            assert plain.find(provider.id, model.id, NOW) == TABLE.find(provider.id, model.id, NOW)


def test_what_is_read_of_sound_in_a_batch_is_capped_by_the_price_of_sound() -> None:
    price = TABLE.find("openai", "gpt-audio-mini", NOW, "batch")
    assert price
    assert price.rates.audio_cache_read == price.rates.audio_input > price.rates.fresh_input
