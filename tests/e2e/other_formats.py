"""Exchanges that were never recorded, in the documented shapes: pictures, speech, transcriptions, batches,
and providers that speak OpenAI's dialect with a difference.
"""

import json
from typing import Any

from e2e.exchange import Exchange
from e2e.http_bytes import Headers
from metering.forms import form

JSON = "application/json"
SSE = "text/event-stream; charset=utf-8"

PICTURE = {
    "input_tokens": 60,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 50},
    "output_tokens": 4160,
    "total_tokens": 4220,
}
SPOKEN = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
HEARD = {
    "type": "tokens",
    "input_tokens": 140,
    "input_token_details": {"text_tokens": 20, "audio_tokens": 120},
    "output_tokens": 45,
    "total_tokens": 185,
}
LASTED = {"type": "duration", "seconds": 95}
REASONED = {
    "prompt_tokens": 32,
    "completion_tokens": 9,
    "total_tokens": 135,
    "prompt_tokens_details": {"text_tokens": 32, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 6},
    "completion_tokens_details": {"reasoning_tokens": 94, "audio_tokens": 0},
    "num_sources_used": 0,
}
CHARGED = {**REASONED, "cost_in_usd_ticks": 37_756_000}
OWN_KEY = {
    "prompt_tokens": 100,
    "completion_tokens": 10,
    "total_tokens": 110,
    "cost": 0.00005,
    "is_byok": True,
    "cost_details": {"upstream_inference_cost": 0.001},
}
UNASKED = {"prompt_tokens": 20, "total_tokens": 27, "completion_tokens": 7}


def others() -> list[Exchange]:
    """One exchange of each."""
    sound = form({"file": b"RIFF" + bytes(500), "model": "gpt-4o-transcribe"})
    whisper = form({"model": "whisper-1", "response_format": "verbose_json", "file": b"RIFF" + bytes(500)})
    edit = form({"model": "gpt-image-1.5", "image": b"\x89PNG\r\n\x1a\n" + bytes(500), "prompt": "a hat"})
    return [
        _openai(
            "picture",
            "/v1/images/generations",
            {"model": "gpt-image-1.5", "prompt": "a cat"},
            _json({"created": 1, "data": [{"b64_json": "iVBO" * 500}], "usage": PICTURE}),
            [PICTURE],
        ),
        _openai(
            "picture-stream",
            "/v1/images/edits",
            edit,
            _events(
                {"type": "image_edit.partial_image", "b64_json": "iVBO" * 500, "partial_image_index": 0},
                {"type": "image_edit.completed", "b64_json": "iVBO" * 500, "usage": PICTURE},
            ),
            [PICTURE],
        ),
        _openai(
            "speech",
            "/v1/audio/speech",
            {"model": "tts-1", "input": "Hello.", "voice": "alloy"},
            ("audio/mpeg", b"ID3\x04" + b"\xff\xf3" * 500),
            [],
        ),
        _openai(
            "speech-stream",
            "/v1/audio/speech",
            {"model": "gpt-4o-mini-tts", "input": "Hello.", "voice": "alloy", "stream_format": "sse"},
            _events(
                {"type": "speech.audio.delta", "audio": "UklG" * 200},
                {"type": "speech.audio.done", "usage": SPOKEN},
            ),
            [SPOKEN],
        ),
        _openai(
            "transcript",
            "/v1/audio/transcriptions",
            sound,
            _json({"text": "Grüße 🌍", "usage": HEARD}),
            [HEARD],
        ),
        _openai(
            "transcript-stream",
            "/v1/audio/transcriptions",
            sound,
            _events(
                {"type": "transcript.text.delta", "delta": "Grüße 🌍"},
                {"type": "transcript.text.done", "text": "Grüße 🌍", "usage": HEARD},
            ),
            [HEARD],
        ),
        _openai(
            "transcript-by-time",
            "/v1/audio/transcriptions",
            whisper,
            _json({"task": "transcribe", "duration": 94.7, "text": "Grüße", "usage": LASTED}),
            [LASTED],
        ),
        _openai(
            "batch",
            "/v1/messages/batches",
            {
                "requests": [
                    {
                        "custom_id": "a",
                        "params": {"model": "claude-sonnet-4-6", "max_tokens": 10, "messages": []},
                    }
                ]
            },
            _json({"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress"}),
            [],
            provider="anthropic",
        ),
        _chat("xai", "/v1/chat/completions", "grok-4.3", REASONED),
        _chat("xai", "/v1/chat/completions", "grok-4.3", CHARGED, id="xai-charged"),
        _chat("openrouter", "/api/v1/chat/completions", "openai/gpt-4o", OWN_KEY, id="own-key"),
        _chat("fireworks", "/v1/chat/completions", "accounts/fireworks/models/deepseek-v3p1", UNASKED),
    ]


def _chat(provider: str, path: str, model: str, usage: dict[str, Any], id: str = "") -> Exchange:
    """A stream whose last choice comes with the usage, unasked."""
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model}
    words = [{**chunk, "choices": [{"index": 0, "delta": {"content": each}}]} for each in ("Grüße", " 🌍")]
    last = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
    asked = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "stream": True}
    content_type, body = _events(*words, last)
    answer = (content_type, body + b"data: [DONE]\n\n")
    return _openai(id or provider, path, asked, answer, [usage], provider=provider)


def _openai(
    id: str,
    path: str,
    asked: dict[str, Any] | bytes,
    answer: tuple[str, bytes],
    reports: list[dict[str, Any]],
    provider: str = "openai",
) -> Exchange:
    sent = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    kind = JSON.encode() if isinstance(asked, dict) else b"multipart/form-data; boundary=x"
    headers: Headers = [(b"Content-Type", answer[0].encode()), (b"Transfer-Encoding", b"chunked")]
    return Exchange(
        id=f"made-{id}",
        provider=provider,
        path=path,
        request_headers=((b"content-type", kind),),
        request_body=sent,
        response_body=answer[1],
        response_headers=headers,
        reports=reports,
    )


def _json(document: Any) -> tuple[str, bytes]:
    return JSON, json.dumps(document, ensure_ascii=False).encode()


def _events(*events: dict[str, Any]) -> tuple[str, bytes]:
    return SSE, b"".join(b"data: " + _json(each)[1] + b"\n\n" for each in events)
