"""Gemini's embeddings, and Vertex AI's predictions."""

import json
from typing import Any

import pytest

from budgetd.metering import Ask, Reading, Usage, peek
from metering.exchanges import read


def whole(**body: Any) -> Reading:
    return read("gemini.embed", json.dumps(body).encode(), "application/json")


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"embedding": {"values": [0.1]}, "usageMetadata": {"promptTokenCount": 5}}, Usage(input_tokens=5)),
        (
            {
                "embeddings": [{"values": [0.1]}],
                "usageMetadata": {
                    "promptTokenCount": 700,
                    "promptTokensDetails": [
                        {"modality": "IMAGE", "tokenCount": 258},
                        {"modality": "AUDIO", "tokenCount": 42},
                        {"modality": "TEXT", "tokenCount": 400},
                    ],
                },
            },
            Usage(input_tokens=700, input_image_tokens=258, input_audio_tokens=42),
        ),
        (
            {
                "embeddings": [
                    {"statistics": {"tokenCount": 4.0}},
                    {"statistics": {"tokenCount": 3, "truncated": False}},
                ]
            },
            Usage(input_tokens=7),
        ),
        (
            {"predictions": [{"embeddings": {"statistics": {"token_count": 4.0}, "values": [0.1]}}] * 2},
            Usage(input_tokens=8),
        ),
        (
            {"predictions": [{"bytesBase64Encoded": "iVBO", "mimeType": "image/png"}, {"gcsUri": "gs://a"}]},
            Usage(images=2),
        ),
    ],
)
def test_what_is_reported_is_read(body: dict[str, Any], usage: Usage) -> None:
    assert whole(**body) == Reading(usage=usage, complete=True)


@pytest.mark.parametrize(
    "body",
    [
        {"embedding": {"values": [0.1]}},
        {"embeddings": []},
        {"predictions": [{"textEmbedding": [0.1]}]},
    ],
)
def test_what_reports_nothing_is_complete_all_the_same(body: dict[str, Any]) -> None:
    assert whole(**body) == Reading(complete=True)


def test_an_error_is_not_complete() -> None:
    assert whole(error={"code": 400}) == Reading()


def asked(target: str, **body: Any) -> Ask:
    return peek("gemini.embed", target, json.dumps(body).encode())


def test_a_request_has_no_output() -> None:
    ask = asked("/v1beta/models/gemini-embedding-001:batchEmbedContents?key=k", requests=[{"content": {}}])
    assert (ask.model, ask.output_cap, ask.images, ask.understood) == ("gemini-embedding-001", 0, 0, True)
    assert not peek("gemini.embed", "/v1beta/models/m:embedContent", b"x").understood


@pytest.mark.parametrize(
    ("model", "cap"), [("text-embedding-005", 0), ("imagen-4.0", 0), ("text-bison", None), ("123456", None)]
)
def test_only_what_embeds_or_draws_is_known_not_to_write(model: str, cap: int | None) -> None:
    target = f"/v1/projects/p/locations/l/publishers/google/models/{model}:predict"
    assert asked(target, instances=[]).output_cap == cap


def test_pictures_are_asked_for_by_their_number() -> None:
    assert asked("/v1beta/models/imagen-4.0:predict", parameters={"sampleCount": 4}).images == 4
    assert asked("/v1beta/models/imagen-4.0:predict", instances=[]).images == 1


def test_a_file_that_is_elsewhere_opens_the_input() -> None:
    part = {"parts": [{"fileData": {"fileUri": "gs://a"}}]}
    assert asked("/v1beta/models/gemini-embedding-2:embedContent", content=part).open_input
