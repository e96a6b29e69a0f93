"""One name for a model, however a provider spells it."""

import pytest

from budgetd.pricing.book import load_book

NOW = 1_795_435_200.0
BOOK = load_book()

OPUS = [
    ("anthropic", "claude-opus-4-8"),
    ("anthropic", "claude-opus-4-8[1m]"),
    ("anthropic", "claude-opus-4-8-20260101"),
    ("openrouter", "anthropic/claude-opus-4.8"),
    ("openrouter", "anthropic/claude-opus-4.8:thinking"),
    ("bedrock", "us.anthropic.claude-opus-4-8-v1:0"),
    ("bedrock", "anthropic.claude-opus-4-8"),
    ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-opus-4-8-v1:0"),
    ("vertex", "claude-opus-4-8@20260101"),
    ("vertex", "publishers/anthropic/models/claude-opus-4-8"),
    ("mine", "claude-opus-4-8"),
]


@pytest.mark.parametrize(("provider", "model"), OPUS)
def test_every_spelling_of_a_model_is_one_model(provider: str, model: str) -> None:
    assert BOOK.canonical(provider, model, NOW) == "claude-opus-4-8"


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        ("openai", "gpt-5.4-2026-03-05", "gpt-5.4"),
        ("openrouter", "openai/gpt-4o-2024-08-06", "gpt-4o"),
        ("azure", "gpt-35-turbo", "gpt-3.5-turbo"),
        ("gemini", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("openrouter", "google/gemini-2.5-pro", "gemini-2.5-pro"),
        ("openrouter", "anthropic/claude-4.5-sonnet-20250929", "claude-sonnet-4-5"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("bedrock", "openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("fireworks", "accounts/fireworks/models/gpt-oss-120b", "gpt-oss-120b"),
        ("openai", "ft:gpt-4o-2024-08-06:me::x", "ft:gpt-4o"),
    ],
)
def test_it_is_called_as_its_maker_calls_it(provider: str, model: str, name: str) -> None:
    assert BOOK.canonical(provider, model, NOW) == name


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("anthropic", "claude-opus-9-9"),
        ("openrouter", "anthropic/claude-opus-9.9"),
        ("bedrock", "eu.anthropic.claude-opus-9-9-20290101-v1:0"),
        ("vertex", "claude-opus-9-9@20290101"),
    ],
)
def test_a_model_that_no_list_has_yet_is_told_by_its_name(provider: str, model: str) -> None:
    assert BOOK.price(provider, model, NOW) is None
    assert BOOK.canonical(provider, model, NOW) == "claude-opus-9-9"


@pytest.mark.parametrize(
    "model", ["", "my-deployment", "llama3:8b", "deepseek-r1:8b", "tunedModels/mine", "a/", ":", "x" * 300]
)
def test_a_model_that_nobody_knows_keeps_its_name(model: str) -> None:
    assert BOOK.canonical("mine", model, NOW) == model


def test_models_that_cost_differently_are_not_one() -> None:
    names = [
        ("openrouter", "openai/gpt-5.4"),
        ("openrouter", "openai/gpt-5.4-mini"),
        ("openrouter", "anthropic/claude-opus-4.8"),
        ("openrouter", "anthropic/claude-haiku-4.5"),
        ("groq", "deepseek-r1-distill-llama-70b"),
        ("deepseek", "deepseek-reasoner"),
    ]
    assert len({BOOK.canonical(*name, NOW) for name in names}) == len(names)
