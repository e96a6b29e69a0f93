"""LiteLLM's map as a sheet: an excerpt of the real one, and maps that are none. Costs were worked by hand."""

import json
from pathlib import Path

import pytest

from budgetd.metering.usage import Usage
from budgetd.pricing.errors import PricesError
from budgetd.pricing.litellm import read_litellm
from budgetd.pricing.rates import Price
from budgetd.pricing.table import Sheet, Table

NOW = 1_795_000_000
MAP = Path(__file__).with_name("litellm_map.json").read_bytes()

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


def read(content: bytes) -> Sheet:
    return read_litellm(content, version="2026-11-23", as_of=NOW)


def one(entry: dict[str, object]) -> bytes:
    """A map of a single model, `m` of openai."""
    return json.dumps({"m": {"litellm_provider": "openai", "mode": "chat", **entry}}).encode()


def price(table: Table, provider: str, model: str, tier: str = "", geo: str = "") -> Price:
    found = table.find(provider, model, NOW, tier, geo)
    assert found, (provider, model)
    return found


@pytest.fixture(scope="module")
def table() -> Table:
    return Table(read(MAP).encode())


@pytest.mark.parametrize(
    ("provider", "model", "tier", "geo", "nusd"),
    [
        ("anthropic", "claude-opus-4-8", "", "", 56_500_000),  # 5, 0.5, 6.25 and 10, 25, search 10
        ("anthropic", "claude-opus-4-8", "batch", "", 34_250_000),  # half, but 10 for an hour
        ("anthropic", "claude-opus-4-8", "fast", "", 103_000_000),  # twice, the search as ever
        ("anthropic", "claude-opus-4-8", "", "us", 61_150_000),  # 1.1 times
        ("anthropic", "claude-opus-4-8", "fast", "us", 112_300_000),  # 2.2 times
        ("openai", "gpt-5.4", "", "", 23_500_000),  # 2.5, 0.25, writes as input, 15
        ("openai", "gpt-5.4", "priority", "", 47_000_000),
        ("openai", "gpt-5.4", "priority", "us", 51_700_000),
        ("openai", "gpt-5.4", "tier nobody knows", "", 23_500_000),
        ("gemini", "gemini-2.5-pro", "", "", 48_000_000),  # 1.25, 0.125, 10, search 35
        ("vertex", "publishers/google/models/gemini-2.5-pro", "", "", 48_000_000),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "", "", 40_690_000),  # search 10
        ("fireworks", "accounts/fireworks/models/deepseek-v4-pro", "", "", 10_200_000),  # 1.2, 0.6, 1.2
        ("deepseek", "deepseek-chat", "", "", 2_002_000),  # 0.28, 0.028, writes at 0 are untold, 0.42
        ("azure", "gpt-5", "", "", 27_000_000),  # 1.25, 0.125, 10, search 14
        ("openai", "ft:gpt-3.5-turbo:acme::7p4lURel", "", "", 33_000_000),  # 3, 6
        ("perplexity", "pplx-7b-online", "", "", 5_140_000),  # 0.005 a request, 0.28 out
    ],
)
def test_prices_of_the_real_map(
    table: Table, provider: str, model: str, tier: str, geo: str, nusd: int
) -> None:
    assert price(table, provider, model, tier, geo).cost_nusd(USAGE) == nusd


@pytest.mark.parametrize(
    ("provider", "model", "usage", "nusd"),
    [
        ("openai", "tts-1", Usage(input_characters=1_000), 15_000_000),
        ("openai", "whisper-1", Usage(input_audio_ms=60_000), 6_000_000),
        ("cohere", "rerank-v3.5", Usage(search_units=3), 6_000_000),
        (
            "openai",
            "gpt-image-1",
            Usage(input_tokens=100, input_image_tokens=40, output_tokens=1_000, output_image_tokens=1_000),
            40_700_000,
        ),
    ],
)
def test_what_is_not_text_has_a_price_too(
    table: Table, provider: str, model: str, usage: Usage, nusd: int
) -> None:
    assert price(table, provider, model).cost_nusd(usage) == nusd


def test_a_long_input_costs_more_and_in_a_tier_without_a_price_for_it_never_less(table: Table) -> None:
    long = Usage(input_tokens=300_000)
    assert price(table, "openai", "gpt-5.4").cost_nusd(long) == 1_500_000_000
    assert price(table, "openai", "gpt-5.4", "flex").cost_nusd(long) == 750_000_000
    assert price(table, "openai", "gpt-5.4", "priority").cost_nusd(long) == 1_500_000_000
    assert price(table, "gemini", "gemini-2.5-pro", "priority").cost_nusd(long) == 1_350_000_000


def test_the_size_of_a_model_is_known(table: Table) -> None:
    opus = price(table, "anthropic", "claude-opus-4-8")
    assert (opus.context_window, opus.max_output_tokens) == (1_000_000, 128_000)


def test_a_decimal_is_exact() -> None:
    content = one({"input_cost_per_token": 1}).replace(b": 1}", b": 0.0000001000000000000001}")
    found = price(Table(read(content).encode()), "openai", "m")
    assert found.rates.fresh_input == 100_000_000_000_000_100


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"input_cost_per_token": 0, "output_cost_per_token": 0},
        {"input_cost_per_token": "0.1"},
        {"input_cost_per_token": True},
        {"output_cost_per_token": 1e-6},
        {"search_context_cost_per_query": {"search_context_size_high": 0.01}},
        {"input_cost_per_token": 1e-6, "litellm_provider": "\x1b[2J"},
        {"input_cost_per_token": 1e-6, "litellm_provider": "\ud800"},
    ],
)
def test_an_entry_without_a_price_that_could_be_billed_is_left_out(entry: dict[str, object]) -> None:
    both = json.loads(one(entry)) | {"known": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}}
    (provider,) = read(json.dumps(both).encode()).providers
    assert [model.id for model in provider.models] == ["known"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not JSON, or was cut short"),
        (MAP[:4_000], "not JSON, or was cut short"),
        (b"\xff\xfe{", "not JSON, or was cut short"),
        (b"[" * 100_000, "not JSON, or was cut short"),
        (b"[]", "no price that can be read"),
        (b'{"sample_spec": {"input_cost_per_token": 1}}', "no price that can be read"),
        (one({"input_cost_per_token": -1e-6}), "for m (input_cost_per_token)"),
        (one({"input_cost_per_token": 1}).replace(b": 1}", b": NaN}"), "NaN"),
        (one({"input_cost_per_token": 1}).replace(b": 1}", b": 1e999999}"), "input_cost_per_token"),
        (one({"input_cost_per_token": 1}).replace(b": 1}", b": 1e99999999999999999999}"), "all bounds"),
        (
            one({"input_cost_per_token": 1}).replace(b": 1}", b": %s}" % (b"1" * 5_000)),
            "$1.11111111111E+4999",
        ),
        (one({"input_cost_per_token": 1e-6, "provider_specific_entry": {"us": -1}}), "multiplies"),
    ],
)
def test_what_is_no_price_map_is_refused_with_the_reason(content: bytes, complaint: str) -> None:
    with pytest.raises(PricesError) as caught:
        read(content)
    assert complaint in str(caught.value)
