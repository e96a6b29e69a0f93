"""The book over the shipped prices: matching, history, tiers, bounds, and names nobody knows."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from genai_prices import calc_price
from genai_prices.data import providers
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.usage import Usage
from budgetd.pricing.book import Book, load_book
from pricing.usages import possible_usages, their_nusd, theirs

BOOK = load_book()
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()

USAGE = Usage(
    input_tokens=10_000,
    cache_read_tokens=4_000,
    cache_write_tokens=1_000,
    cache_write_1h_tokens=200,
    output_tokens=500,
    reasoning_tokens=100,
    web_searches=1,
)
"""5,000 fresh, 4,000 read, 800 written for 5 minutes and 200 for an hour, 500 out, one search."""

KNOWN = [  # worked by hand from the prices per million tokens and per thousand searches
    ("anthropic", "claude-opus-4-8", 56_500_000),  # 5, read 0.5, written 6.25 and 10, out 25, search 10
    ("anthropic", "claude-sonnet-5", 28_600_000),  # 2, 0.2, 2.5, 4, 10, 10
    ("anthropic", "claude-sonnet-4-5-20250929", 37_900_000),  # 3, 0.3, 3.75, 6, 15, 10
    ("anthropic", "claude-haiku-4-5", 19_300_000),  # 1, 0.1, 1.25, 2, 5, 10
    ("anthropic", "claude-haiku-4-5-20251001", 19_300_000),
    ("anthropic", "claude-opus-4-1", 149_500_000),  # 15, 1.5, 18.75, 30, 75, 10
    ("openai", "gpt-5.4", 33_500_000),  # 2.5, 0.25, writes as input, 15, 10
    ("openai", "gpt-5.4-mini", 17_050_000),  # 0.75, 0.075, 4.5, 10
    ("openai", "gpt-5.6", 46_600_000),  # 4, 0.4, 5, 20, 10
    ("openai", "gpt-5", 23_000_000),  # 1.25, 0.125, 10, 10
    ("openai", "gpt-5-mini", 12_600_000),  # 0.25, 0.025, 2, 10
    ("openai", "gpt-4.1", 28_000_000),  # 2, 0.5, 8, 10
    ("openai", "gpt-4o", 35_000_000),  # 2.5, 1.25, 10, 10
    ("openai", "gpt-4o-mini", 11_500_000),  # 0.15, 0.075, 0.6, 10
    ("openai", "gpt-4o-mini-2024-07-18", 11_500_000),
    ("openai", "text-embedding-3-small", 200_000),  # 0.02, nothing else
    ("gemini", "gemini-3-flash-preview", 18_700_000),  # 0.5, 0.05, 3, 14
    ("gemini", "gemini-2.5-pro", 48_000_000),  # 1.25, 0.125, 10, 35
    ("gemini", "gemini-2.5-flash", 38_170_000),  # 0.3, 0.03, 2.5, 35
    ("vertex", "publishers/google/models/gemini-2.5-flash", 38_170_000),
    ("vertex", "claude-opus-4-5@20251101", 46_500_000),  # 5, 0.5, 6.25, 10, 25
    ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", 30_690_000),  # 3.3, 0.33, 4.125, 6.6, 16.5
    ("openrouter", "anthropic/claude-opus-4.8", 45_750_000),  # 5, 0.5, 6.25, 25
    ("groq", "llama-3.3-70b-versatile", 6_295_000),  # 0.59, 0.79
    ("deepseek", "deepseek-chat", 2_450_000),  # by day 0.27, 0.07, 1.1
    ("xai", "grok-4", 28_500_000),  # 3, 0.75, 15
    ("azure", "gpt-5", 23_000_000),
    ("cohere", "command-a-03-2025", 30_000_000),  # 2.5, 10
]


@pytest.mark.parametrize(("provider", "model", "nusd"), KNOWN)
def test_a_well_known_model_costs_what_its_list_price_says(provider: str, model: str, nusd: int) -> None:
    price = BOOK.price(provider, model, NOW)
    assert price
    assert price.cost_nusd(USAGE) == nusd


MODELS = [(provider.id, model.id) for provider in providers for model in provider.models]
TIERS = ["", "default", "priority", "flex", "batch", "standard", "auto", "nonsense"]


@given(
    listed=st.sampled_from(MODELS),
    at=st.floats(1_700_000_000, 1_820_000_000),
    tier=st.sampled_from(TIERS),
    usage=possible_usages(),
)
def test_the_book_agrees_with_the_package_at_any_time_and_tier(
    listed: tuple[str, str], at: float, tier: str, usage: Usage
) -> None:
    provider, model = listed
    price = BOOK.price(provider, model, at, service_tier=tier)
    if price is None:
        return
    context = {"processing" if tier == "batch" else "service_tier": tier} if tier else None
    answer = calc_price(
        theirs(usage),
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromtimestamp(at, UTC),
        price_context=context,
    )
    assert price.cost_nusd(usage) == their_nusd(answer.model_price, usage)


def test_a_price_names_source_version_provider_model_day_and_tier() -> None:
    price = BOOK.price("openai", "gpt-5.4", NOW, service_tier="priority")
    assert price
    source, version, *rest = price.id.split(" ")
    assert (source, rest) == ("genai-prices", ["openai", "gpt-5.4", "2026-11-23", "priority"])
    assert version[0].isdigit()


def test_a_tier_without_a_price_of_its_own_bears_the_standard_price() -> None:
    assert BOOK.price("openai", "gpt-5.4", NOW, service_tier="auto") == BOOK.price("openai", "gpt-5.4", NOW)


def test_a_model_borrowed_from_another_provider_has_none_of_its_tiers() -> None:
    assert BOOK.price("azure", "gpt-5.4", NOW, service_tier="priority") == BOOK.price("azure", "gpt-5.4", NOW)


def test_claudes_fast_mode_is_a_service_tier() -> None:
    price = BOOK.price("anthropic", "claude-opus-4-8", NOW, service_tier="fast")
    assert price
    assert price.cost_nusd(Usage(output_tokens=1_000)) == 50_000_000


def test_a_request_bears_the_price_of_its_own_day() -> None:
    million = Usage(output_tokens=1_000_000)
    before = BOOK.price("openai", "o3", datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC).timestamp())
    after = BOOK.price("openai", "o3", datetime(2025, 6, 10, tzinfo=UTC).timestamp())
    assert before
    assert after
    assert (before.cost_nusd(million), after.cost_nusd(million)) == (40_000_000_000, 8_000_000_000)


@pytest.mark.parametrize(
    ("hour", "minute", "nusd"), [(0, 29, 550), (0, 30, 1100), (16, 29, 1100), (16, 30, 550)]
)
def test_a_request_bears_the_price_of_its_time_of_day(hour: int, minute: int, nusd: int) -> None:
    price = BOOK.price(
        "deepseek", "deepseek-chat", datetime(2026, 11, 23, hour, minute, 59, tzinfo=UTC).timestamp()
    )
    assert price
    assert price.cost_nusd(Usage(output_tokens=1)) == nusd


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("openai", ""),
        ("nobody", "gpt-5"),
        ("openai", "whisper-1"),  # by the minute, which a usage does not count
        ("openrouter", "stealth/crouton-alpha"),  # listed at zero
        ("gemini", "gemma-3-27b-it"),  # listed at zero
    ],
)
def test_a_model_without_a_price_or_with_a_doubtful_zero_is_unknown(provider: str, model: str) -> None:
    assert BOOK.price(provider, model, NOW) is None


def test_a_model_whose_name_promises_it_is_free() -> None:
    price = BOOK.price("openrouter", "deepseek/deepseek-r1:free", NOW)
    assert price
    assert price.cost_nusd(USAGE) == 0


def test_bogus_names_grow_nothing() -> None:
    book = load_book()
    book.price("openai", "gpt-5", NOW)
    snapshot = get_snapshot()
    kept = len(snapshot._lookup_cache), len(snapshot._provider_cache), len(snapshot._provider_misses)
    for number in range(2_000):
        book.price("openai", f"bogus-{number}", NOW, service_tier=f"tier-{number}")
        book.price("openai", "x" * 201, NOW)
    assert book._find.cache_info().currsize <= 1_024
    assert kept == (
        len(snapshot._lookup_cache),
        len(snapshot._provider_cache),
        len(snapshot._provider_misses),
    )


def test_an_endless_name_is_unknown_and_an_endless_tier_is_ignored() -> None:
    assert BOOK.price("openai", "gpt-5" + "x" * 10_000, NOW) is None
    assert BOOK.price("openai", "gpt-5", NOW, service_tier="x" * 10_000) == BOOK.price("openai", "gpt-5", NOW)


CEILED = [("openai", "openai"), ("anthropic", "anthropic"), ("gemini", "google"), ("azure", "azure")]


@given(whose=st.sampled_from(CEILED), usage=possible_usages(), data=st.data())
def test_no_text_model_of_a_provider_costs_more_than_its_ceiling(
    whose: tuple[str, str], usage: Usage, data: st.DataObject
) -> None:
    name, listed = whose
    models = [model.id for provider in providers if provider.id == listed for model in provider.models]
    price = BOOK.price(name, data.draw(st.sampled_from(models)), NOW)
    if price and price.rates.fresh_input and price.rates.output:
        assert price.cost_nusd(usage) <= BOOK.ceiling(name, NOW).cost_nusd(usage)


def test_the_ceiling_of_an_unknown_provider_is_the_dearest_of_all() -> None:
    top = BOOK.ceiling("nobody", NOW)
    assert " any provider ceiling " in top.id
    for known in ("openai", "anthropic", "bedrock"):
        assert BOOK.ceiling(known, NOW).cost_nusd(USAGE) <= top.cost_nusd(USAGE)


def test_opening_the_book_loads_no_prices() -> None:
    script = (
        "import sys\n"
        "from budgetd.pricing.book import load_book\n"
        "book = load_book()\n"
        "assert 'genai_prices' not in sys.modules\n"
        "book.warm()\n"
        "assert 'genai_prices' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_book_asks_its_source_once_for_a_day() -> None:
    asked: list[float] = []

    class Counting:
        name = "counting"

        def day_slots(self) -> list[float]:
            return [0.0, 3600.0]

        def find(self, provider: str, model: str, at: float, *, service_tier: str, geo: str) -> None:
            asked.append(at)

        def listed(self, provider: str, at: float) -> list[object]:
            return []

    book = Book(Counting)
    midnight = NOW // 86_400 * 86_400
    for at in (midnight, midnight + 3599.9, midnight + 3600, midnight + 86_399, midnight + 86_400):
        book.price("p", "m", at)
    assert asked == [midnight, midnight + 3600, midnight + 86_400]
