"""Which model a name that no list has is taken for."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.pricing.book import load_book
from budgetd.pricing.nearest import GENERATION, SAME_CLASS, WIDER_CLASS, maker, relatives

BOOK = load_book()
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


# by names alone


@pytest.mark.parametrize(
    ("model", "whose"),
    [
        ("claude-sonnet-4-5", "anthropic"),
        ("anthropic/claude-opus-5-9", "anthropic"),
        ("us.anthropic.claude-opus-4-5-v1:0", "anthropic"),
        ("projects/p/locations/global/publishers/anthropic/models/claude-opus-5", "anthropic"),
        ("gpt-6.2-sol", "openai"),
        ("openai/o9-mini", "openai"),
        ("ft:gpt-4.1:acme::id", "openai"),
        ("text-embedding-3-small", "openai"),
        ("models/gemini-4-pro", "google"),
        ("x-ai/grok-9", "xai"),
        ("mistralai/mixtral-8x22b", "mistral"),
        ("open-mistral-nemo", "mistral"),
        ("moonshotai/Kimi-K4", "moonshotai"),
        ("prod-chat", ""),
        ("my-claude", ""),
        ("ocelot", ""),
        ("", ""),
    ],
)
def test_a_name_tells_its_maker(model: str, whose: str) -> None:
    assert maker(model) == whose


GPT = (
    *("gpt-5", "gpt-5-mini", "gpt-5.5", "gpt-5.5-pro", "gpt-6-luna", "gpt-6-sol", "gpt-6.1-sol"),
    *("gpt-6-cyber", "gpt-realtime-2", "gpt-4-32k", "gpt-4o", "gpt-4o-mini", "o3"),
)


@pytest.mark.parametrize(
    ("model", "how", "names"),
    [
        ("gpt-6.2-sol", SAME_CLASS, ("gpt-6.1-sol",)),
        ("gpt-6.2-sol-2027-02-03", SAME_CLASS, ("gpt-6.1-sol",)),
        ("gpt-6.0.5-sol", SAME_CLASS, ("gpt-6-sol",)),
        ("gpt-5.9-sol", SAME_CLASS, ("gpt-6-sol",)),
        ("gpt-5.2", SAME_CLASS, ("gpt-5",)),
        ("gpt-7", SAME_CLASS, ("gpt-5.5",)),
        ("gpt-5.3-codex", SAME_CLASS, ("gpt-5",)),
        ("gpt-7-mini-preview", SAME_CLASS, ("gpt-5-mini",)),
        ("gpt-5o-mini", SAME_CLASS, ("gpt-4o-mini",)),
        ("gpt-7-sol-turbo", WIDER_CLASS, ("gpt-6.1-sol",)),
        ("gpt-realtime-of-nobody", WIDER_CLASS, ("gpt-realtime-2",)),
        ("gpt-7-nova", GENERATION, ("gpt-6-luna", "gpt-6.1-sol", "gpt-6-cyber")),
        ("gpt-nova", GENERATION, ("gpt-6-luna", "gpt-6.1-sol", "gpt-6-cyber")),
        ("o5", SAME_CLASS, ("o3",)),
    ],
)
def test_the_same_class_in_the_next_older_version_is_the_nearest(
    model: str, how: int, names: tuple[str, ...]
) -> None:
    assert next(relatives(model, GPT)) == (how, names)


@pytest.mark.parametrize("model", ["ocelot-9", "", "42", "claude-opus-5"])
def test_another_family_has_no_relatives(model: str) -> None:
    assert not list(relatives(model, GPT))


def test_what_writes_is_not_taken_for_what_speaks() -> None:
    listed = ("gpt-6-sol", "gpt-realtime-2", "gpt-image-2")
    found = {name for _, names in relatives("gpt-9-nova", listed) for name in names}
    assert found == {"gpt-6-sol"}


def test_a_version_with_dots_is_a_decimal_number() -> None:
    assert next(relatives("grok-5", ("grok-4-0709", "grok-4.20", "grok-4.7"))) == (SAME_CLASS, ("grok-4.7",))


@given(st.text(max_size=60), st.lists(st.text(max_size=30), max_size=8))
def test_any_name_can_be_asked_about(model: str, names: list[str]) -> None:
    for _, found in relatives(model, names):
        assert found
        assert set(found) <= set(names)


# by the book


@pytest.mark.parametrize(
    ("provider", "model", "as_if"),
    [
        ("mine", "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("mine", "anthropic/claude-sonnet-4.5", ("anthropic", "claude-sonnet-4-5")),
        ("mine", "claude-opus-5-5[1m]", ("anthropic", "claude-opus-5-5")),
        ("mine", "gpt-5", ("openai", "gpt-5")),
        ("codex", "gpt-5.4-2026-03-05", ("openai", "gpt-5.4")),
        ("mine", "openai/gpt-5.4", ("openai", "gpt-5.4")),
        ("mine", "gemini-2.5-pro", ("gemini", "gemini-2.5-pro")),
        ("mine", "xai/grok-4", ("xai", "grok-4")),
        ("mine", "text-embedding-3-small", ("openai", "text-embedding-3-small")),
        ("groq", "claude-haiku-4-5", ("anthropic", "claude-haiku-4-5")),
    ],
)
def test_a_model_that_its_maker_prices_costs_that_behind_any_upstream(
    provider: str, model: str, as_if: tuple[str, str]
) -> None:
    price, bound = BOOK.price(provider, model, NOW), BOOK.bound(provider, model, NOW)
    assert price is not None
    assert price == BOOK.price(*as_if, NOW)
    assert bound == BOOK.bound(*as_if, NOW)


def test_a_provider_that_prices_a_model_itself_is_not_overruled_by_its_maker() -> None:
    regional = BOOK.price("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", NOW)
    assert regional
    assert regional.rates.output == 16_500_000 * 10**12


@pytest.mark.parametrize(
    ("provider", "model", "like"),
    [
        ("openai", "gpt-6.2-sol", "gpt-6.1-sol"),
        ("codex", "gpt-6.2-sol", "gpt-6.1-sol"),
        ("openai", "gpt-7-sol", "gpt-6.1-sol"),
        ("openai", "o5", "o3"),
        ("openai", "text-embedding-4-large", "text-embedding-3-large"),
        ("anthropic", "claude-opus-5-9", "claude-opus-5-5"),
        ("anthropic", "claude-sonnet-6", "claude-sonnet-5-5"),
        ("mine", "claude-sonnet-6", "claude-sonnet-5-5"),
        ("anthropic", "claude-haiku-latest", "claude-haiku-5-5"),
        ("gemini", "gemini-4-pro", "gemini-3.1-pro-preview"),
        ("gemini", "gemini-5-argon", "gemini-4-argon"),
        ("gemini", "gemini-5-krypton", "gemini-4-argon"),
        ("xai", "grok-5", "grok-4.7"),
        ("bedrock", "eu.anthropic.claude-opus-5-9-v1:0", "regional.anthropic.claude-opus-5-5"),
        ("openrouter", "anthropic/claude-opus-5.9", "anthropic/claude-opus-5.5"),
        ("mine", "llama-3.3-70b-instruct", "meta-llama/llama-3.3-70b-instruct"),
    ],
)
def test_a_new_name_of_a_known_family_costs_what_its_nearest_member_does(
    provider: str, model: str, like: str
) -> None:
    assert BOOK.price(provider, model, NOW) is None
    found = BOOK.nearest(provider, model, NOW)
    assert found is not None
    assert found.model == like
    assert found.id.endswith(" nearest")


def test_of_a_class_that_nobody_knows_the_dearest_of_the_newest_counts() -> None:
    found = BOOK.nearest("anthropic", "claude-nobody-knows", NOW)
    assert found
    assert found.model.startswith(("claude-fable-5", "claude-mythos-5"))
    assert found.rates.output < BOOK.ceiling("anthropic", NOW).rates.output


def test_a_relative_is_priced_at_the_tier_that_was_served() -> None:
    standard, priority = (
        BOOK.nearest("openai", "gpt-6.9-astra", NOW, service_tier=tier) for tier in ("", "priority")
    )
    assert standard
    assert priority
    assert priority.rates.output == 2 * standard.rates.output


@pytest.mark.parametrize(
    "model", ["prod-chat", "", "x" * 300, "arn:aws:bedrock:eu-west-1:1:application-inference-profile/ab"]
)
def test_a_name_that_says_nothing_is_like_nobody(model: str) -> None:
    assert BOOK.nearest("mine", model, NOW) is None
