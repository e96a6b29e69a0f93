"""Bedrock: Converse, and the models of all makers as they are invoked."""

import base64
import json
from typing import Any

import pytest

from budgetd.metering import Api, Ask, Reading, Usage, meter, peek
from budgetd.metering.text import SIGNATURE_FRAME, called
from metering.corpus import Exchange, each_recorded, read_thrice, reported
from metering.exchanges import CONVERSE_EVENTS, anthropic_stream, eventstream, invoked, read

PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
METRICS = {"inputTokenCount": 7, "outputTokenCount": 126, "invocationLatency": 4069, "firstByteLatency": 1117}


def api_of(exchange: Exchange) -> Api:
    return "bedrock.converse" if "converse" in exchange["endpoint"] else "bedrock.invoke"


def expected(report: dict[str, Any]) -> Usage | None:
    if not report:
        return None
    if "inputTextTokenCount" in report:
        return Usage(input_tokens=6, output_tokens=3)  # the corpus lists the first count alone
    read = report.get("cacheReadInputTokens", report.get("cache_read_input_tokens", 0))
    written = report.get("cacheWriteInputTokens", report.get("cache_creation_input_tokens", 0))
    into, out = (
        ("inputTokens", "outputTokens") if "inputTokens" in report else ("input_tokens", "output_tokens")
    )
    return Usage(
        input_tokens=report[into] + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=report[out],
    )


each_exchange = each_recorded(
    "bedrock.converse", "bedrock.converse-stream", "bedrock.invoke", "bedrock.invoke-with-response-stream"
)


@each_exchange
def test_a_recorded_response_is_read_as_it_was_reported(exchange: Exchange) -> None:
    wanted = expected(reported(exchange))
    reading = read_thrice(api_of(exchange), exchange)
    assert reading.usage == wanted
    assert reading.complete == (wanted is not None)
    assert (reading.output_bytes > 0) == (wanted is not None)
    assert reading.model == ""


@each_exchange
def test_a_recorded_request_is_understood(exchange: Exchange) -> None:
    ask = peek(api_of(exchange), exchange["path"], exchange["request_body"].encode())
    assert (ask.understood, ask.server_tool_uses, ask.cache_write_1h) == (True, 0, False)
    assert ask.model.partition(".")[0] in {"us", "anthropic", "amazon", "openai"}
    assert ask.model.endswith((":0", "-v1"))
    assert ask.stream == (exchange["wire"] == "eventstream")
    assert ask.open_input == (exchange["status"] == 400)  # the one that names a video elsewhere


def test_a_stream_of_converse_ends_with_its_usage() -> None:
    body = eventstream(*CONVERSE_EVENTS)
    whole = read("bedrock.converse", body, "application/vnd.amazon.eventstream")
    assert whole == Reading(
        usage=Usage(
            input_tokens=1951,
            cache_read_tokens=1712,
            cache_write_tokens=236,
            cache_write_1h_tokens=200,
            output_tokens=121,
        ),
        complete=True,
        service_tier="priority",
        output_bytes=len(f'hmnaïve{{"a":1}}{called("f")}'.encode()),
    )
    cut = read("bedrock.converse", eventstream(*CONVERSE_EVENTS[:-1]))
    assert (cut.usage, cut.complete, cut.output_bytes) == (None, False, whole.output_bytes)


def test_an_exception_in_a_stream_leaves_it_incomplete() -> None:
    body = eventstream(*CONVERSE_EVENTS[:-1], {"message": "Too many requests"})
    assert not read("bedrock.converse", body).complete


def test_reasoning_and_tool_input_of_a_whole_answer_are_counted() -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "ab", "signature": "xyz"}}},
        {"text": "cdé"},
        {"toolUse": {"input": {"x": 1}, "name": "n"}},
    ]
    body = {"output": {"message": {"content": content}}, "usage": {"inputTokens": 1, "outputTokens": 2}}
    reading = read("bedrock.converse", json.dumps(body).encode(), "application/json")
    assert reading.output_bytes == 2 + 4 + len(f'{{"x": 1}}{called("n")}')


