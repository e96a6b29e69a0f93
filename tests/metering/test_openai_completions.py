"""OpenAI's older Completions."""

import json
from typing import Any

import pytest

from budgetd.metering import Ask, Usage, peek
from metering.exchanges import read, sse

USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def asked(**body: Any) -> Ask:
    return peek("openai.completions", "/v1/completions", json.dumps(body).encode())


def chunk(text: str, **more: Any) -> dict[str, Any]:
    choices = [{"text": text, "index": 0, "finish_reason": None}]
    return {"id": "cmpl-1", "object": "text_completion", "model": "davinci-002", "choices": choices, **more}


def test_a_whole_completion_is_read() -> None:
    reading = read("openai.completions", json.dumps(chunk("naïve", usage=USAGE)).encode(), "application/json")
    assert reading.usage == Usage(input_tokens=5, output_tokens=7)
    assert (reading.complete, reading.output_bytes, reading.response_id) == (True, 6, "cmpl-1")


def test_a_stream_with_its_usage_is_read() -> None:
    reading = read("openai.completions", sse(chunk("a"), chunk("bc"), chunk("", usage=USAGE), "[DONE]"))
    assert reading.usage == Usage(input_tokens=5, output_tokens=7)
    assert (reading.complete, reading.output_bytes, reading.model) == (True, 3, "davinci-002")


def test_a_stream_without_usage_counts_what_it_wrote() -> None:
    reading = read("openai.completions", sse(chunk("a"), chunk("bc")))
    assert (reading.usage, reading.complete, reading.output_bytes) == (None, False, 3)


@pytest.mark.parametrize(
    ("body", "cap", "choices"),
    [
        ({"prompt": "a", "max_tokens": 16}, 16, 1),
        ({"prompt": "a", "max_tokens": 16, "n": 2}, 32, 2),
        ({"prompt": "a", "max_tokens": 16, "n": 2, "best_of": 3}, 48, 3),
        ({"prompt": ["a", "b"], "max_tokens": 16, "n": 2}, 64, 4),
        ({"prompt": [[1, 2], [3]], "max_tokens": 16}, 32, 2),
        ({"prompt": [1, 2, 3], "max_tokens": 16}, 16, 1),
        ({"prompt": [], "max_tokens": 16}, 16, 1),
        ({"prompt": ["a", "b"]}, None, 2),
        ({}, None, 1),
    ],
)
def test_every_prompt_and_every_try_may_write_its_cap(
    body: dict[str, Any], cap: int | None, choices: int
) -> None:
    ask = asked(**body)
    assert (ask.output_cap, ask.choices) == (cap, choices)


def test_the_model_of_a_deployment_stands_in_the_path() -> None:
    target = "/openai/deployments/my%20own/completions?api-version=1"
    assert peek("openai.completions", target, b'{"prompt":"a"}').model == "my own"
    assert peek("openai.completions", target, b'{"prompt":"a","model":"m"}').model == "m"
