"""Anthropic Messages: what a response reports."""

import json

from budgetd.metering import Reading, Usage, meter
from budgetd.metering.text import CITATION, SIGNATURE_FRAME, called
from metering.exchanges import anthropic_stream, read, sse

START = {
    "input_tokens": 4,
    "cache_creation_input_tokens": 1165,
    "cache_read_input_tokens": 20,
    "cache_creation": {"ephemeral_5m_input_tokens": 165, "ephemeral_1h_input_tokens": 1000},
    "output_tokens": 1,
    "service_tier": "standard",
    "inference_geo": "us",
}


def test_the_last_report_wins_field_by_field() -> None:
    body = anthropic_stream({"output_tokens": 90}, {"output_tokens": 200, "input_tokens": 7}, start=START)
    assert read("anthropic.messages", body) == Reading(
        usage=Usage(
            input_tokens=7 + 1165 + 20,
            cache_read_tokens=20,
            cache_write_tokens=1165,
            cache_write_1h_tokens=1000,
            output_tokens=200,
        ),
        complete=True,
        model="claude-opus-4-8",
        service_tier="standard",
        geo="us",
        response_id="msg_1",
        output_bytes=len("naïve €hm{}".encode()),
    )


def test_nulls_and_nonsense_leave_the_former_report_in_force() -> None:
    nonsense = {
        "input_tokens": None,
        "cache_read_input_tokens": -5,
        "cache_creation": "?",
        "output_tokens": "33",
    }
    usage = read("anthropic.messages", anthropic_stream(nonsense, start=START)).usage
    assert usage == Usage(
        input_tokens=1189,
        cache_read_tokens=20,
        cache_write_tokens=1165,
        cache_write_1h_tokens=1000,
        output_tokens=33,
    )


def test_cache_writes_that_grow_without_their_split_count_as_the_dearer_kind() -> None:
    usage = read(
        "anthropic.messages", anthropic_stream({"cache_creation_input_tokens": 2000}, start=START)
    ).usage
    assert usage is not None
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == (2000, 1835)


def test_a_compaction_bills_on_top_and_an_advisor_apart() -> None:
    iterations = [
        {"type": "message", "input_tokens": 100, "output_tokens": 10},
        {"type": "compaction", "input_tokens": 55_000, "output_tokens": 196, "cache_read_input_tokens": 50},
        {"type": "advisor_message", "model": "claude-fable-5", "input_tokens": 7, "output_tokens": 1},
        {"type": "advisor_message", "model": "claude-fable-5", "input_tokens": 8, "output_tokens": 2},
        {"type": "something_new", "model": "claude-opus-4-8", "input_tokens": 1, "output_tokens": 1},
    ]
    start = {"input_tokens": 100, "output_tokens": 1}
    body = anthropic_stream({"output_tokens": 10, "iterations": iterations}, start=start)
    reading = read("anthropic.messages", body)
    assert reading.usage == Usage(input_tokens=55_151, cache_read_tokens=50, output_tokens=207)
    assert reading.others == (("claude-fable-5", Usage(input_tokens=15, output_tokens=3)),)


def test_a_fallbacks_message_is_within_the_totals() -> None:
    served = {
        "type": "fallback_message",
        "model": "claude-opus-4-8",
        "input_tokens": 100,
        "output_tokens": 10,
    }
    body = anthropic_stream({"output_tokens": 10, "iterations": [served]}, start={"input_tokens": 100})
    reading = read("anthropic.messages", body)
    assert (reading.usage, reading.others) == (Usage(input_tokens=100, output_tokens=10), ())


def test_searches_thinking_and_the_fast_mode_are_read() -> None:
    last = {
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 40},
        "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1},
        "speed": "fast",
    }
    reading = read("anthropic.messages", anthropic_stream(last, start={"inference_geo": "not_available"}))
    assert reading.usage == Usage(output_tokens=50, reasoning_tokens=40, web_searches=3)
    assert (reading.service_tier, reading.geo) == ("fast", "")


