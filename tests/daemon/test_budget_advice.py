"""Limits and fallbacks that can have no effect, on a price list made for it."""

from pathlib import Path

import pytest

from budgetd.budget_advice import KnownModels, advice
from budgetd.budget_toml import read_budget
from budgetd.config import WELL_KNOWN, Upstream
from budgetd.pricing.book import Sources
from budgetd.pricing.overrides import Override, Overrides
from budgetd.pricing.table import Clause, Provider, Sheet, Table
from budgetd.toml_file import TomlFile
from pricing.sheets import listing, model, rates

SHEET = Sheet(
    source="genai-prices",
    version="v",
    as_of=0,
    providers=(
        Provider(
            id="anthropic",
            models=(
                model("claude-opus-4-8", listing(5, 25)),
                model("claude-sonnet-5", listing(3, 15)),
                model("claude-haiku-4-5", listing(1, 5), match=Clause(starts_with="claude-haiku-4-5")),
            ),
        ),
        Provider(id="openai", models=(model("gpt-5-mini", listing(0.25, 2)),)),
        Provider(id="deepseek", models=(model("deepseek-chat", listing(0.3, 0.4)),)),
    ),
)
OVERRIDES = Overrides((Override("mine/llama-*", rates(fresh_input=1).own()),))
MINE = WELL_KNOWN | {"mine": Upstream("mine", "http://127.0.0.1:9", "openai", "mine")}
OTHER = WELL_KNOWN | {"other": Upstream("other", "http://127.0.0.1:9", "openai", "other")}


def said(limit: str, upstreams: dict[str, Upstream] = WELL_KNOWN) -> list[str]:
    text = f'[[limits]]\nname = "it"\nwindow = "day"\nlimit_cents = 1\n{limit}\n'
    return of_text(text, upstreams)


def of_text(text: str, upstreams: dict[str, Upstream] = WELL_KNOWN) -> list[str]:
    budget = read_budget(TomlFile.of_text(Path("budget.toml"), text), upstreams)
    ids = {each.id: [model.id for model in each.models] for each in SHEET.providers}
    models = KnownModels(Sources(Table(SHEET.encode())), OVERRIDES, ids, 0)
    return [*advice(budget.limits, upstreams, models)]


@pytest.mark.parametrize(
    "match",
    [
        'model = "claude-opus-*"',
        'model = "*opus*"',
        'model = "claude-haiku-4-5-20251001"',
        'model = "claude-haiku-4-5-2025*"',
        'model = ["gpt-5-mini", "CLAUDE-*"]',
        'model = "claude-opus-4-8", provider = "anthropic"',
        'user = "anyone"',
        'model = "whatever", upstream = "ollama"',
    ],
)
def test_a_limit_about_a_known_model_is_fine(match: str) -> None:
    assert said(f"match = {{ {match} }}") == []


@pytest.mark.parametrize(
    ("match", "glob", "near"),
    [
        ('model = "claude-opsu-*"', "claude-opsu-*", "claude-opus-4-8"),
        ('model = ["claude-opus-*", "gpt-5-mni"]', "gpt-5-mni", "gpt-5-mini"),
        ('model = "gpt-5-mini", provider = "anthropic"', "gpt-5-mini", ""),
        ('model = "claude-*", upstream = "openai"', "claude-*", ""),
        ('model = "xyz"', "xyz", ""),
    ],
)
def test_a_limit_about_no_known_model_is_told(match: str, glob: str, near: str) -> None:
    hint = f"; did you mean {near}?" if near else "."
    assert said(f"match = {{ {match} }}") == [f"limit 'it': no model that is known matches '{glob}'{hint}"]


def test_a_model_whose_price_the_person_states_is_known() -> None:
    assert said('match = { model = "llama-3" }', MINE) == []
    assert said('match = { model = "lama-3" }', MINE) != []


def fallback(name: str, match: str = 'model = "claude-opus-*"', upstreams: dict[str, Upstream] = WELL_KNOWN):
    return said(f'match = {{ {match} }}\non_exceed = "downgrade"\nfallback_model = "{name}"', upstreams)


def test_a_fallback_that_can_stand_in_is_fine() -> None:
    assert fallback("claude-haiku-4-5") == []
    assert fallback("claude-sonnet-5", 'model = ["claude-haiku-*", "claude-*"]') != []
    assert fallback("claude-sonnet-5", 'model = "claude-*"') == []
    assert fallback("claude-haiku-4-5", 'user = "al"') == []


def test_a_fallback_nobody_knows_is_told_in_both_forms() -> None:
    problem = "fallback_model 'claude-haku-4-5' is no model that is known; did you mean claude-haiku-4-5?"
    assert fallback("claude-haku-4-5") == [f"limit 'it': {problem}"]
    short = '[budget]\ndaily_limit_cents = 1\nfallback_model_on_exceed = "claude-haku-4-5"\n'
    assert of_text(short) == [f"limit 'daily': {problem}"]
    assert of_text(short.replace("[budget]", "[budget]\nreject_on_exceed = false")) == []


def test_a_fallback_that_no_provider_offers_beside_what_it_replaces_is_told() -> None:
    (told,) = fallback("deepseek-chat")
    assert told.endswith("never stands in for 'claude-opus-*': no provider that is known offers both.")
    assert fallback("deepseek-chat", upstreams=OTHER) == [], "a server of one's own may offer anything"


def test_a_fallback_that_costs_no_less_is_told() -> None:
    (told,) = fallback("claude-opus-4-8", 'model = "claude-haiku-4-5"')
    assert told.endswith("saves nothing: no model that 'claude-haiku-4-5' matches costs more.")
    (told,) = fallback("claude-opus-4-8", 'model = "claude-opus-4-8"')
    assert "saves nothing" in told
