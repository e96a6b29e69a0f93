"""OpenAI Chat Completions: what a response reports."""

import json
from typing import Any

import pytest

from budgetd.metering import Reading, Usage
from budgetd.metering.text import called
from metering.exchanges import chat_stream, read, sse

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 40,
    "total_tokens": 140,
    "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 10, "cache_write_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 8},
}


def whole(**completion: Any) -> Reading:
    return read("openai.chat", json.dumps(completion).encode(), "application/json")


def test_the_last_chunk_bears_the_usage() -> None:
    assert read("openai.chat", chat_stream(usage=USAGE)) == Reading(
        usage=Usage(
            input_tokens=100,
            cache_read_tokens=60,
            cache_write_tokens=5,
            input_audio_tokens=10,
            output_tokens=40,
            reasoning_tokens=20,
            output_audio_tokens=8,
        ),
        complete=True,
        model="gpt-5.4-2026-03-05",
        service_tier="default",
        response_id="chatcmpl-1",
        output_bytes=len("Hello ☃".encode()),
    )


def test_a_stream_that_was_not_asked_for_its_usage_has_none_but_its_text_is_counted() -> None:
    reading = read("openai.chat", chat_stream(usage=None))
    assert reading.usage is None
    assert reading.complete
    assert reading.output_bytes == len("Hello ☃".encode())


def test_a_stream_that_breaks_off_is_incomplete() -> None:
    body = chat_stream(usage=USAGE)
    reading = read("openai.chat", body[: body.index(b"data: ", 10) + 60])
    assert (reading.usage, reading.complete, reading.output_bytes) == (None, False, 3)


def test_the_usage_chunk_is_the_end_even_if_done_is_lost() -> None:
    body = chat_stream(usage=USAGE)
    assert read("openai.chat", body[: body.index(b"data: [DONE]")]).complete


def test_an_error_in_a_stream_leaves_it_incomplete() -> None:
    body = sse({"choices": [{"delta": {"content": "x"}}]}, {"error": {"message": "server error"}}, "[DONE]")
    reading = read("openai.chat", body)
    assert not reading.complete
    assert reading.output_bytes == 1


def test_every_kind_of_generated_text_counts() -> None:
    deltas: list[dict[str, Any]] = [
        {"content": "a"},
        {"reasoning_content": "bb"},
        {"reasoning": "ccc"},
        {"refusal": "dddd"},
        {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "eeeee"}}]},
        {"tool_calls": [{"function": {"name": None, "arguments": "ffffff"}}]},
    ]
    body = sse(*({"choices": [{"index": 0, "delta": delta}]} for delta in deltas))
    assert read("openai.chat", body).output_bytes == 21 + len(f"{called('f')}")


def test_reasoning_that_only_the_total_counts_is_output() -> None:
    usage = whole(choices=[], usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 915}).usage
    assert usage == Usage(input_tokens=10, output_tokens=905)


def test_a_total_smaller_than_its_parts_gives_way() -> None:
    given = {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 30}, "completion_tokens": 1}
    assert whole(usage=given).usage == Usage(input_tokens=30, cache_read_tokens=30, output_tokens=1)


def test_parts_that_overlap_keep_the_dearer_one() -> None:
    given = {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 9}}
    assert whole(usage=given).usage == Usage(input_tokens=10, cache_read_tokens=1, cache_write_tokens=9)


@pytest.mark.parametrize(
    ("stated", "cost_nusd"),
    [
        ({"cost": 0.0076509169000000005}, 7_650_917),
        ({"cost": 0}, 0),
        ({"cost": 0, "is_byok": True}, None),
        ({"cost": 0, "cost_details": {"upstream_inference_cost": 1}}, 1_000_000_000),
        ({"cost": 0.05, "cost_details": {"upstream_inference_cost": 0.05}}, 50_000_000),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": 1}}, 1_050_000_000),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": -1}}, None),
        ({"cost": 0.05, "is_byok": False, "cost_details": {"upstream_inference_cost": 1}}, 50_000_000),
        ({"cost": {"input_tokens_cost": 0.001, "total_cost": 0.0061}}, 6_100_000),
        ({"cost_in_usd_ticks": 37_756_000}, 3_775_600),
        ({"cost_in_usd_ticks": 1}, 1),
        ({"cost_in_usd_ticks": -1}, None),
        ({"cost": -1}, None),
        ({"cost": "NaN"}, None),
        ({"cost": 1e300}, None),
        ({"cost": None}, None),
        ({"cost": {}}, None),
    ],
)
def test_a_stated_cost_is_kept_if_it_is_one(stated: dict[str, Any], cost_nusd: int | None) -> None:
    reading = whole(usage={"prompt_tokens": 1, "completion_tokens": 1, **stated}, choices=[])
    assert reading.cost_nusd == cost_nusd
    assert reading.usage == Usage(input_tokens=1, output_tokens=1)