def test_reasoning_that_is_not_shown_is_known_by_its_signature() -> None:
    signature = "A" * ((SIGNATURE_FRAME + 700) * 4 // 3)
    whole = {"reasoningContent": {"reasoningText": {"text": "x" * 100, "signature": signature}}}
    parts = [
        {"delta": {"reasoningContent": part}} for part in ({"text": "x" * 100}, {"signature": signature})
    ]
    for body in (json.dumps({"output": {"message": {"content": [whole]}}}).encode(), eventstream(*parts)):
        reading = read("bedrock.converse", body)
        assert (reading.output_bytes, reading.sealed_bytes) == (100, 600)


def test_anthropics_events_are_read_by_their_own_rules() -> None:
    start = {"input_tokens": 4, "cache_read_input_tokens": 20, "output_tokens": 1}
    sse = anthropic_stream({"output_tokens": 200}, start=start)
    events = [json.loads(line[6:]) for line in sse.decode().splitlines() if line.startswith("data: ")]
    events[-1]["amazon-bedrock-invocationMetrics"] = METRICS
    reading = read("bedrock.invoke", invoked(*events))
    assert reading.usage == Usage(input_tokens=24, cache_read_tokens=20, output_tokens=200)
    assert (reading.complete, reading.model, reading.response_id) == (True, "", "msg_1")
    assert not read("bedrock.invoke", invoked(*events[:-1])).complete


@pytest.mark.parametrize(
    "events",
    [
        [{"generation": "né", "prompt_token_count": 9, "generation_token_count": 1}, {"generation": "e"}],
        [{"outputs": [{"text": "née"}]}],
        [{"event_type": "text-generation", "text": "née"}, {"event_type": "stream-end"}],
        [{"choices": [{"message": {"content": "née"}}]}],
        [{"contentBlockDelta": {"delta": {"text": "née"}}}, {"messageStop": {}}],
        [{"outputText": "née"}],
    ],
    ids=["llama", "mistral", "cohere", "openai", "nova", "titan"],
)
def test_what_bedrock_counted_holds_for_every_maker(events: list[dict[str, Any]]) -> None:
    cut = read("bedrock.invoke", invoked(*events))
    assert (cut.complete, cut.output_bytes) == (False, 4)
    last = {**events[-1], "amazon-bedrock-invocationMetrics": {**METRICS, "cacheReadInputTokenCount": 3}}
    reading = read("bedrock.invoke", invoked(*events[:-1], last))
    assert reading.usage == Usage(input_tokens=10, cache_read_tokens=3, output_tokens=126)
    assert (reading.complete, reading.output_bytes) == (True, 4)


def told_in_headers(body: Any, **counts: str) -> Reading:
    """What is read of a response that is not streamed, with these counts in its headers."""
    named = {f"x-amzn-bedrock-{name.replace('_', '-')}-token-count".encode(): counts[name] for name in counts}
    reader = meter("bedrock.invoke", "application/json", "", lambda name: named.get(name, ""))
    reader.feed(body if isinstance(body, bytes) else json.dumps(body).encode())
    return reader.finish()


@pytest.mark.parametrize(
    "body",
    [
        {"outputs": [{"text": "née"}]},
        {"generations": [{"text": "née"}]},
        {"choices": [{"text": "née", "stop_reason": "stop"}]},
        {"text": "née", "finish_reason": "COMPLETE"},
    ],
    ids=["mistral", "cohere", "deepseek", "command"],
)
def test_what_bedrock_counted_in_the_headers_holds_where_the_body_tells_nothing(body: dict[str, Any]) -> None:
    assert told_in_headers(body).usage is None
    counts = {"input": "7", "output": "126", "cache_read_input": "3", "cache_write_input": "2"}
    reading = told_in_headers(body, **counts)
    assert reading.usage == Usage(
        input_tokens=12, cache_read_tokens=3, cache_write_tokens=2, output_tokens=126
    )
    assert (reading.complete, reading.output_bytes) == (True, 4)


def test_embeddings_are_counted_in_the_headers_too() -> None:
    body = {"embeddings": [[0.1, 0.2]], "response_type": "embeddings_floats"}
    assert told_in_headers(body, input="9").usage == Usage(input_tokens=9)


def test_a_body_that_reports_is_more_exact_than_the_headers() -> None:
    body = {"type": "message", "usage": {"input_tokens": 4, "output_tokens": 5, "cache_read_input_tokens": 6}}
    reading = told_in_headers(body, input="14", output="36")
    assert reading.usage == Usage(input_tokens=10, cache_read_tokens=6, output_tokens=5)


@pytest.mark.parametrize("given", ["", "-1", "seven", "nan", "inf"])
def test_a_header_that_is_no_count_tells_nothing(given: str) -> None:
    assert told_in_headers({"outputs": [{"text": "a"}]}, input=given, output="5").usage is None
    assert told_in_headers(b"<html>", input=given, output="5").usage is None


def test_headers_of_a_stream_count_nothing() -> None:
    named = {b"x-amzn-bedrock-input-token-count": "7", b"x-amzn-bedrock-output-token-count": "0"}
    reader = meter(
        "bedrock.invoke", "application/vnd.amazon.eventstream", "", lambda name: named.get(name, "")
    )
    reader.feed(invoked({"generation": "cut"}))
    assert (reader.finish().usage, reader.finish().complete) == (None, False)


def test_novas_own_report_has_the_split_of_the_cache() -> None:
    usage = {"inputTokens": 3, "outputTokens": 5, "cacheWriteInputTokenCount": 10}
    events = [{"contentBlockDelta": {"delta": {"text": "a"}}}, {"metadata": {"usage": usage}}]
    reading = read("bedrock.invoke", invoked(*events))
    assert reading.usage == Usage(input_tokens=13, cache_write_tokens=10, output_tokens=5)


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (
            {"generation": "x", "prompt_token_count": 25, "generation_token_count": 5},
            Usage(input_tokens=25, output_tokens=5),
        ),
        (
            {"inputTextTokenCount": 6, "results": [{"tokenCount": 2, "outputText": "x"}, {"tokenCount": 3}]},
            Usage(input_tokens=6, output_tokens=5),
        ),
        ({"embedding": [0.1], "inputTextTokenCount": 8}, Usage(input_tokens=8)),
        (
            {
                "choices": [{"message": {"content": "x"}}],
                "usage": {"prompt_tokens": 4, "completion_tokens": 1},
            },
            Usage(input_tokens=4, output_tokens=1),
        ),
        (
            {
                "output": {"message": {"content": [{"text": "x"}]}},
                "usage": {"inputTokens": 4, "outputTokens": 1},
            },
            Usage(input_tokens=4, output_tokens=1),
        ),
        ({"outputs": [{"text": "x"}]}, None),
        ({"message": "Malformed input request"}, None),
    ],
    ids=["llama", "titan", "titan-embed", "openai", "nova", "mistral", "error"],
)
def test_a_whole_answer_is_read_by_its_shape(body: dict[str, Any], usage: Usage | None) -> None:
    reading = read("bedrock.invoke", json.dumps(body).encode(), "application/json")
    assert (reading.usage, reading.complete, reading.model) == (usage, usage is not None, "")


