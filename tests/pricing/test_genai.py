"""genai-prices' data against genai-prices' own arithmetic and matching, and data that is none."""

import contextlib
import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from genai_prices import calc_price
from genai_prices.data import providers
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import ModelPrice
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.usage import Usage
from budgetd.pricing.errors import PricesError
from budgetd.pricing.genai import read_json, read_plain
from budgetd.pricing.table import Table
from pricing.usages import every_usage, their_nusd, theirs

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


def plain(value: Any) -> Any:
    """The package's data in the shape of its published file."""
    if isinstance(value, ModelPrice):
        return {key: plain(each) for key, each in vars(value).items() if each is not None}
    if dataclasses.is_dataclass(value):
        fields = {field.name.rstrip("_"): getattr(value, field.name) for field in dataclasses.fields(value)}
        return {
            name: plain(each) for name, each in fields.items() if each is not None and name != "extractors"
        }
    return [plain(each) for each in value] if isinstance(value, list) else value


SHEET = read_plain(plain(providers), version="test", now=NOW)
TABLE = Table(SHEET.encode())
MODELS = [(provider.id, model.id) for provider in providers for model in provider.models]
TIERS = ["", "default", "priority", "flex", "batch", "fast", "standard", "auto", "nonsense"]
USAGES = [
    Usage(input_tokens=200_001, cache_write_tokens=30_000, cache_write_1h_tokens=9_999, web_searches=3),
    Usage(
        input_tokens=1_234_567,
        cache_read_tokens=500_000,
        cache_write_tokens=7_777,
        cache_write_1h_tokens=777,
        input_audio_tokens=40_003,
        cache_read_audio_tokens=10_007,
        input_image_tokens=5_003,
        cache_read_image_tokens=1_009,
        output_tokens=98_765,
        reasoning_tokens=54_321,
        output_audio_tokens=1_111,
        output_image_tokens=2_222,
        web_searches=7,
        file_searches=3,
        input_characters=4_321,
        input_audio_ms=61_007,
    ),
]


def answer(provider: str, model: str, usage: Usage, at: float, tier: str = "") -> tuple[str, int]:
    """The model that genai-prices finds, and what the usage costs by it."""
    calculation = calc_price(
        theirs(usage),
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromtimestamp(at, UTC),
        price_context=dict.fromkeys(("service_tier", "processing", "speed"), tier) if tier else None,
    )
    return calculation.model.id, their_nusd(calculation.model_price, usage)


def test_every_model_costs_what_the_package_says_today() -> None:
    priced = 0
    for provider, model in MODELS:
        price = TABLE.find(provider, model, NOW)
        for usage in USAGES:
            if price:
                assert (price.model, price.cost_nusd(usage)) == answer(provider, model, usage, NOW), model
        priced += price is not None
    assert priced > 2_000


def test_every_day_and_hour_on_which_a_price_changes_costs_what_the_package_says() -> None:
    usage = USAGES[-1]
    for provider in SHEET.providers:
        for model in provider.models:
            for listing in model.prices:
                start = listing.since + (listing.hours[0] if listing.hours else 0)
                for at in (start - 1, start) if start else ():
                    price = TABLE.find(provider.id, model.id, at, listing.service_tier)
                    if price:
                        said = answer(provider.id, model.id, usage, at, listing.service_tier)
                        assert (price.model, price.cost_nusd(usage)) == said, (model.id, at)


@given(
    listed=st.sampled_from(MODELS),
    at=st.floats(1_700_000_000, 1_820_000_000),
    tier=st.sampled_from(TIERS),
    usage=every_usage(),
)
def test_a_random_usage_costs_what_the_package_says_at_any_time_and_tier(
    listed: tuple[str, str], at: float, tier: str, usage: Usage
) -> None:
    price = TABLE.find(*listed, at, tier)
    if price:
        assert (price.model, price.cost_nusd(usage)) == answer(*listed, usage, at, tier)


def test_what_is_not_priced_here_costs_nothing_there() -> None:
    token = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    for provider, model in MODELS:
        if TABLE.find(provider, model, NOW) is None:
            with contextlib.suppress(LookupError):
                assert answer(provider, model, token, NOW)[1] == 0, (provider, model)


PROVIDERS = [provider.id for provider in providers] + ["bedrock", "vertex", "xai", "together-ai", "OpenAI "]
NAMES = [
    *{model for _, model in MODELS},
    "gpt-5.2-20251211",
    "GPT-5.4-2026-03-05",
    "claude-opus-4-8-20260415",
    "anthropic.claude-opus-4-8-v1:0",
    "deepseek-chat-v9",
    "ft:gpt-4o-mini-2024-07-18:acme::abc",
]


@given(
    provider=st.sampled_from(PROVIDERS),
    name=st.sampled_from(NAMES),
    prefix=st.sampled_from(["", "", "us.", "global."]),
    suffix=st.sampled_from(["", "", "-latest", "-20251211", ":free", "-x"]),
    upper=st.booleans(),
)
def test_a_name_means_the_model_that_the_package_takes_it_for(
    provider: str, name: str, prefix: str, suffix: str, upper: bool
) -> None:
    asked = prefix + name + suffix
    asked = asked.upper() if upper else asked
    listing = find_provider_by_id(providers, {"bedrock": "aws", "xai": "x-ai"}.get(provider, provider))
    assert listing
    meant = listing.find_model(asked, all_providers=providers)
    found = TABLE.find(provider, asked, NOW)
    if found:
        assert meant
        assert found.model == meant.id


