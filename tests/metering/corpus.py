"""Recorded exchanges by their endpoints, and a check that holds for all of them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from budgetd.metering import Api, Reading
from metering.exchanges import read

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "recorded.jsonl"
WHY_SKIPPED = "the recorded corpus is not here (../shared/corpus)"

Exchange = dict[str, Any]


def recorded(*endpoints: str) -> list[Exchange]:
    """The recorded exchanges of these endpoints; none where the corpus is not here."""
    lines = CORPUS.read_text().splitlines() if CORPUS.exists() else []
    exchanges: list[Exchange] = [json.loads(line) for line in lines]
    return [each for each in exchanges if each["endpoint"] in endpoints]


def each_recorded(*endpoints: str) -> pytest.MarkDecorator:
    """Runs a test for each recorded exchange of these endpoints; skips it where there are none."""
    found = [pytest.param(each, id=f"{each['endpoint']}-{each['id']}") for each in recorded(*endpoints)]
    missing = pytest.param(None, marks=pytest.mark.skip(reason=WHY_SKIPPED))
    return pytest.mark.parametrize("exchange", found or [missing])


def read_thrice(api: Api, exchange: Exchange) -> Reading:
    """What is read of a response, which three ways to cut it, and a missing content type, do not change."""
    headers = {key.lower(): value for key, value in exchange["response_headers"]}
    body = base64.b64decode(exchange["response_body"])
    kind, coding = headers.get("content-type", ""), headers.get("content-encoding", "")
    reading = read(api, body, kind, coding)
    for seed in range(3):
        assert read(api, body, kind, coding, seed) == reading
        assert read(api, body, "", coding, seed) == reading
    return reading


def reported(exchange: Exchange) -> dict[str, Any]:
    """The usage the provider sent first; empty where it sent none."""
    reports = exchange["expected_usage_as_reported"]["reports"]
    return reports[0]["usage"] if reports else {}