def test_one_strange_field_does_not_lose_the_others() -> None:
    given = {
        "prompt_tokens": "12",
        "completion_tokens": 3.0,
        "prompt_tokens_details": [],
        "total_tokens": None,
    }
    reading = whole(id=5, model="m", choices=[{"message": {"content": "hi"}}], usage=given)
    assert reading.usage == Usage(input_tokens=12, output_tokens=3)
    assert (reading.model, reading.output_bytes, reading.complete) == ("m", 2, True)


@pytest.mark.parametrize(
    "body", [b'{"error":{"message":"no"}}', b'[{"error":{"message":"no"}}]', b'data: {"error":"no"}\n\n']
)
def test_an_error_body_has_no_usage(body: bytes) -> None:
    assert read("openai.chat", body, "application/json") == Reading(failed=True)
    assert read("openai.chat", b"<html>502</html>", "application/json") == Reading()


def test_an_error_after_something_was_generated_or_reported_is_no_failure() -> None:
    error = {"error": {"message": "server error"}}
    generated, report = {"choices": [{"delta": {"content": "x"}}]}, {"usage": {"prompt_tokens": 1}}
    assert not read("openai.chat", sse(generated, error)).failed
    assert not read("openai.chat", sse(report, error)).failed


GROQ = {"queue_time": 0.1, "prompt_tokens": 18, "completion_tokens": 73, "total_tokens": 91}


def chunk(**more: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **more}


def test_groqs_older_streams_report_in_a_field_of_their_own() -> None:
    begun = chunk(x_groq={"id": "req_1"})
    reading = read("openai.chat", sse(begun, chunk(x_groq={"id": "req_1", "usage": GROQ}), "[DONE]"))
    assert (reading.usage, reading.complete) == (Usage(input_tokens=18, output_tokens=73), True)


SCOUT, GPT_OSS = "meta-llama/llama-4-scout-17b-16e-instruct", "openai/gpt-oss-120b"


def of_models(*used: tuple[str, int, int]) -> dict[str, Any]:
    """What models of a compound system used: their name, input and output."""
    models = [
        {
            "model": model,
            "usage": {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out},
        }
        for model, into, out in used
    ]
    return {"models": models}


def test_each_model_of_a_compound_system_is_billed_as_itself() -> None:
    breakdown = of_models((SCOUT, 10, 20), (GPT_OSS, 5, 40), (SCOUT, 3, 13))
    last = chunk(model="groq/compound", x_groq={"usage": GROQ, "usage_breakdown": breakdown})
    streamed = read("openai.chat", sse(chunk(), last, "[DONE]"))
    body = {"model": "groq/compound", "choices": [], "usage": GROQ, "usage_breakdown": breakdown}
    for reading in (streamed, whole(**body)):
        assert reading.complete
        assert (reading.model, reading.usage) == (SCOUT, Usage(input_tokens=13, output_tokens=33))
        assert reading.others == ((GPT_OSS, Usage(input_tokens=5, output_tokens=40)),)


@pytest.mark.parametrize(
    "breakdown",
    [{}, {"models": [{"model": SCOUT}]}, of_models((SCOUT, 18, 72)), of_models((SCOUT, 17, 73)), 3],
)
def test_a_breakdown_that_leaves_something_out_counts_nothing(breakdown: object) -> None:
    reading = whole(model="groq/compound", choices=[], usage=GROQ, usage_breakdown=breakdown)
    assert (reading.model, reading.others) == ("groq/compound", ())
    assert reading.usage == Usage(input_tokens=18, output_tokens=73)