def test_the_published_file_gives_the_same_as_the_package() -> None:
    published = json.dumps(plain(providers), default=str).encode()
    assert read_json(published, version="test", as_of=SHEET.as_of) == SHEET


def test_prices_are_as_old_as_the_newest_one_that_is_not_to_come() -> None:
    assert datetime(2026, 10, 1, tzinfo=UTC).timestamp() < SHEET.as_of <= NOW


def file(prices: str, match: str = '{"equals": "m"}') -> bytes:
    return b'[{"id": "p", "models": [{"id": "m", "match": %s, "prices": %s}]}]' % (
        match.encode(),
        prices.encode(),
    )


def test_a_number_is_read_as_it_is_written() -> None:
    sheet = read_json(file('{"input_mtok": 0.30000000000000004}'), version="1", as_of=0)
    assert sheet.providers[0].models[0].prices[0].rates.fresh_input == 300_000_000_000_000_040


@pytest.mark.parametrize(
    ("prices", "problem"),
    [
        ('{"input_mtok": 1, "output_mtok": -5}', "p m: output_mtok: a price of $-5"),
        ('{"input_mtok": "NaN"}', "p m: input_mtok: a price of $NaN"),
        ('{"input_mtok": "Infinity"}', "p m: input_mtok: a price of $Infinity"),
        ('{"input_mtok": 1e9}', "p m: input_mtok: a price of $1E+9"),
        ('{"input_mtok": %s}' % ("1" * 5_000), "p m: input_mtok: a price of $1.11111111111E+4999"),
        ('{"input_mtok": 1e999999999999999999999}', "is not understood"),
        ('{"input_mtok": {"base": 1, "tiers": [{"start": -9, "price": 1}]}}', "is not understood"),
        ('{"input_mtok": {"base": 1, "tiers": [{"start": 1e30, "price": 1}]}}', "is not understood"),
        (
            json.dumps({"input_mtok": {"base": 1, "tiers": [{"start": n, "price": 1} for n in range(21)]}}),
            "p m: it costs otherwise from 21 lengths of the input on",
        ),
        ('[{"prices": {"input_mtok": 1}, "constraint": {"moon": "full"}}]', "is not understood"),
        ('{"input_mtok": {"base": 1, "tiers": [{"start": 9, "price": -1}]}}', "p m: input_mtok: a price of"),
        ('[{"prices": {"input_mtok": 1}}, {"prices": {"requests_kcount": -1}}]', "requests_kcount"),
        ('{"input_mtok": "cheap"}', "is not understood"),
        ('{"input_mtok": [1]}', "is not understood"),
    ],
)
def test_a_file_with_a_price_that_is_none_is_refused_whole(prices: str, problem: str) -> None:
    with pytest.raises(PricesError) as caught:
        read_json(file(prices), version="1", as_of=0)
    assert problem in str(caught.value)


def nested(depth: int) -> str:
    return '{"or": [' * depth + '{"equals": "m"}' + "]}" * depth


@pytest.mark.parametrize(
    "match",
    [
        '{"sounds_like": "m"}',
        "{}",
        '{"equals": "m", "contains": "m"}',
        '"m"',
        nested(20),
        nested(5_000),
        '{"regex": "("}',
        '{"regex": "%s"}' % ("(" * 3_000 + ")" * 3_000),
        '{"regex": "a{99999999999}"}',
        '{"regex": "^(a+)+$"}',
        '{"regex": "(a|aa){30}$"}',
        '{"regex": ".*.*.*$"}',
        '{"regex": "a{0,50}a{0,50}a{0,50}$"}',
        '{"regex": "%s$"}' % ("a?" * 30),
    ],
)
def test_a_file_whose_matching_is_not_understood_or_never_ends_is_refused_whole(match: str) -> None:
    model = file('{"input_mtok": 1}', match)
    provider = b'[{"id": "p", "models": [], "provider_match": %s}]' % match.encode()
    for data in (model, provider):
        with pytest.raises(PricesError):
            read_json(data, version="1", as_of=0)


def test_a_name_that_would_steer_a_terminal_is_refused() -> None:
    with pytest.raises(PricesError, match="a name that cannot be shown"):
        read_json(file('{"input_mtok": 1}').replace(b'"m"', b'"\\u001b[2Jm"'), version="1", as_of=0)


def test_a_model_with_prices_without_number_is_refused() -> None:
    variants = [
        {"when": {"service_tier": f"t{each}", "inference_geo": f"g{each}"}, "prices": {"input_mtok": 2}}
        for each in range(40)
    ]
    told = b'"price_variants": %s, "match"' % json.dumps(variants).encode()
    data = file('{"input_mtok": 1}').replace(b'"match"', told)
    with pytest.raises(PricesError, match="1,681 prices by tier, place, day and hour"):
        read_json(data, version="1", as_of=0)


@pytest.mark.parametrize("window", [-5, 0, 10**30])
def test_a_window_that_cannot_be_is_none(window: int) -> None:
    data = file('{"input_mtok": 1}').replace(b'"match"', b'"context_window": %d, "match"' % window)
    (provider,) = read_json(data, version="1", as_of=0).providers
    assert provider.models[0].context_window is None


@pytest.mark.parametrize("data", [b"", b"{}", b"<html>", b'[{"id": "p"', b'[{"models": []}]'])
def test_what_is_no_price_list_is_refused(data: bytes) -> None:
    with pytest.raises(PricesError):
        read_json(data, version="1", as_of=0)
