"""The book: its layers, its bounds, and the shipped prices of well-known models."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.usage import Ask, Reading, Usage
from budgetd.pricing.book import NO_OVERRIDES, Book, Price, Sources, load_book
from budgetd.pricing.overrides import Override, Overrides
from budgetd.pricing.pricer import Pricer
from budgetd.pricing.rates import Rates, Tier
from pricing.usages import possible_usages

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
        ("nobody", "of-nobody"),
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


@pytest.mark.parametrize(
    ("provider", "model", "usage", "nusd"),
    [
        ("openai", "whisper-1", Usage(input_audio_ms=60_000), 6_000_000),  # $0.36 an hour
        ("openai", "tts-1", Usage(input_characters=1_000), 15_000_000),  # $15 per million
        ("openai", "gpt-4.1", Usage(file_searches=2), 5_000_000),  # $2.50 per thousand
        ("perplexity", "sonar", Usage(output_tokens=1_000), 13_000_000),  # $1 per million, $12 per thousand
        ("openai", "gpt-image-1.5", Usage(output_tokens=1_000, output_image_tokens=1_000), 32_000_000),
    ],
)
def test_what_is_not_billed_by_text_tokens(provider: str, model: str, usage: Usage, nusd: int) -> None:
    price = BOOK.price(provider, model, NOW)
    assert price
    assert price.cost_nusd(usage) == nusd


def test_claude_in_the_us_costs_more() -> None:
    price = BOOK.price("anthropic", "claude-opus-4-8", NOW, geo="us")
    assert price
    assert price.cost_nusd(Usage(output_tokens=1_000)) == 27_500_000
    assert price.id.endswith(" 2026-11-23 us")


def test_bogus_names_grow_nothing() -> None:
    book = load_book()
    for number in range(1_500):
        book.price("openai", f"bogus-{number}", NOW, service_tier=f"tier-{number}")
        book.bound("openai", f"bogus-{number}", NOW)
        book.ceiling(f"bogus-{number}", NOW) if number < 100 else None
        book.price("openai", "x" * 201, NOW)
    layers = book._layers
    kept = (layers.price, layers.bound, layers.ceiling)
    assert [each.cache_info().currsize for each in kept] == [1_024, 1_024, 64]


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


class Listed:
    """A source of a few prices, counting how often it is asked."""

    def __init__(self, name: str, slots: tuple[int, ...] = (0,), **outputs: Price) -> None:
        self.name = name
        self.as_of = len(name)
        self.slots = slots
        self.prices = outputs
        self.asked: list[float] = []

    def find(
        self, provider: str, model: str, at: float, service_tier: str = "", geo: str = ""
    ) -> Price | None:
        self.asked.append(at)
        return self.prices.get(model)

    def listed(self, provider: str, at: float) -> list[Price]:
        return list(self.prices.values()) if provider in {"", self.name} else []


def priced(id: str, output: int = 1, **told: Any) -> Price:
    return Price(id=id, model=id, rates=Rates(fresh_input=1, output=output, **told.pop("rates", {})), **told)


def layered(overrides: Overrides = NO_OVERRIDES) -> Book:
    first = Listed("first", both=priced("1", 10, context_window=5), mine=priced("2"))
    second = Listed("second", both=priced("3", 4, max_output_tokens=7), other=priced("4"))
    return Book(lambda: Sources(first, second), overrides)


STATED = Overrides((Override("first/both", {"fresh_input": 99}),))


def test_the_first_source_that_knows_a_model_prices_it() -> None:
    found = {name: layered().price("first", name, NOW) for name in ("both", "mine", "other", "none")}
    ids = {name: price and price.id for name, price in found.items()}
    assert ids == {"both": "1", "mine": "2", "other": "4", "none": None}


def test_what_the_first_source_does_not_know_of_a_models_size_comes_from_the_second() -> None:
    price = layered().price("first", "both", NOW)
    assert price
    assert (price.context_window, price.max_output_tokens) == (5, 7)


def test_what_the_person_states_goes_before_every_source() -> None:
    price = layered(STATED).price("first", "both", NOW)
    assert price
    assert (price.rates.fresh_input, price.rates.output) == (99, 10)


def test_a_bound_is_the_dearest_that_any_source_says_class_by_class() -> None:
    first = Listed("first", m=priced("1", 10, tiers=(Tier(200, Rates(fresh_input=8, output=20)),)))
    second = Listed("second", m=priced("2", 4, rates={"cache_write": 6}, request=3))
    bound = Book(lambda: Sources(first, second)).bound("p", "m", NOW)
    assert bound
    assert (bound.rates.output, bound.rates.cache_write, bound.request) == (10, 6, 3)
    assert (bound.above(200).fresh_input, bound.above(200).cache_write) == (8, 6)
    assert layered().bound("p", "none", NOW) is None


def test_a_bound_of_one_source_is_its_price() -> None:
    assert BOOK.bound("groq", "llama-3.3-70b-versatile", NOW) == BOOK.price(
        "groq", "llama-3.3-70b-versatile", NOW
    )


TIERS = ["", "auto", "default", "flex", "priority", "fast", "batch", "SERVICE_TIER_PRIORITY", "unknown"]


@pytest.mark.parametrize("asked", TIERS)
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5", "gpt-5.4", "o3", "o4-mini"])
def test_a_worst_case_holds_in_every_tier_in_which_openai_may_serve(model: str, asked: str) -> None:
    upward = {"default": ["default"], "batch": ["batch"]}
    pricer = Pricer(BOOK, "openai", NOW, free=False)
    ask = Ask(model=model, output_cap=10_000, body_bytes=1_000, service_tier=asked)
    worst = pricer.expect(ask).worst_nusd
    usage = Usage(input_tokens=3_048, output_tokens=10_000)
    for served in upward.get(asked, ["", "default", "flex", "priority", "batch"]):
        reading = Reading(usage=usage, complete=True, model=model, service_tier=served)
        cost = pricer.tally(ask, reading, failed=False, metered=True)
        assert worst is not None
        assert cost.nusd <= worst, served


def test_naming_the_standard_tier_takes_the_room_of_the_standard_tier() -> None:
    pricer = Pricer(BOOK, "openai", NOW, free=False)
    ask = Ask(model="gpt-5.4", output_cap=10_000, body_bytes=1_000)
    named = msgspec.structs.replace(ask, service_tier="default")
    assert (pricer.expect(ask).worst_nusd or 0) > (pricer.expect(named).worst_nusd or 0)
    assert pricer.expect(ask).expected_nusd == pricer.expect(named).expected_nusd


@pytest.mark.parametrize(
    ("provider", "model"), [("anthropic", "claude-opus-4-8"), ("gemini", "gemini-3-pro-preview")]
)
def test_where_only_the_request_chooses_the_tier_none_is_the_standard_one(provider: str, model: str) -> None:
    asked = BOOK.bound(provider, model, NOW)
    assert asked
    assert asked == BOOK.bound(provider, model, NOW, service_tier="standard")


def test_a_bound_of_claude_is_its_price_in_the_us_for_a_workspace_may_ask_for_that() -> None:
    price, bound = (ask("anthropic", "claude-opus-4-8", NOW) for ask in (BOOK.price, BOOK.bound))
    assert price
    assert bound
    assert bound.rates.output * 10 == price.rates.output * 11
    assert bound.rates.web_search == price.rates.web_search


def test_a_worst_case_goes_by_the_dearer_source_and_an_expectation_by_the_first() -> None:
    ask = Ask(model="m", body_bytes=4_000, output_cap=100)
    dear, cheap = priced("1", 3 * 10**18), priced("2", 10**18)
    both = Pricer(Book(lambda: Sources(Listed("a", m=cheap), Listed("b", m=dear))), "p", NOW, free=False)
    one = Pricer(Book(lambda: Sources(Listed("a", m=cheap))), "p", NOW, free=False)
    assert both.expect(ask).expected_nusd == one.expect(ask).expected_nusd
    assert (both.expect(ask).worst_nusd or 0) > 2 * (one.expect(ask).worst_nusd or 0) > 0


def test_every_layer_can_be_asked_what_it_says() -> None:
    said = layered(STATED).explain("first", "both", NOW)
    assert [name for name, _ in said] == ["config.toml", "first", "second"]
    assert [price.rates.output for _, price in said] == [10, 10, 4]
    assert [name for name, _ in layered().explain("first", "other", NOW)] == ["second"]
    assert layered().explain("first", "none", NOW) == []


def test_a_ceiling_comes_from_the_first_source_that_knows_the_provider() -> None:
    assert layered().ceiling("first", NOW).rates.output == 10
    assert layered().ceiling("second", NOW).rates.output == 4
    assert " any provider ceiling " in layered().ceiling("nobody", NOW).id


def test_a_reload_puts_other_prices_in_force_and_leaves_those_that_were_given_out() -> None:
    book = layered()
    before = book.price("first", "both", NOW)
    book.reload(Sources(Listed("newer", both=priced("5", 77))))
    after = book.price("first", "both", NOW)
    assert before
    assert after
    assert (before.rates.output, after.rates.output, book.as_of) == (10, 77, len("newer"))
    book.reload(overrides=STATED)
    stated = book.price("first", "both", NOW)
    assert stated
    assert (stated.rates.fresh_input, stated.rates.output) == (99, 77)
    book.reload(overrides=Overrides())
    assert book.price("first", "both", NOW) == after


def test_a_book_asks_its_sources_once_for_a_stretch_of_constant_price() -> None:
    first, second = Listed("first", (0, 3600)), Listed("second", (0, 7200))
    book = Book(lambda: Sources(first, second))
    midnight = NOW // 86_400 * 86_400
    for second_of_day in (0, 3599.9, 3600, 7199.9, 7200, 86_399, 86_400):
        book.price("p", "m", midnight + second_of_day)
    assert first.asked == second.asked == [midnight + each for each in (0, 3600, 7200, 86_400)]


def test_a_book_loads_its_sources_when_they_are_needed() -> None:
    loaded: list[int] = []

    def load() -> Sources:
        loaded.append(1)
        return Sources(Listed("first"))

    book = Book(load)
    assert not loaded
    book.warm()
    book.price("p", "m", NOW)
    assert len(loaded) == 1
