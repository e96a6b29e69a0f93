"""Fifty well-known models by both sources, side by side, as docs/prices.md shows them.

``BUDGETTOP_WRITE_DOCS=1`` writes the table anew. ``LITELLM_MAP=FILE`` beside it takes the fifty entries anew
from LiteLLM's published map; those kept here are its prices and sizes of these models, nothing else of it.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from budgetd.pricing.book import load_book
from budgetd.pricing.litellm import read_litellm
from budgetd.pricing.rate_names import NAMES, dollars
from budgetd.pricing.rates import Price
from budgetd.pricing.table import Table

AT = 1_795_435_200.0
"""Noon of 23 November 2026, UTC."""
EXCERPT = Path(__file__).parent / "data" / "litellm_fifty.json"
EDITION = "litellm 1.109.1"
"""The package whose copy of the map the excerpt is from."""
PAGE = Path(__file__).parents[2] / "docs" / "prices.md"
BEGIN, END = "<!-- fifty models: begin -->\n", "<!-- fifty models: end -->\n"
WRITE = os.environ.get("BUDGETTOP_WRITE_DOCS") == "1"

FIFTY = {
    "anthropic": "claude-opus-5-5 claude-opus-5 claude-opus-4-8 claude-opus-4-5 claude-sonnet-5-5"
    " claude-sonnet-5 claude-sonnet-4-6 claude-sonnet-4-5 claude-haiku-5-5 claude-haiku-4-5 claude-fable-5",
    "openai": "gpt-6-astra gpt-6.1-sol gpt-6-luna gpt-5.6-sol gpt-5.5 gpt-5.5-pro gpt-5.4 gpt-5.4-mini"
    " gpt-5.4-nano gpt-5.2 gpt-5 gpt-5-mini gpt-5-nano gpt-4.1 gpt-4.1-mini gpt-4o gpt-4o-mini o3 o3-pro"
    " o4-mini text-embedding-3-small text-embedding-3-large",
    "gemini": "gemini-4-argon gemini-3.8-flash gemini-3.1-pro-preview gemini-3-flash-preview"
    " gemini-3.5-flash-lite gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite gemini-embedding-2",
    "mistral": "mistral-large-latest mistral-medium-latest codestral-latest",
    "deepseek": "deepseek-chat",
    "xai": "grok-4.20",
    "groq": "openai/gpt-oss-120b",
    "cohere": "command-a-03-2025",
    "together": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
}
MODELS = [(provider, model) for provider, names in FIFTY.items() for model in names.split()]
CLASSES = ("fresh_input", "cache_read", "cache_write", "output", "web_search")

KEPT = {"litellm_provider", "mode", "max_input_tokens", "max_output_tokens"}

Both = tuple[Price | None, Price | None]


@pytest.fixture(scope="module")
def both() -> dict[tuple[str, str], Both]:
    """The price of each model by genai-prices and by LiteLLM."""
    if WRITE and (path := os.environ.get("LITELLM_MAP")):
        lines = (f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in excerpt(Path(path)).items())
        EXCERPT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    litellm = Table(read_litellm(EXCERPT.read_bytes(), version=EDITION, as_of=0).encode())
    book = load_book()
    return {each: (book.price(*each, AT), litellm.find(*each, AT)) for each in MODELS}


def excerpt(path: Path) -> dict[str, Any]:
    """What the map says of the price and size of the fifty, which it lists with or without provider."""
    theirs = {"together": "together_ai", "cohere": "cohere_chat"}
    names: dict[str, str] = {}
    for provider, model in MODELS:
        their = theirs.get(provider, provider)
        names |= {model: their, f"{their}/{model}": their}
    return {
        key: {name: told for name, told in entry.items() if "cost" in name or name in KEPT}
        for key, entry in json.loads(path.read_bytes()).items()
        if entry.get("litellm_provider") == names.get(key, "")
    }


def page_table(both: dict[tuple[str, str], Both]) -> str:
    """The two sources side by side, in Markdown."""
    heads = ["model", *(NAMES[name].label for name in CLASSES), "long input from"]
    lines = [heads, ["---"] * len(heads)]
    for (provider, model), prices in both.items():
        lines.append([f"{provider} {model}", *(cell(name, *prices) for name in CLASSES), starts(*prices)])
    agree, of = agreement(both)
    return (
        f"genai-prices {version('genai-prices')} and {EDITION}, at noon of 23 November 2026, UTC; dollars per"
        f" million tokens and per thousand searches. They agree in {agree} of the {of} cells that both fill."
        " Where they differ, or one says nothing (–), LiteLLM's is in brackets.\n\n"
    ) + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(name: str, genai: Price | None, litellm: Price | None) -> str:
    one, other = (told(name, price) for price in (genai, litellm))
    return one if one == other else f"{one} [{other}]"


def told(name: str, price: Price | None) -> str:
    rate = getattr(price.rates, name) if price else 0
    return dollars(rate, name) if rate else "–"


def starts(genai: Price | None, litellm: Price | None) -> str:
    one, other = (long(price) for price in (genai, litellm))
    return one if one == other else f"{one} [{other}]"


def long(price: Price | None) -> str:
    return ", ".join(f"{tier.start:,}" for tier in price.tiers) if price and price.tiers else "–"


def agreement(both: dict[tuple[str, str], Both]) -> tuple[int, int]:
    """In how many cells that both sources fill they say the same, and how many these are."""
    cells = [tuple(told(name, price) for price in prices) for prices in both.values() for name in CLASSES]
    filled = [(one, other) for one, other in cells if "–" not in (one, other)]
    return sum(one == other for one, other in filled), len(filled)


def test_they_are_fifty() -> None:
    assert len(set(MODELS)) == 50


def test_both_sources_know_all_of_them(both: dict[tuple[str, str], Both]) -> None:
    assert [each for each, prices in both.items() if None in prices] == []


def test_the_sources_agree_in_nearly_all_they_say(both: dict[tuple[str, str], Both]) -> None:
    agree, of = agreement(both)
    assert of > 180
    assert agree / of > 0.9


def test_the_page_shows_what_the_sources_say(both: dict[tuple[str, str], Both]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    shown, _, after = rest.partition(END)
    made = page_table(both)
    if WRITE:
        PAGE.write_text(before + BEGIN + made + END + after, encoding="utf-8")
    elif made.partition("\n")[0] != shown.partition("\n")[0]:
        pytest.skip("the page was written of other editions; write it anew with BUDGETTOP_WRITE_DOCS=1")
    else:
        assert shown == made
