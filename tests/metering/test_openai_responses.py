"""OpenAI Responses: what a response reports."""

import json
from typing import Any

import pytest

from budgetd.metering import Reading, Usage
from budgetd.metering.text import called
from metering.exchanges import read, responses_stream, sse

USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 5},
    "output_tokens": 40,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 140,
}
READ = Usage(
    input_tokens=100, cache_read_tokens=60, cache_write_tokens=5, output_tokens=40, reasoning_tokens=20
)


def whole(**response: Any) -> Reading:
    return read("openai.responses", json.dumps(response).encode(), "application/json")


@pytest.mark.parametrize("end", ["response.completed", "response.incomplete", "response.failed"])
def test_the_event_that_ends_it_bears_the_usage(end: str) -> None:
    body = responses_stream(end=end, usage=USAGE, service_tier="flex")
    assert read("openai.responses", body) == Reading(
        usage=READ,
        complete=True,
        model="gpt-5.4",
        service_tier="flex",
        response_id="resp_1",
        output_bytes=len('Grüße{"a":1}'.encode()),
    )


def test_a_background_response_reports_nothing_until_it_is_fetched() -> None:
    queued = whole(id="resp_1", model="gpt-4o", status="queued", background=True, usage=None, output=[])
    assert (queued.usage, queued.complete) == (None, False)
    assert whole(id="resp_1", model="gpt-4o", status="completed", usage=USAGE).complete


def test_a_compaction_bills_though_it_names_no_model() -> None:
    reading = whole(id="resp_1", object="response.compaction", usage=USAGE, output=[])
    assert (reading.usage, reading.complete, reading.model) == (READ, True, "")


def test_stated_searches_count_more_than_those_seen() -> None:
    search = {"type": "web_search_call", "action": {"type": "search"}}
    opened = {"type": "web_search_call", "action": {"type": "open_page"}}
    seen = whole(status="completed", usage=USAGE, output=[search, opened, search]).usage
    stated = whole(
        status="completed",
        usage=USAGE,
        output=[search, search],
        tool_usage={"web_search": {"num_requests": 1}},
    ).usage
    assert seen is not None
    assert stated is not None
    assert (seen.web_searches, stated.web_searches) == (2, 1)


def test_searches_are_counted_while_it_streams() -> None:
    item = {"type": "response.output_item.done", "item": {"type": "web_search_call", "status": "completed"}}
    end = responses_stream(usage=USAGE)
    usage = read("openai.responses", sse(item, item, named=True) + end).usage
    assert usage is not None
    assert usage.web_searches == 2


def test_images_are_billed_apart_at_the_price_of_their_own_model() -> None:
    images = {"image_gen": {"input_tokens": 50, "output_tokens": 4000, "cached_tokens": 10}}
    made = Usage(input_tokens=50, cache_read_tokens=10, output_tokens=4000, output_image_tokens=4000)
    tools = [{"type": "function", "name": "f"}, {"type": "image_generation", "model": "gpt-image-2"}]
    assert whole(usage=USAGE, tool_usage=images, tools=tools).others == (("gpt-image-2", made),)
    assert whole(usage=USAGE, tool_usage=images).others == (("gpt-image-1", made),)
    assert whole(usage=USAGE, tool_usage={"image_gen": {"input_tokens": 0, "output_tokens": 0}}).others == ()


def test_an_error_event_leaves_it_incomplete() -> None:
    body = responses_stream(usage=USAGE)
    broken = body[: body.index(b"event: response.completed")] + sse(
        {"type": "error", "code": "x"}, named=True
    )
    reading = read("openai.responses", broken)
    assert (reading.usage, reading.complete) == (None, False)
    assert reading.output_bytes > 0


def test_deltas_of_a_strange_type_are_passed_over() -> None:
    body = sse(
        {"type": "response.shell_call_output_content.delta", "delta": {"stdout": "x"}},
        {"type": "response.output_text.delta", "delta": 5},
        {"type": "response.output_text.delta", "delta": "ok"},
    )
    assert read("openai.responses", body).output_bytes == 2


