"""Gemini: what a response reports, in both framings."""

import json
from typing import Any

import pytest

from budgetd.metering import Reading, Usage
from metering.exchanges import GEMINI_CHUNKS, gemini_chunk, json_array, read, sse

WHOLE = Reading(
    usage=Usage(
        input_tokens=427 + 771,
        cache_read_tokens=100,
        output_tokens=122 + 419,
        reasoning_tokens=419,
    ),
    complete=True,
    model="gemini-3-pro",
    service_tier="standard",
    response_id="r1",
    output_bytes=len('a "quoted" \\ [brace}{né'.encode()),
)


def whole(**response: Any) -> Reading:
    return read("gemini.generate", json.dumps(response).encode(), "application/json")


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_both_framings_say_the_same_and_the_largest_counts_win(seed: int | None) -> None:
    assert read("gemini.generate", sse(*GEMINI_CHUNKS), "text/event-stream", seed=seed) == WHOLE
    assert read("gemini.generate", json_array(GEMINI_CHUNKS), "application/json", seed=seed) == WHOLE


@pytest.mark.parametrize("content_type", ["", "text/plain", "text/event-stream", "application/json"])
def test_a_wrong_content_type_does_not_matter(content_type: str) -> None:
    assert read("gemini.generate", json_array(GEMINI_CHUNKS), content_type) == WHOLE
    assert read("gemini.generate", sse(*GEMINI_CHUNKS), content_type) == WHOLE


def test_a_stream_that_breaks_off_is_incomplete() -> None:
    for body in (json_array(GEMINI_CHUNKS), sse(*GEMINI_CHUNKS)):
        reading = read("gemini.generate", body[: body.index(b"771")])
        assert not reading.complete
        assert reading.usage == Usage(input_tokens=8, output_tokens=419, reasoning_tokens=419)


def test_audio_is_told_from_text() -> None:
    counts = {
        "promptTokenCount": 100,
        "candidatesTokenCount": 30,
        "cachedContentTokenCount": 50,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 40},
            {"modality": "AUDIO", "tokenCount": 60},
        ],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}],
    }
    assert whole(usageMetadata=counts).usage == Usage(
        input_tokens=100,
        cache_read_tokens=50,
        input_audio_tokens=60,
        cache_read_audio_tokens=20,
        output_tokens=30,
        output_audio_tokens=30,
    )


def test_search_queries_are_counted_once_though_chunks_repeat_them() -> None:
    chunk = gemini_chunk("x", promptTokenCount=1)
    chunk["candidates"][0]["groundingMetadata"] = {"webSearchQueries": ["a", "b"]}
    usage = read("gemini.generate", json_array([chunk, chunk])).usage
    assert usage is not None
    assert usage.web_searches == 2


@pytest.mark.parametrize(
    ("model", "billed"),
    [("gemini-2.5-pro", 1), ("gemini-2.0-flash-001", 1), ("gemini-3-pro", 2), ("gemini-3.1-pro", 2), ("", 2)],
)
def test_older_models_bill_a_prompt_once_however_often_they_searched(model: str, billed: int) -> None:
    chunk = gemini_chunk("x", promptTokenCount=1)
    chunk["modelVersion"] = model
    assert read("gemini.generate", sse(chunk)).usage == Usage(input_tokens=1)
    chunk["candidates"][0]["groundingMetadata"] = {"webSearchQueries": ["a", "b"]}
    assert read("gemini.generate", sse(chunk)).usage == Usage(input_tokens=1, web_searches=billed)


def test_calls_and_code_count_as_output() -> None:
    parts = [
        {"functionCall": {"name": "f", "args": {"x": 1}}},
        {"executableCode": {"code": "1+1"}},
        {"text": "é"},
    ]
    reading = whole(candidates=[{"content": {"parts": parts}}], usageMetadata={})
    assert reading.output_bytes == len('{"x": 1}') + 3 + 2


def test_a_blocked_prompt_is_complete() -> None:
    chunk = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}
    reading = read("gemini.generate", sse(chunk))
    assert (reading.usage, reading.complete) == (Usage(input_tokens=9), True)


def test_an_error_has_no_usage_in_either_framing() -> None:
    error = {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}
    assert whole(**error) == Reading(failed=True)
    assert read("gemini.generate", json_array([error])) == Reading(failed=True)
    assert not read("gemini.generate", json_array([gemini_chunk("x"), error])).failed


def test_modalities_are_told_apart() -> None:
    usage = whole(
        candidates=[],
        usageMetadata={
            "promptTokenCount": 1000,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 100},
                {"modality": "IMAGE", "tokenCount": 600},
                {"modality": "AUDIO", "tokenCount": 100},
                {"modality": "VIDEO", "tokenCount": 200},
            ],
            "cachedContentTokenCount": 300,
            "cacheTokensDetails": [{"modality": "IMAGE", "tokenCount": 258}, {"modality": "VIDEO"}],
            "candidatesTokenCount": 1300,
            "candidatesTokensDetails": [
                {"modality": "IMAGE", "tokenCount": 1290},
                {"modality": "TEXT", "tokenCount": 10},
            ],
        },
    ).usage
    assert usage == Usage(
        input_tokens=1000,
        input_image_tokens=600,
        input_audio_tokens=100,
        cache_read_tokens=300,
        cache_read_image_tokens=258,
        output_tokens=1300,
        output_image_tokens=1290,
    )