def test_a_stream_that_breaks_off_keeps_what_came() -> None:
    body = anthropic_stream({"output_tokens": 200}, start=START)
    reading = read("anthropic.messages", body[: body.index(b"event: message_delta")])
    assert reading.usage is not None
    assert reading.usage.output_tokens == 1
    assert reading.output_bytes == len("naïve €hm{}".encode())
    assert not reading.complete


def test_an_error_in_a_stream_leaves_it_incomplete() -> None:
    error = sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, named=True)
    reading = read("anthropic.messages", anthropic_stream({"output_tokens": 5}, start=START) + error)
    assert reading.usage is not None
    assert (reading.complete, reading.failed) == (False, False)


def test_progress_shows_what_streamed_so_far() -> None:
    body = anthropic_stream({"output_tokens": 200}, start=START)
    reader = meter("anthropic.messages", "text/event-stream")
    assert reader.progress() == Reading()
    reader.feed(body[: body.index(b"event: ping")])
    begun = reader.progress()
    assert begun.usage is not None
    assert (begun.usage.output_tokens, begun.output_bytes, begun.complete) == (1, 0, False)
    reader.feed(body[body.index(b"event: ping") :])
    assert reader.progress() == reader.finish() == reader.finish()


def test_a_whole_message_is_read_with_its_text() -> None:
    message = {
        "id": "msg_2",
        "type": "message",
        "model": "claude-haiku-4-5",
        "content": [
            {"type": "thinking", "thinking": "ab", "signature": "s"},
            {"type": "text", "text": "cdé"},
            {"type": "tool_use", "id": "t", "name": "n", "input": {"x": 1}},
        ],
        "usage": {**START, "output_tokens": 12},
    }
    reading = read("anthropic.messages", json.dumps(message).encode(), "application/json")
    assert reading.complete
    assert reading.output_bytes == 2 + 4 + len(f'{{"x": 1}}{called("n")}')
    assert reading.usage is not None
    assert reading.usage.output_tokens == 12


def test_a_call_counts_with_its_name_and_a_citation_as_what_it_takes_to_write_one() -> None:
    call = {"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}}
    result = {
        "type": "web_search_tool_result",
        "tool_use_id": "t",
        "content": [{"encrypted_content": "x" * 99}],
    }
    source = {"type": "web_search_result_location", "cited_text": "x" * 99, "url": "https://example.com"}
    body = sse(
        {"type": "content_block_start", "index": 0, "content_block": call},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": "{}"},
        },
        {"type": "content_block_start", "index": 1, "content_block": result},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation": source}},
        named=True,
    )
    length = len(f"{called('web_search')}{{}}{CITATION}")
    assert read("anthropic.messages", body).output_bytes == length
    content = [call, result, {"type": "text", "text": "", "citations": [source]}]
    message = json.dumps({"type": "message", "content": content}).encode()
    assert read("anthropic.messages", message).output_bytes == length


def test_thinking_that_is_not_shown_is_known_by_its_signature() -> None:
    signature = "A" * ((SIGNATURE_FRAME + 700) * 4 // 3)
    hidden = {"type": "thinking", "thinking": "", "signature": signature}
    summed_up = {"type": "thinking", "thinking": "x" * 250, "signature": signature}
    shown = {"type": "thinking", "thinking": "x" * 900, "signature": signature}
    message = json.dumps({"type": "message", "content": [hidden, summed_up, shown]}).encode()
    events = [
        {"type": "content_block_delta", "delta": {"type": f"{name}_delta", name: text}}
        for block in (hidden, summed_up, shown)
        for name, text in block.items()
        if name != "type"
    ]
    for body in (message, sse(*events, named=True)):
        reading = read("anthropic.messages", body)
        assert (reading.output_bytes, reading.sealed_bytes) == (1150, 700 + 450 + 0)


def test_an_error_body_has_no_usage() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"no"},"request_id":"r"}'
    assert read("anthropic.messages", body, "application/json") == Reading(failed=True)
    assert read("anthropic.messages", sse(json.loads(body), named=True)) == Reading(failed=True)
