import pytest

from budgetd.budget.fallback import same_dialect


@pytest.mark.parametrize(
    ("fallback", "model", "provider", "can"),
    [
        ("claude-haiku-4-5", "claude-opus-*", "anthropic", True),
        ("claude-haiku-4-5", "gpt-5.4", "openai", False),
        ("o4-mini", "gpt-5.4", "openai", True),
        ("gemini-3-flash", "o3", "", False),
        ("claude-haiku-4-5", "", "openai", False),
        ("claude-haiku-4-5", "claude-opus-4-8", "openai", True),
        ("mistral-small", "gpt-5.4", "openai", True),
        ("claude-haiku-4-5", "*", "openrouter", True),
    ],
)
def test_a_model_replaces_only_what_speaks_its_dialect(fallback, model, provider, can) -> None:
    assert same_dialect(fallback, model, provider) is can