def test_moonshots_streams_report_in_the_last_choice_and_once_more_where_that_was_asked_for() -> None:
    usage = {"prompt_tokens": 18, "completion_tokens": 73, "total_tokens": 91}
    ended = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage}]}
    for events in ([ended], [ended, {"choices": [], "usage": usage}]):
        reading = read("openai.chat", sse(*events, "[DONE]"))
        assert (reading.usage, reading.complete) == (Usage(input_tokens=18, output_tokens=73), True)


def test_a_total_that_holds_the_tokens_of_sound_makes_them_no_output() -> None:
    given = {"prompt_audio_seconds": 12, "prompt_tokens": 3, "completion_tokens": 41, "total_tokens": 419}
    assert whole(choices=[], usage=given).usage == Usage(
        input_tokens=3, output_tokens=41, input_audio_ms=12_000
    )


def test_a_report_that_comes_with_an_error_is_final() -> None:
    error = {"code": 400, "message": "Token limit reached"}
    usage = {"prompt_tokens": 43, "completion_tokens": 10, "cost": 0}
    assert read("openai.chat", sse(chunk(error=error, usage=usage), "[DONE]")).complete
    assert not read("openai.chat", sse(chunk(usage=usage), chunk(error=error), "[DONE]")).complete


@pytest.mark.parametrize(
    "counted",
    [
        {"prompt_cache_hit_tokens": 512, "prompt_cache_miss_tokens": 51},
        {"num_cached_tokens": 512},
        {"cached_tokens": 512},
        {"prompt_tokens_details": {"cached_tokens": 512}, "prompt_cache_hit_tokens": 512},
    ],
)
def test_cached_tokens_have_many_names(counted: dict[str, Any]) -> None:
    usage = whole(choices=[], usage={"prompt_tokens": 563, "completion_tokens": 1, **counted}).usage
    assert usage == Usage(input_tokens=563, cache_read_tokens=512, output_tokens=1)


@pytest.mark.parametrize(
    "counted",
    [
        {"prompt_tokens_details": {"cache_write_tokens": 50}},
        {"prompt_tokens_details": {"cache_creation_input_tokens": 50}},
        {"cache_creation_input_tokens": 50},
    ],
    ids=["openrouter", "alibaba", "litellm"],
)
def test_what_is_written_to_the_cache_has_three_names(counted: dict[str, Any]) -> None:
    usage = whole(choices=[], usage={"prompt_tokens": 60, "completion_tokens": 1, **counted}).usage
    assert usage == Usage(input_tokens=60, cache_write_tokens=50, output_tokens=1)


def test_pictures_and_sound_are_told_apart() -> None:
    given = {
        "prompt_tokens": 100,
        "prompt_tokens_details": {"image_tokens": 60, "audio_tokens": 10, "cached_tokens": 50},
        "completion_tokens": 90,
        "completion_tokens_details": {"image_tokens": 70, "audio_tokens": 5},
    }
    assert whole(choices=[], usage=given).usage == Usage(
        input_tokens=100,
        input_image_tokens=60,
        input_audio_tokens=10,
        cache_read_tokens=50,
        # There are but 30 tokens of text, so that 20 of those read were pictures.
        cache_read_image_tokens=20,
        output_tokens=90,
        output_image_tokens=70,
        output_audio_tokens=5,
    )


def test_searches_of_a_gateway_and_seconds_of_sound_are_counted() -> None:
    given = {
        "prompt_tokens": 4,
        "prompt_audio_seconds": 3,
        "server_tool_use_details": {"web_search_requests": 2, "tool_calls_executed": 2},
    }
    assert whole(choices=[], usage=given).usage == Usage(input_tokens=4, input_audio_ms=3000, web_searches=2)


def test_content_that_is_a_list_is_counted() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm\u00e9"}]}
    parts = [thought, {"type": "text", "text": "ab"}, {"type": "reference", "reference_ids": [1]}]
    assert whole(choices=[{"message": {"content": parts}}]).output_bytes == 6
    assert read("openai.chat", sse(chunk() | {"choices": [{"delta": {"content": parts}}]})).output_bytes == 6
