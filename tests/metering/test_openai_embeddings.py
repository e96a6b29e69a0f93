"""Embeddings, OpenAI's way."""

import json
from typing import Any

import pytest

from budgetd.metering import Ask, Reading, Usage, peek
from metering.exchanges import read

DATA = [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}]


def whole(**body: Any) -> Reading:
    return read("openai.embeddings", json.dumps(body).encode(), "application/json")


def test_its_input_is_all_it_bills() -> None:
    reading = whole(data=DATA, model="text-embedding-3-large", usage={"prompt_tokens": 8, "total_tokens": 8})
    assert reading == Reading(usage=Usage(input_tokens=8), complete=True, model="text-embedding-3-large")


@pytest.mark.parametrize(
    ("usage", "read_usage"),
    [
        ({"total_tokens": 9}, Usage(input_tokens=9)),
        ({"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}, Usage(input_tokens=9)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"image_tokens": 4}},
            Usage(input_tokens=9, input_image_tokens=4),
        ),
        ({}, Usage()),
    ],
)
def test_others_report_a_total_or_pictures(usage: dict[str, Any], read_usage: Usage) -> None:
    assert whole(data=DATA, usage=usage).usage == read_usage


def test_a_stated_cost_is_kept() -> None:
    assert whole(data=DATA, usage={"prompt_tokens": 9, "cost": 0.00000018}).cost_nusd == 180


def test_without_a_report_it_is_not_complete() -> None:
    assert whole(data=DATA) == Reading()
    assert whole(error={"message": "no"}) == Reading()


def test_a_request_has_no_output() -> None:
    body = json.dumps({"model": "m", "input": ["a", "b"], "dimensions": 8}).encode()
    assert peek("openai.embeddings", "/v1/embeddings", body) == Ask(
        model="m", output_cap=0, body_bytes=len(body)
    )
