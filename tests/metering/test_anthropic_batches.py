"""Batches of messages."""

import gzip
import json
from typing import Any

from budgetd.metering import Ask, Reading, Usage, peek
from budgetd.metering.asks.anthropic_batches import MOST_MODELS
from metering.exchanges import read

BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    "results_url": None,
}


def succeeded(model: str, text: str = "hi", **usage: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "model": model, "content": [{"type": "text", "text": text}]}
    message["usage"] = {"service_tier": "batch", **usage}
    return {"custom_id": "c", "result": {"type": "succeeded", "message": message}}


def failed(kind: str) -> dict[str, Any]:
    return {"custom_id": "c", "result": {"type": kind}}


def results(*lines: dict[str, Any], seed: int | None = None) -> Reading:
    body = b"".join(json.dumps(each).encode() + b"\n" for each in lines)
    return read("anthropic.batches", body, "application/x-jsonl", "", seed)


def asked(*params: dict[str, Any]) -> Ask:
    body = {"requests": [{"custom_id": str(at), "params": each} for at, each in enumerate(params)]}
    return peek("anthropic.batches", "/v1/messages/batches", json.dumps(body).encode())


def test_a_new_batch_is_known_by_its_id() -> None:
    for indent in (None, 2):
        reading = read("anthropic.batches", json.dumps(BATCH, indent=indent).encode(), "application/json")
        assert reading == Reading(response_id="msgbatch_1", service_tier="batch", pending=True)


def test_results_are_summed_up_by_model() -> None:
    lines = [
        succeeded("claude-opus-4-8", input_tokens=10, cache_read_input_tokens=90, output_tokens=5),
        succeeded("claude-haiku-4-5", "na", input_tokens=1, output_tokens=2),
        failed("expired"),
        succeeded("claude-opus-4-8", "né", input_tokens=20, output_tokens=7),
        failed("errored"),
        failed("canceled"),
    ]
    reading = results(*lines)
    assert reading == Reading(
        usage=Usage(input_tokens=120, cache_read_tokens=90, output_tokens=12),
        others=(("claude-haiku-4-5", Usage(input_tokens=1, output_tokens=2)),),
        complete=True,
        model="claude-opus-4-8",
        service_tier="batch",
        output_bytes=7,
    )
    for seed in range(5):
        assert results(*lines, seed=seed) == reading


def test_results_say_where_they_were_made() -> None:
    assert results(succeeded("m", input_tokens=1, inference_geo="us"), failed("expired")).geo == "us"


def test_results_that_cannot_be_read_to_their_end_are_not_all() -> None:
    line = json.dumps(succeeded("m", input_tokens=1)).encode() + b"\n"
    reading = read("anthropic.batches", gzip.compress(line) + b"no gzip", "application/x-jsonl", "gzip")
    assert (reading.usage, reading.complete) == (Usage(input_tokens=1), False)


def test_results_that_all_failed_bill_nothing() -> None:
    assert results(failed("expired"), failed("errored")) == Reading(
        usage=Usage(), complete=True, service_tier="batch"
    )


def test_models_without_end_are_not_all_told_apart() -> None:
    reading = results(*(succeeded(f"m{number}", input_tokens=1) for number in range(3 * MOST_MODELS)))
    assert reading.usage is not None
    assert (len(reading.others), reading.usage.input_tokens) == (MOST_MODELS - 1, 1 + 2 * MOST_MODELS)


def test_a_batch_asks_for_all_that_its_requests_do() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    part = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    ask = asked(
        {"model": "claude-opus-4-8", "max_tokens": 100, "messages": []},
        {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": [], "tools": [search]},
        {"model": "claude-opus-4-8", "max_tokens": 1, "messages": [{"role": "user", "content": [part]}]},
    )
    assert ask == Ask(
        model="claude-opus-4-8",
        others=("claude-haiku-4-5",),
        requests=3,
        output_cap=151,
        open_input=True,
        server_tool_uses=3,
        service_tier="batch",
        body_bytes=ask.body_bytes,
    )


def test_a_request_without_a_bound_leaves_the_batch_without_one() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    assert asked({"model": "m", "max_tokens": 1}, {"model": "m"}).output_cap is None
    assert asked({"model": "m", "max_tokens": 1}, {"model": "m", "tools": [search]}).server_tool_uses is None


def test_a_batch_of_nothing_is_not_understood() -> None:
    assert not asked().understood
    for body in (b'{"requests":[{"custom_id":"a"}]}', b'{"requests":[7]}', b"{}", b"[]"):
        assert not peek("anthropic.batches", "/v1/messages/batches", body).understood
