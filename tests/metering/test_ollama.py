"""Ollama: what requests ask for and responses report."""

import json
from typing import Any

import pytest

from budgetd.metering import Ask, Reading, Usage, peek
from metering.corpus import Exchange, each_recorded, read_thrice, reported
from metering.exchanges import OLLAMA_PARTS, by_line, read

each_exchange = each_recorded("ollama.chat", "ollama.generate")


@each_exchange
def test_a_recorded_response_is_read_as_it_was_reported(exchange: Exchange) -> None:
    counts = reported(exchange)
    reading = read_thrice("ollama.generate", exchange)
    assert reading.usage == Usage(
        input_tokens=counts["prompt_eval_count"], output_tokens=counts["eval_count"]
    )
    assert reading.complete
    assert reading.model == exchange["expected_usage_as_reported"]["model"]
    assert reading.output_bytes > 0


@each_exchange
def test_a_recorded_request_is_understood(exchange: Exchange) -> None:
    ask = peek("ollama.generate", exchange["path"], exchange["request_body"].encode())
    assert (ask.understood, ask.stream, ask.media) == (True, True, False)
    assert ask.model == exchange["expected_usage_as_reported"]["model"]


def test_a_stream_ends_with_its_counts() -> None:
    whole = read("ollama.generate", by_line(OLLAMA_PARTS), "application/x-ndjson")
    assert whole == Reading(
        usage=Usage(input_tokens=17, output_tokens=63),
        complete=True,
        model="llama3",
        output_bytes=len('naïvehm{"a": 1}'.encode()),
    )
    cut = read("ollama.generate", by_line(OLLAMA_PARTS[:-1]), "application/x-ndjson")
    assert (cut.usage, cut.complete, cut.output_bytes) == (None, False, whole.output_bytes)


def test_a_prompt_that_was_still_in_memory_is_not_counted() -> None:
    body = b'{"model":"m","response":"hi","done":true,"eval_count":2}'
    reading = read("ollama.generate", body, "application/json")
    assert (reading.usage, reading.complete) == (Usage(output_tokens=2), True)


def test_an_embedding_is_whole_without_being_done() -> None:
    body = b'{"model":"m","embeddings":[[0.1]],"prompt_eval_count":8}'
    reading = read("ollama.generate", body, "application/json")
    assert (reading.usage, reading.complete) == (Usage(input_tokens=8), True)


def test_an_error_has_no_usage() -> None:
    assert read("ollama.generate", b'{"error":"model not found"}', "application/json") == Reading()


@pytest.mark.parametrize(
    ("path", "embeds"), [("/api/chat", False), ("/api/generate", False), ("/api/embed", True)]
)
def test_what_a_request_asks_for(path: str, embeds: bool) -> None:
    def ask(**body: Any) -> Ask:
        return peek("ollama.generate", path, json.dumps({"model": "m", **body}).encode())

    assert ask().stream is not embeds
    assert not ask(stream=False).stream
    assert ask(options={"num_predict": 9}).output_cap == (0 if embeds else 9)
    assert ask(options={"num_predict": -1}).output_cap == (0 if embeds else None)
    assert ask(messages=[{"images": ["AAAA"]}]).media
    assert peek("ollama.generate", path, b"") == Ask(understood=False)
