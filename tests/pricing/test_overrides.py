"""Prices that a person states in config.toml: what they do, and what is refused, with its place."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from budgetd.errors import ConfigError
from budgetd.metering.usage import Usage
from budgetd.pricing.book import Book, Price, Sources, load_book
from budgetd.pricing.overrides import Overrides, OverrideSection, read_overrides
from budgetd.pricing.rates import Rates, Tier, rate
from budgetd.toml_file import TomlFile
from pricing.test_genai import NOW


class Pricing(msgspec.Struct):
    overrides: dict[str, OverrideSection] = {}


class Config(msgspec.Struct):
    pricing: Pricing


def read(text: str) -> Overrides:
    file = TomlFile.of_text(Path("config.toml"), text)
    return read_overrides(file, file.parse(Config).pricing.overrides)


def stating(lines: str, name: str = "anthropic/claude-opus-4-8") -> Overrides:
    return read(f'[pricing.overrides."{name}"]\n{lines}')


def price(overrides: Overrides, provider: str, model: str, tier: str = "") -> Price:
    found = load_book(overrides).price(provider, model, NOW, service_tier=tier)
    assert found
    return found


def million(dollars: str) -> int:
    return rate(Decimal(dollars), 6)


def test_what_is_stated_holds_and_the_rest_comes_from_the_source() -> None:
    rates = price(stating("input = 4\noutput = '20.5'"), "anthropic", "claude-opus-4-8").rates
    assert (rates.fresh_input, rates.output) == (million("4"), million("20.5"))
    assert (rates.cache_read, rates.cache_write_1h) == (million("0.5"), million("10"))
    assert rates.web_search == rate(Decimal(10), 3)


def test_a_class_that_costs_what_its_parent_does_goes_along_with_it() -> None:
    rates = price(stating("input = 4\noutput = 20"), "anthropic", "claude-opus-4-8").rates
    assert (rates.audio_input, rates.reasoning) == (million("4"), million("20"))


def test_a_model_that_no_source_knows_has_a_price_by_its_override() -> None:
    overrides = stating("input = 2\noutput = 8\ncache_write = 3", "work/our-own")
    found = price(overrides, "work", "our-own")
    assert found.rates == Rates.of(
        {"fresh_input": million("2"), "output": million("8"), "cache_write": million("3")}
    )
    assert found.rates.cache_write_1h == million("3")


def test_a_number_is_exact_however_it_is_written() -> None:
    for written in ("0.1", '"0.1"', "1e-1", '"0.10"'):
        found = price(stating(f"input = {written}"), "anthropic", "claude-opus-4-8")
        assert found.rates.fresh_input == 10**17


EVERY_KEY = {
    "input": ("fresh_input", "1e18"),
    "output": ("output", "1e18"),
    "cache_read": ("cache_read", "1e18"),
    "cache_write": ("cache_write", "1e18"),
    "cache_write_1h": ("cache_write_1h", "1e18"),
    "audio_input": ("audio_input", "1e18"),
    "audio_output": ("audio_output", "1e18"),
    "image_input": ("image_input", "1e18"),
    "image_output": ("image_output", "1e18"),
    "reasoning": ("reasoning", "1e18"),
    "characters": ("character", "1e18"),
    "web_search": ("web_search", "1e21"),
    "file_search": ("file_search", "1e21"),
    "search_unit": ("search_unit", "1e21"),
    "image": ("image", "1e24"),
}


@pytest.mark.parametrize("key", EVERY_KEY)
def test_each_key_is_dollars_for_what_it_says(key: str) -> None:
    name, expected = EVERY_KEY[key]
    lines = f"{key} = 1" if key == "input" else f"input = 2\n{key} = 1"
    assert getattr(price(stating(lines, "work/m"), "work", "m").rates, name) == int(Decimal(expected))


def test_a_request_and_an_hour_of_sound_have_prices_too() -> None:
    found = price(stating("request = 0.01\naudio_hour = 0.36", "work/m"), "work", "m")
    assert found.cost_nusd(Usage(input_audio_ms=3_600_000)) == 370_000_000


def test_what_is_stated_holds_for_long_inputs_and_every_tier() -> None:
    overrides = stating("input = 1", "openai/gpt-5.4")
    for tier in ("", "priority", "batch"):
        found = price(overrides, "openai", "gpt-5.4", tier)
        assert {each.fresh_input for each in (found.rates, *(one.rates for one in found.tiers))} == {10**18}
    assert price(overrides, "openai", "gpt-5.4").tiers


def test_free_alone_makes_a_model_free() -> None:
    found = price(stating("free = true", "openai/gpt-5.4*"), "openai", "gpt-5.4-mini")
    assert (found.rates, found.tiers, found.request) == (Rates(), (), 0)


def test_free_beside_prices_lets_one_of_them_be_zero() -> None:
    rates = price(stating("cache_read = 0\ninput = 3\nfree = true"), "anthropic", "claude-opus-4-8").rates
    assert (rates.cache_read, rates.fresh_input, rates.output) == (0, million("3"), million("25"))


def test_free_beside_a_price_of_zero_does_not_make_the_rest_free() -> None:
    found = price(stating("web_search = 0\nfree = true"), "anthropic", "claude-opus-4-8").rates
    assert (found.web_search, found.fresh_input, found.output) == (0, million("5"), million("25"))


@pytest.mark.parametrize("key", ["output", "cache_read", "web_search"])
def test_what_leaves_the_input_for_nothing_is_no_price_of_a_model_that_no_source_knows(key: str) -> None:
    overrides = stating(f"{key} = 3", "openai/*")
    assert price(overrides, "openai", "gpt-5.4").id.endswith(overrides.entries[0].tag)
    assert load_book(overrides).price("openai", "nobody-knows", NOW) is None
    assert price(stating("input = 0\noutput = 3\nfree = true", "openai/*"), "openai", "nobody-knows").bills()


def test_globs_match_and_an_exact_name_goes_before_them() -> None:
    overrides = read(
        '[pricing.overrides."anthropic/*"]\ninput = 1\n'
        '[pricing.overrides."*/claude-opus-*"]\ninput = 2\n'
        '[pricing.overrides."anthropic/claude-opus-4-8"]\ninput = 3\n'
    )
    asked = [("anthropic", "Claude-Opus-4-8"), ("anthropic", "claude-opus-5"), ("vertex", "claude-opus-5")]
    assert [price(overrides, *each).rates.fresh_input // 10**18 for each in asked] == [3, 1, 2]
    assert price(overrides, "openai", "gpt-5").rates.fresh_input == million("1.25")


def test_an_override_by_the_models_own_name_holds_for_its_dated_names() -> None:
    found = price(stating("input = 3"), "anthropic", "claude-opus-4-8-20260415")
    assert found.rates.fresh_input == million("3")


def test_the_id_of_a_price_tells_that_and_which_override_made_it() -> None:
    one, other = stating("input = 3"), stating("input = 4")
    ids = [price(each, "anthropic", "claude-opus-4-8").id for each in (one, stating("input = 3.0"), other)]
    assert ids[0] == ids[1] != ids[2]
    base, _, tag = ids[0].rpartition(" ")
    assert base == price(Overrides(), "anthropic", "claude-opus-4-8").id
    assert tag.startswith("override:")
    own = price(stating("input = 3", "work/m"), "work", "m").id
    assert own.split(" ")[1:] == ["work", "m", "2026-11-23"]


KEY = "`pricing.overrides.anthropic/claude-opus-4-8.input`"
REFUSED = [
    ("input = -5", f"config.toml, line 2: {KEY}: a price of $-5 would pay you"),
    ("output = 2\ninput = 0", f"config.toml, line 3: {KEY}: a price of zero"),
    ("input = 0\noutput = 0", "needs free = true"),
    ('input = "NaN"', f"line 2: {KEY}: a price of $NaN is none"),
    ("input = inf", "a price of $Infinity is none"),
    ("input = 3000000", "a price of $3000000 is none; write dollars, like 2.50."),
    ("", "states no price"),
    ("input = true", "line 2"),
    ('input = "cheap"', "line 2"),
    ("inputs = 5", "did you mean `input`?"),
    ("cache_writes = 5", "did you mean `cache_write`?"),
]


@pytest.mark.parametrize(("lines", "problem"), REFUSED)
def test_what_is_no_price_is_an_error_with_file_line_and_key(lines: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        stating(lines)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("config.toml, line ")


@pytest.mark.parametrize("name", ["gpt-5", "/gpt-5", "openai/"])
def test_a_name_without_provider_or_model_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="is not PROVIDER/MODEL"):
        stating("input = 1", name)


def test_no_override_changes_nothing() -> None:
    assert read("[pricing]\n").find("openai", ["gpt-5"]) is None


def test_a_bound_goes_by_what_the_person_states() -> None:
    base = Price(
        id="x", rates=Rates(fresh_input=1, output=9), tiers=(Tier(10, Rates(fresh_input=2, output=9)),)
    )

    class Source:
        name = "x 1"
        as_of = 0
        slots = (0,)

        def find(self, provider: str, model: str, at: float, service_tier: str = "", geo: str = "") -> Price:
            return base

        def listed(self, provider: str, at: float) -> list[Price]:
            return [base]

    bound = Book(lambda: Sources(Source(), Source()), stating("input = 5", "p/m")).bound("p", "m", NOW)
    assert bound
    assert (bound.rates.fresh_input, bound.rates.output) == (million("5"), 9)
