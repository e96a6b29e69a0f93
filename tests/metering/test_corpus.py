"""Every recorded exchange of OpenAI's, Anthropic's and Gemini's APIs, whoever speaks them: the meter reads
what the provider reported, however it is cut.
"""

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from budgetd.metering import Api, Usage, peek
from budgetd.metering.decompress import inflate
from metering.exchanges import CODINGS, raw_deflate, read

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "recorded.jsonl"

APIS: dict[str, Api] = {
    "anthropic.messages": "anthropic.messages",
    "azure.chat": "openai.chat",
    "azure.embeddings": "openai.embeddings",
    "azure.responses": "openai.responses",
    "cerebras.chat": "openai.chat",
    "deepseek.chat": "openai.chat",
    "deepseek.responses": "openai.responses",
    "gemini.batchEmbedContents": "gemini.embed",
    "gemini.generateContent": "gemini.generate",
    "gemini.streamGenerateContent": "gemini.generate",
    "groq.chat": "openai.chat",
    "huggingface.chat": "openai.chat",
    "mistral.chat": "openai.chat",
    "mistral.embeddings": "openai.embeddings",
    "openai.chat": "openai.chat",
    "openai.completions": "openai.completions",
    "openai.embeddings": "openai.embeddings",
    "openai.responses": "openai.responses",
    "openai.responses.compact": "openai.responses",
    "openai.responses.get": "openai.responses",
    "openrouter.chat": "openai.chat",
    "snowflake.chat": "openai.chat",
    "vertex.generateContent": "gemini.generate",
    "writer.chat": "openai.chat",
    "zai.chat": "openai.chat",
}
ELSEWHERE = ("bedrock.", "cohere.", "ollama.")
"""How endpoints begin that have tests of their own."""
UNCOUNTED = {"anthropic.count_tokens", "openai.responses.input_tokens"}
"""Endpoints that cost nothing."""

Exchange = dict[str, Any]


def recorded() -> list[Exchange]:
    if not CORPUS.exists():
        return []
    exchanges: list[Exchange] = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    return [each for each in exchanges if each["kind"] == "http" and each["endpoint"] in APIS]


EXCHANGES = recorded()
pytestmark = pytest.mark.skipif(not EXCHANGES, reason="the recorded corpus is not here (../shared/corpus)")
each_exchange = pytest.mark.parametrize(
    "exchange", EXCHANGES, ids=lambda each: f"{each['endpoint']}-{each['id']}"
)


def header(exchange: Exchange, wanted: str) -> str:
    return next((value for key, value in exchange["response_headers"] if key.lower() == wanted), "")


def reports(exchange: Exchange) -> list[dict[str, Any]]:
    return [each["usage"] for each in exchange["expected_usage_as_reported"]["reports"]]


def anthropic_usage(given: list[dict[str, Any]]) -> Usage:
    last = {key: value for report in given for key, value in report.items()}
    read, written = last.get("cache_read_input_tokens", 0), last.get("cache_creation_input_tokens", 0)
    assert not any(each["type"] == "compaction" for each in last.get("iterations", ()))
    return Usage(
        input_tokens=last["input_tokens"] + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=last.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0),
        output_tokens=last["output_tokens"],
        reasoning_tokens=last.get("output_tokens_details", {}).get("thinking_tokens", 0),
        web_searches=last.get("server_tool_use", {}).get("web_search_requests", 0),
    )


def openai_usage(given: list[dict[str, Any]]) -> Usage:
    last = given[-1]
    tools = last.get("server_tool_use_details") or {}
    total_in = last.get("prompt_tokens", last.get("input_tokens"))
    total_out = last.get("completion_tokens", last.get("output_tokens", 0))
    into = last.get("prompt_tokens_details") or last.get("input_tokens_details") or {}
    out = last.get("completion_tokens_details") or last.get("output_tokens_details") or {}
    return Usage(
        input_tokens=total_in,
        # One gateway reports the same tokens as read and as written; a token is one of both.
        cache_read_tokens=min(into.get("cached_tokens", 0), total_in - into.get("cache_write_tokens", 0)),
        cache_write_tokens=into.get("cache_write_tokens", 0),
        input_audio_tokens=into.get("audio_tokens", 0),
        output_tokens=total_out,
        # And counts more reasoning than output.
        reasoning_tokens=min(out.get("reasoning_tokens", 0), total_out),
        output_audio_tokens=out.get("audio_tokens", 0),
        web_searches=tools.get("web_search_requests", 0),
    )


def gemini_usage(body: bytes) -> Usage:
    """From the body itself: of a stream only the last reports are listed."""
    text = body.decode()
    documents = [line[6:] for line in text.splitlines() if line.startswith("data: ")] or [text]
    given = [each["usageMetadata"] for each in map(json.loads, documents)]

    def most(key: str) -> int:
        return max(each.get(key, 0) for each in given)

    def audio(key: str) -> int:
        parts = [part for part in given[-1].get(key, ()) if part["modality"] == "AUDIO"]
        return sum(part["tokenCount"] for part in parts)

    thoughts = most("thoughtsTokenCount")
    return Usage(
        input_tokens=most("promptTokenCount") + most("toolUsePromptTokenCount"),
        cache_read_tokens=most("cachedContentTokenCount"),
        input_audio_tokens=audio("promptTokensDetails"),
        cache_read_audio_tokens=audio("cacheTokensDetails"),
        output_tokens=most("candidatesTokenCount") + thoughts,
        reasoning_tokens=thoughts,
    )


