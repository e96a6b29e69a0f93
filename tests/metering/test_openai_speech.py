"""Speech."""

import json
from typing import Any

import pytest

from budgetd.metering import Ask, Reading, Usage, meter, peek
from metering.exchanges import CODINGS, read, sse

SOUNDS = [
    b"ID3\x04\x00",
    b"RIFF\x24\x00\x00\x00WAVE",
    b'{"not": "json',
    b"[\x00\x01",
    b"data: x\n\n",
    b"\x00\x00\x00\x20ftyp",
]


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("content_type", ["audio/mpeg", "Audio/WAV"])
def test_sound_is_complete_and_says_nothing(sound: bytes, content_type: str) -> None:
    reader = meter("openai.speech", content_type)
    assert reader.finish() == Reading()
    assert read("openai.speech", sound + b"\n\n" + bytes(1000), content_type, "", 1) == Reading(complete=True)
    packed = CODINGS["gzip"](sound)
    assert read("openai.speech", packed, content_type, "gzip") == Reading(complete=True)


def test_sound_of_an_unknown_type_is_complete_too() -> None:
    assert read("openai.speech", b"\xff\xf3\x44" * 100, "application/octet-stream").complete


def test_a_stream_of_events_reports_at_its_end() -> None:
    delta = {"type": "speech.audio.delta", "audio": "UklG"}
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    done = {"type": "speech.audio.done", "usage": usage}
    assert read("openai.speech", sse(delta, delta)) == Reading()
    reading = read("openai.speech", sse(delta, done))
    spoken = Usage(input_tokens=14, output_tokens=101, output_audio_tokens=101)
    assert reading == Reading(usage=spoken, complete=True)


def test_an_error_is_not_complete() -> None:
    assert read("openai.speech", b'{"error":{"message":"no"}}', "application/json") == Reading()


def asked(**body: Any) -> Ask:
    return peek("openai.speech", "/v1/audio/speech", json.dumps(body).encode())


def test_a_request_says_what_is_to_be_spoken() -> None:
    ask = asked(model="tts-1", input="naïve 🌍", voice="alloy")
    assert (ask.model, ask.input_characters, ask.stream) == ("tts-1", 7, False)
    assert asked(model="gpt-4o-mini-tts", input="", stream_format="sse").stream
    assert not peek("openai.speech", "/v1/audio/speech", b"hello").understood
