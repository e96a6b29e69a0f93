"""Transcriptions and translations."""

import json
from typing import Any

import pytest

from budgetd.metering import Reading, Usage, peek
from metering.exchanges import read, sse
from metering.forms import form

TOKENS = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 2, "audio_tokens": 12},
    "output_tokens": 45,
    "total_tokens": 59,
}
HEARD = Usage(input_tokens=14, input_audio_tokens=12, output_tokens=45)


def whole(**body: Any) -> Reading:
    return read("openai.transcriptions", json.dumps(body).encode(), "application/json")


def test_tokens_are_told_apart() -> None:
    assert whole(text="naïve", usage=TOKENS) == Reading(usage=HEARD, complete=True, output_bytes=6)


@pytest.mark.parametrize(
    ("body", "ms"),
    [
        ({"usage": {"type": "duration", "seconds": 9}}, 9_000),
        ({"usage": {"type": "duration", "seconds": 8.4701}}, 8_471),
        ({"duration": 8.470000267028809, "language": "english"}, 8_471),
        ({"duration": "8.47"}, 8_470),
        ({"duration": 9.2, "usage": {"type": "duration", "seconds": 10}}, 10_000),
    ],
)
def test_the_time_is_read_where_that_is_billed(body: dict[str, Any], ms: int) -> None:
    reading = whole(text="", **body)
    assert reading == Reading(usage=Usage(input_audio_ms=ms), complete=True)


@pytest.mark.parametrize("duration", [-1, 1e300, "NaN", None, [], 0])
def test_a_strange_time_is_none(duration: Any) -> None:
    assert whole(text="", duration=duration) == Reading()


def test_mistral_counts_both() -> None:
    usage = {"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635, "total_tokens": 3264}
    reading = whole(model="voxtral-mini-latest", text="", usage=usage)
    assert reading.usage == Usage(input_tokens=4, output_tokens=635, input_audio_ms=203_000)
    assert reading.model == "voxtral-mini-latest"


def test_a_stated_cost_is_kept() -> None:
    assert whole(text="", usage={"cost": 0.000508, "input_tokens": 83, "seconds": 9.2}).cost_nusd == 508_000


def test_a_stream_reports_at_its_end() -> None:
    deltas = [{"type": "transcript.text.delta", "delta": each} for each in ("na", "ïve")]
    done = {"type": "transcript.text.done", "text": "naïve", "usage": TOKENS}
    assert read("openai.transcriptions", sse(*deltas)) == Reading(output_bytes=6)
    assert read("openai.transcriptions", sse(*deltas, done)) == Reading(
        usage=HEARD, complete=True, output_bytes=6
    )


@pytest.mark.parametrize(
    "body", [b"Hello there.\n", b"data is text too", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi"]
)
def test_plain_text_tells_nothing(body: bytes) -> None:
    assert read("openai.transcriptions", body, "text/plain") == Reading()


@pytest.mark.parametrize("path", ["transcriptions", "translations"])
def test_a_form_is_understood(path: str) -> None:
    body = form({"file": b"RIFF" + bytes(1000), "model": "gpt-4o-transcribe", "stream": "true"})
    ask = peek("openai.transcriptions", f"/v1/audio/{path}", body)
    assert (ask.model, ask.stream, ask.media, ask.open_input) == ("gpt-4o-transcribe", True, True, False)
    assert (ask.understood, ask.body_bytes) == (True, len(body))


def test_the_model_of_a_deployment_stands_in_the_path() -> None:
    target = "/deployments/whisper/audio/transcriptions?api-version=1"
    assert peek("openai.transcriptions", target, form({"file": b"x"})).model == "whisper"


def test_sound_that_is_elsewhere_opens_the_input() -> None:
    for body in (
        form({"model": "m", "file_url": "https://example.com/a.mp3"}),
        b'{"model":"m","file_id":"f"}',
    ):
        assert peek("openai.transcriptions", "/v1/audio/transcriptions", body).open_input


def test_other_bodies_are_not_understood() -> None:
    assert not peek("openai.transcriptions", "/v1/audio/transcriptions", b"RIFF").understood