def test_what_is_no_base64_is_passed_over() -> None:
    body = eventstream(
        {"bytes": "é"}, {"bytes": "A"}, {"bytes": base64.b64encode(b"no json").decode()}, {"bytes": 5}
    )
    assert read("bedrock.invoke", body) == Reading()


def converse(path: str = f"/model/{PROFILE}/converse", **body: Any) -> Ask:
    return peek("bedrock.converse", path, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("name", "model"),
    [
        (PROFILE, PROFILE),
        (PROFILE.replace(":", "%3A"), PROFILE),
        (f"arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2F{PROFILE}", PROFILE),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{PROFILE}", PROFILE),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
        ),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/bedrock", "/@alice:model/bedrock"])
def test_the_model_is_in_the_path(prefix: str, name: str, model: str) -> None:
    assert converse(f"{prefix}/model/{name}/converse?x=/model/y/").model == model
    ask = converse(f"{prefix}/model/{name}/converse-stream")
    assert (ask.model, ask.stream) == (model, True)


def test_what_a_converse_asks_for() -> None:
    ask = converse(inferenceConfig={"maxTokens": 50}, serviceTier={"type": "flex"}, messages=[])
    assert ask == Ask(model=PROFILE, output_cap=50, service_tier="flex", body_bytes=ask.body_bytes)
    tools = [{"toolSpec": {"name": "mine"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    ask = converse(toolConfig={"tools": tools})
    assert (ask.server_tool_uses, ask.cache_write_1h) == (0, True)
    assert (
        converse(toolConfig={"tools": [{"systemTool": {"name": "nova_grounding"}}]}).server_tool_uses is None
    )
    video = {"video": {"source": {"s3Location": {"uri": "s3://x"}}}}
    assert converse(messages=[{"content": [video]}]).open_input
    assert converse(messages=[{"content": [{"image": {"source": {"bytes": "AAAA"}}}]}]).media
    prompt = "/model/arn:aws:bedrock:us-east-1:123456789012:prompt%2FABC:1/converse"
    assert converse(prompt, promptVariables={}).open_input
    assert peek("bedrock.converse", f"/model/{PROFILE}/converse", b"x") == Ask(
        model=PROFILE, understood=False, body_bytes=1
    )


@pytest.mark.parametrize(
    "body",
    [
        {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50},
        {"max_tokens": 50},
        {"max_gen_len": 50},
        {"inferenceConfig": {"max_new_tokens": 50}},
        {"inferenceConfig": {"maxTokens": 50}},
        {"textGenerationConfig": {"maxTokenCount": 50}},
        {"max_completion_tokens": 50},
    ],
)
def test_every_makers_cap_is_found(body: dict[str, Any]) -> None:
    ask = peek("bedrock.invoke", f"/model/{PROFILE}/invoke-with-response-stream", json.dumps(body).encode())
    assert (ask.model, ask.stream, ask.output_cap, ask.understood) == (PROFILE, True, 50, True)


def test_anthropics_tools_are_known_when_invoked() -> None:
    tools = [{"type": "web_search_20250305", "max_uses": 3}]
    body = json.dumps({"anthropic_version": "x", "tools": tools}).encode()
    assert peek("bedrock.invoke", f"/model/{PROFILE}/invoke", body).server_tool_uses == 3