def test_what_fails_before_anything_was_generated_has_failed() -> None:
    error = {"code": "rate_limit_exceeded", "message": "Rate limit reached"}
    begun = {"type": "response.created", "response": {"id": "r", "status": "in_progress", "usage": None}}
    gone = {
        "type": "response.failed",
        "response": {"id": "r", "status": "failed", "usage": None, "error": error},
    }
    delta = {"type": "response.output_text.delta", "delta": "x"}
    assert read("openai.responses", sse(begun, gone)).failed
    assert read("openai.responses", sse(begun, {"type": "error", **error})).failed
    assert whole(id="r", status="failed", usage=None, error=error).failed
    assert not read("openai.responses", sse(begun, delta, gone)).failed
    assert not read("openai.responses", sse(begun)).failed
    assert not whole(id="r", status="failed", usage=USAGE).failed


def test_the_text_of_a_whole_response_is_counted() -> None:
    output = [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "aa"}]},
        {
            "type": "message",
            "content": [{"type": "output_text", "text": "bbb"}, {"type": "refusal", "refusal": "c"}],
        },
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "code_interpreter_call", "code": "1+1"},
    ]
    assert whole(status="completed", usage=USAGE, output=output).output_bytes == len(
        f"aabbbc{called('f')}{{}}1+1"
    )


def test_reasoning_counts_by_its_encrypted_form_and_not_by_its_summary() -> None:
    reasoning = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "aa"}],
        "encrypted_content": "A" * 4_000,
    }
    call = {"type": "function_call", "name": "f", "arguments": ""}
    stream = sse(
        {"type": "response.output_item.added", "item": {**reasoning, "encrypted_content": "A" * 900}},
        {"type": "response.reasoning_summary_text.delta", "delta": "aa"},
        {"type": "response.output_item.done", "item": reasoning},
        {"type": "response.output_item.added", "item": call},
        {"type": "response.output_item.done", "item": call},
    )
    for reading in (whole(output=[reasoning, call]), read("openai.responses", stream)):
        assert (reading.output_bytes, reading.sealed_bytes) == (len(f"{called('f')}"), 3_000 - 680)


def test_an_error_body_has_no_usage() -> None:
    assert whole(error={"message": "no", "type": "invalid_request_error"}) == Reading()


def test_searches_of_files_are_counted_once() -> None:
    item = {"type": "file_search_call", "status": "completed", "queries": ["a", "b"]}
    response = {"status": "completed", "usage": USAGE, "output": [item]}
    end = {"type": "response.completed", "response": response}
    seen = read("openai.responses", sse({"type": "response.output_item.done", "item": item}, end)).usage
    stated = whole(usage=USAGE, output=[item, item]).usage
    assert seen is not None
    assert stated is not None
    assert (seen.file_searches, stated.file_searches) == (1, 2)


def test_pictures_made_and_taken_in_are_told_apart() -> None:
    made = {
        "input_tokens": 50,
        "input_tokens_details": {"image_tokens": 30, "text_tokens": 20},
        "output_tokens": 4010,
        "output_tokens_details": {"image_tokens": 4000, "text_tokens": 10},
        "cached_tokens": 20,
        "cached_tokens_details": {"cached_image_tokens": 15, "cached_text_tokens": 5},
    }
    ((model, usage),) = whole(usage=USAGE, tool_usage={"image_gen": made}).others
    assert model == "gpt-image-1"
    assert usage == Usage(
        input_tokens=50,
        input_image_tokens=30,
        cache_read_tokens=20,
        cache_read_image_tokens=15,
        output_tokens=4010,
        output_image_tokens=4000,
    )


def test_a_charge_is_taken_as_it_is_stated() -> None:
    assert whole(usage={**USAGE, "cost_in_usd_ticks": 318_319_000}).cost_nusd == 31_831_900
    assert whole(usage={**USAGE, "cost": {"currency": "USD", "total_cost": 0.0055}}).cost_nusd == 5_500_000
    assert whole(usage=USAGE).cost_nusd is None