def expected(api: Api, exchange: Exchange, body: bytes) -> Usage | None:
    given = reports(exchange)
    if not given:
        return None
    if api == "anthropic.messages":
        return anthropic_usage(given)
    return gemini_usage(body) if api == "gemini.generate" else openai_usage(given)


def without_searches(usage: Usage | None) -> Usage | None:
    return usage and msgspec.structs.replace(usage, web_searches=0)


@each_exchange
def test_a_recorded_response_is_read_as_it_was_reported(exchange: Exchange) -> None:
    api = APIS[exchange["endpoint"]]
    content_type, coding = header(exchange, "content-type"), header(exchange, "content-encoding")
    body = base64.b64decode(exchange["response_body"])
    plain = inflate(body, coding, 1 << 26)
    assert plain is not None
    reading = read(api, body, content_type, coding)
    wanted = expected(api, exchange, plain)
    # OpenAI's searches stand among the items of the output, in no usage object.
    read_usage = without_searches(reading.usage) if api == "openai.responses" else reading.usage
    assert read_usage == wanted
    assert reading.complete or wanted is None
    if "cost" in (reports(exchange) or [{}])[-1]:
        assert reading.cost_nusd == round(Decimal(str(reports(exchange)[-1]["cost"])) * 10**9)
    for seed in range(3):
        assert read(api, body, content_type, coding, seed) == reading
        assert read(api, plain, "", "", seed) == reading
    for name, compress in [*CODINGS.items(), ("deflate", raw_deflate)]:
        assert read(api, compress(plain), content_type, name, 3) == reading


def model_asked(exchange: Exchange) -> str:
    """By the body, or by the path where the body does not say."""
    body = json.loads(exchange["request_body"])
    return body.get("model") or exchange["path"].partition("/models/")[2].partition(":")[0]


@each_exchange
def test_a_recorded_request_is_understood(exchange: Exchange) -> None:
    if exchange["method"] != "POST":
        pytest.skip("it has no body")
    assert exchange["request_body_encoding"] != "base64"
    api, body = APIS[exchange["endpoint"]], exchange["request_body"].encode()
    ask = peek(api, exchange["path"], body)
    assert ask.understood
    assert ask.model == model_asked(exchange)
    assert ask.body_bytes == len(body)
    if exchange["status"] == 200:
        assert ask.stream == (exchange["wire"] == "sse")
    assert peek(api, exchange["path"], CODINGS["gzip"](body), "gzip") == ask


@each_exchange
def test_what_a_recorded_request_asks_for_bounds_what_was_used(exchange: Exchange) -> None:
    if exchange["method"] != "POST":
        pytest.skip("it has no body")
    api = APIS[exchange["endpoint"]]
    body = base64.b64decode(exchange["response_body"])
    usage = read(api, body, header(exchange, "content-type"), header(exchange, "content-encoding")).usage
    ask = peek(api, exchange["path"], exchange["request_body"].encode())
    if usage is None:
        pytest.skip("nothing was reported")
    assert ask.output_cap is None or usage.output_tokens <= ask.output_cap
    if not ask.open_input and ask.server_tool_uses == 0:
        assert usage.input_tokens <= ask.body_bytes + 2048


@pytest.mark.parametrize(
    ("exchange_id", "searches"), [("cb04020a88cf", 2), ("0f19549ecf96", 1), ("9597ef4cad5b", 0)]
)
def test_searches_of_a_response_are_counted_from_its_items(exchange_id: str, searches: int) -> None:
    exchange = next(each for each in EXCHANGES if each["id"] == exchange_id)
    usage = read("openai.responses", base64.b64decode(exchange["response_body"])).usage
    assert usage is not None
    assert usage.web_searches == searches


def test_an_advisor_is_billed_apart_under_its_own_model() -> None:
    exchange = next(each for each in EXCHANGES if each["id"] == "ba298eed5d43")
    reading = read("anthropic.messages", base64.b64decode(exchange["response_body"]))
    assert reading.others == (("claude-opus-4-8", Usage(input_tokens=2543, output_tokens=18)),)


def test_every_recorded_endpoint_has_a_reader_or_costs_nothing() -> None:
    lines = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    endpoints = {each["endpoint"] for each in lines if each["kind"] == "http"}
    assert {each for each in endpoints if not each.startswith(ELSEWHERE)} == {*APIS, *UNCOUNTED}


def test_embeddings_of_gemini_that_report_nothing_are_complete() -> None:
    exchange = next(each for each in EXCHANGES if each["endpoint"] == "gemini.batchEmbedContents")
    reading = read("gemini.embed", base64.b64decode(exchange["response_body"]))
    assert (reading.usage, reading.complete) == (None, True)


@pytest.mark.parametrize(
    ("exchange_id", "complete", "reported"),
    [("fdcf8003e339", False, False), ("1632272b43d9", False, False), ("cc6d2919385f", True, True)],
)
def test_a_response_in_the_background_is_known_by_its_id_until_it_is_done(
    exchange_id: str, complete: bool, reported: bool
) -> None:
    exchange = next(each for each in EXCHANGES if each["id"] == exchange_id)
    reading = read("openai.responses", base64.b64decode(exchange["response_body"]))
    assert (reading.complete, reading.usage is not None) == (complete, reported)
    assert reading.response_id == "resp_06a562f31ab7703300698b9df109c481979ebf760b2ff5fc75"
