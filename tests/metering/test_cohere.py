"""Cohere: what requests ask for and responses report. Billed units are what counts."""

import json
from typing import Any

import pytest

from budgetd.metering import Ask, Reading, Usage, peek
from metering.corpus import Exchange, each_recorded, read_thrice, reported
from metering.exchanges import COHERE_V1_EVENTS, COHERE_V2_EVENTS, by_line, read, sse

APIS: dict[str, Any] = {
    "cohere.v1.chat": "cohere.chat",
    "cohere.v2.chat": "cohere.chat",
    "cohere.v2.embed": "cohere.embed",
}


@each_recorded(*APIS)
def test_a_recorded_response_is_read_as_it_was_billed(exchange: Exchange) -> None:
    billed = reported(exchange)["billed_units"]
    reading = read_thrice(APIS[exchange["endpoint"]], exchange)
    assert reading.usage == Usage(
        input_tokens=billed["input_tokens"], output_tokens=billed.get("output_tokens", 0)
    )
    assert reading.complete
    assert reading.response_id
    assert (reading.output_bytes > 0) == (exchange["endpoint"] != "cohere.v2.embed")


@each_recorded(*APIS)
def test_a_recorded_request_is_understood(exchange: Exchange) -> None:
    ask = peek(APIS[exchange["endpoint"]], exchange["path"], exchange["request_body"].encode())
    assert (ask.understood, ask.open_input, ask.server_tool_uses) == (True, False, 0)
    assert ask.model
    assert ask.stream == (exchange["wire"] == "sse")


def test_a_stream_of_the_second_version_ends_with_its_bill() -> None:
    assert read("cohere.chat", sse(*COHERE_V2_EVENTS, "[DONE]")) == Reading(
        usage=Usage(input_tokens=12, output_tokens=36),
        complete=True,
        response_id="m1",
        output_bytes=len('I plan.né{"a":1}hm'.encode()),
    )


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (by_line(COHERE_V1_EVENTS), "application/stream+json"),
        (by_line(COHERE_V1_EVENTS), ""),
        (sse(*COHERE_V1_EVENTS), "text/event-stream"),
    ],
)
def test_a_stream_of_the_first_version_does_not_count_its_text_twice(body: bytes, content_type: str) -> None:
    assert read("cohere.chat", body, content_type) == Reading(
        usage=Usage(input_tokens=7, output_tokens=80, search_units=1),
        complete=True,
        response_id="r1",
        output_bytes=len("Arr, matéy{}".encode()),
    )


def test_a_stream_that_breaks_off_has_no_bill() -> None:
    for body in (sse(*COHERE_V2_EVENTS[:-1]), by_line(COHERE_V1_EVENTS[:-1])):
        reading = read("cohere.chat", body)
        assert (reading.usage, reading.complete) == (None, False)
        assert reading.output_bytes > 0


def test_a_rerank_bills_its_search_units_and_an_embedding_its_pictures_too() -> None:
    ranked = {"id": "x", "results": [{"index": 0}], "meta": {"billed_units": {"search_units": 2}}}
    reading = read("cohere.rerank", json.dumps(ranked).encode(), "application/json")
    assert (reading.usage, reading.complete) == (Usage(search_units=2), True)
    units = {"input_tokens": 4, "image_tokens": 1000}
    embedded = {"id": "x", "embeddings": {"float": [[0.5]]}, "meta": {"billed_units": units}}
    reading = read("cohere.embed", json.dumps(embedded).encode(), "application/json")
    assert reading.usage == Usage(input_tokens=1004, input_image_tokens=1000)


@pytest.mark.parametrize(
    ("given", "usage", "cost_nusd"),
    [
        ({"cost": 0.001, "search_units": 1, "total_tokens": 150}, Usage(search_units=1), 1_000_000),
        (
            {"prompt_tokens": 1837, "completion_tokens": 0, "total_tokens": 1837},
            Usage(input_tokens=1837),
            None,
        ),
    ],
    ids=["openrouter", "together"],
)
def test_others_that_rank_count_in_their_own_way(
    given: dict[str, Any], usage: Usage, cost_nusd: int | None
) -> None:
    body = {"id": "x", "model": "m", "results": [{"index": 0, "relevance_score": 0.9}], "usage": given}
    reading = read("cohere.rerank", json.dumps(body).encode(), "application/json")
    assert (reading.usage, reading.cost_nusd, reading.complete) == (usage, cost_nusd, True)


def test_an_error_has_no_usage() -> None:
    assert read("cohere.chat", b'{"id":"x","message":"invalid request"}', "application/json") == Reading(
        response_id="x"
    )


def chat(**body: Any) -> Ask:
    return peek("cohere.chat", "/v2/chat", json.dumps(body).encode())


def test_what_a_chat_asks_for() -> None:
    ask = chat(
        model="command-a-03-2025", stream=True, max_tokens=50, messages=[{"role": "user", "content": "hi"}]
    )
    assert ask == Ask(model="command-a-03-2025", stream=True, output_cap=50, body_bytes=ask.body_bytes)
    assert chat(message="hi", connectors=[{"id": "web-search"}]).server_tool_uses is None
    assert chat(message="hi", conversation_id="c").open_input
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert chat(messages=[{"role": "user", "content": [picture]}]).open_input
    picture["image_url"] = {"url": "data:image/png;base64,AAAA"}
    inline = chat(messages=[{"role": "user", "content": [picture]}])
    assert (inline.open_input, inline.media) == (False, True)


def test_embedding_and_ranking_have_no_output_and_documents_are_counted() -> None:
    body = json.dumps({"model": "rerank-v3.5", "query": "q", "documents": ["a", {"text": "b"}]}).encode()
    ask = peek("cohere.rerank", "/v2/rerank", body)
    assert (ask.model, ask.documents, ask.output_cap) == ("rerank-v3.5", 2, 0)
    embed = peek("cohere.embed", "/v2/embed", b'{"model":"embed-v4.0","texts":["a"],"max_tokens":9}')
    assert (embed.model, embed.documents, embed.output_cap) == ("embed-v4.0", 0, 0)
    for api in ("cohere.chat", "cohere.embed", "cohere.rerank"):
        assert peek(api, "/", b"?") == Ask(understood=False, body_bytes=1)
