"""Hand-made responses in the documented shapes, and the ways to send them: chunks, codings."""

import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import brotli
import zstandard

from budgetd.metering import Api, Reading, meter


def raw_deflate(body: bytes) -> bytes:
    codec = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return codec.compress(body) + codec.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": partial(brotli.compress, quality=1),
    "zstd": zstandard.compress,
}


def sse(*events: Any, named: bool = False, line_end: bytes = b"\n") -> bytes:
    """Events as a server sends them; a str is sent as it is."""
    out = b""
    for event in events:
        if named:
            out += b"event: " + event["type"].encode() + line_end
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        out += b"data: " + data.encode() + line_end * 2
    return out


def cut(body: bytes, seed: int) -> Iterator[bytes]:
    """`body` in random chunks, some of them of one byte."""
    dice = random.Random(seed)
    at = 0
    while at < len(body):
        length = dice.choice((1, 2, 7, 100, 1000, 5000))
        yield body[at : at + length]
        at += length


def read(
    api: Api, body: bytes, content_type: str = "text/event-stream", coding: str = "", seed: int | None = None
) -> Reading:
    """What a meter makes of a body, fed whole or in the chunks of `seed`."""
    reader = meter(api, content_type, coding)
    for chunk in [body] if seed is None else cut(body, seed):
        reader.feed(chunk)
        reader.progress()
    return reader.finish()


def anthropic_stream(*deltas: dict[str, Any], start: dict[str, Any], model: str = "claude-opus-4-8") -> bytes:
    """A message whose usage is `start`, then one report after the other."""
    message = {"id": "msg_1", "type": "message", "model": model, "content": [], "usage": start}
    return sse(
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "naïve €"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": "{}"},
        },
        {"type": "content_block_delta", "index": 1, "delta": {"type": "signature_delta", "signature": "abc"}},
        {"type": "content_block_stop", "index": 0},
        *({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": each} for each in deltas),
        {"type": "message_stop"},
        named=True,
    )


def chat_stream(*, usage: dict[str, Any] | None, text: tuple[str, ...] = ("Hel", "lo ☃")) -> bytes:
    """A chat completion in chunks, with a last chunk for the usage if there is any."""
    base = {"id": "chatcmpl-1", "model": "gpt-5.4-2026-03-05", "service_tier": "default"}
    chunks = [{**base, "choices": [{"index": 0, "delta": {"content": each}}], "usage": None} for each in text]
    if usage is not None:
        chunks.append({**base, "choices": [], "usage": usage})
    return sse(*chunks, "[DONE]")


def responses_stream(*, end: str = "response.completed", **response: Any) -> bytes:
    """A response in events; `response` is what the last one adds to it."""
    base = {
        "id": "resp_1",
        "model": "gpt-5.4",
        "status": "in_progress",
        "service_tier": "auto",
        "usage": None,
    }
    return sse(
        {"type": "response.created", "response": base},
        {"type": "response.output_text.delta", "delta": "Grüße"},
        {"type": "response.function_call_arguments.delta", "delta": '{"a":1}'},
        {"type": "response.audio.delta", "delta": "AAAAAAAA"},
        {"type": end, "response": {**base, "status": end.removeprefix("response."), **response}},
        named=True,
    )


def gemini_chunk(text: str, finish: str | None = None, **counts: Any) -> dict[str, Any]:
    """One chunk of a Gemini stream."""
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": counts,
        "modelVersion": "gemini-3-pro",
        "responseId": "r1",
    }


GEMINI_CHUNKS = [
    gemini_chunk('a "quoted" \\ [brace}', promptTokenCount=8, thoughtsTokenCount=419, totalTokenCount=427),
    gemini_chunk("{", promptTokenCount=8, totalTokenCount=8),
    gemini_chunk(
        "né", "STOP", promptTokenCount=427, candidatesTokenCount=122, thoughtsTokenCount=44,
        toolUsePromptTokenCount=771, cachedContentTokenCount=100, serviceTier="standard",
    ),
]  # fmt: skip


def json_array(chunks: list[dict[str, Any]]) -> bytes:
    """A Gemini stream without ``alt=sse``."""
    return b"[" + b"\n,\r\n".join(json.dumps(each, indent=2).encode() for each in chunks) + b"\n]"


def message(payload: bytes, kind: str = "event") -> bytes:
    """One message of Amazon's event stream."""
    name, value = b":event-type", kind.encode()
    headers = bytes([len(name)]) + name + b"\x07" + len(value).to_bytes(2, "big") + value
    prelude = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    whole = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + payload
    return whole + zlib.crc32(whole).to_bytes(4, "big")


def eventstream(*events: Any) -> bytes:
    """Events as Bedrock sends them."""
    return b"".join(message(json.dumps(event, ensure_ascii=False).encode()) for event in events)


def invoked(*events: Any) -> bytes:
    """A model's own events as Bedrock sends them."""
    packed = (base64.b64encode(json.dumps(event, ensure_ascii=False).encode()).decode() for event in events)
    return eventstream(*({"bytes": each, "p": "abc"} for each in packed))


def by_line(parts: list[dict[str, Any]]) -> bytes:
    """Documents as Ollama sends them."""
    return b"".join(json.dumps(part, ensure_ascii=False).encode() + b"\n" for part in parts)


def _cohere(kind: str, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": 0, "delta": {"message": message}}


COHERE_V2_EVENTS: list[dict[str, Any]] = [
    {"id": "m1", **_cohere("message-start", role="assistant", content=[], tool_plan="", tool_calls=[])},
    _cohere("tool-plan-delta", tool_plan="I plan."),
    _cohere("content-start", content={"type": "text", "text": ""}),
    _cohere("content-delta", content={"text": "né"}),
    {"type": "content-end", "index": 0},
    _cohere("tool-call-start", tool_calls={"id": "t", "function": {"name": "f", "arguments": ""}}),
    _cohere("tool-call-delta", tool_calls={"function": {"arguments": '{"a":1}'}}),
    _cohere("content-delta", content={"thinking": "hm"}),
    {
        "type": "message-end",
        "delta": {
            "finish_reason": "COMPLETE",
            "usage": {
                "billed_units": {"input_tokens": 12, "output_tokens": 36},
                "tokens": {"input_tokens": 212, "output_tokens": 36},
            },
        },
    },
]

COHERE_V1_EVENTS: list[dict[str, Any]] = [
    {"is_finished": False, "event_type": "stream-start", "generation_id": "g1"},
    {"is_finished": False, "event_type": "text-generation", "text": "Arr, "},
    {"is_finished": False, "event_type": "text-generation", "text": "matéy"},
    {
        "is_finished": False,
        "event_type": "tool-calls-chunk",
        "tool_call_delta": {"index": 0, "parameters": "{}"},
    },
    {
        "is_finished": True,
        "event_type": "stream-end",
        "finish_reason": "COMPLETE",
        "response": {
            "response_id": "r1",
            "text": "Arr, matéy",
            "meta": {
                "billed_units": {"input_tokens": 7, "output_tokens": 80, "search_units": 1},
                "tokens": {"input_tokens": 69, "output_tokens": 81},
            },
        },
    },
]

CONVERSE_EVENTS: list[dict[str, Any]] = [
    {"role": "assistant", "p": "abc"},
    {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}},
    {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "xyz"}}},
    {"contentBlockIndex": 1, "delta": {"text": "naïve"}},
    {"contentBlockIndex": 1},
    {"contentBlockIndex": 2, "start": {"toolUse": {"name": "f", "toolUseId": "t"}}},
    {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a":1}'}}},
    {"stopReason": "tool_use"},
    {
        "metrics": {"latencyMs": 753},
        "serviceTier": {"type": "priority"},
        "usage": {
            "inputTokens": 3,
            "outputTokens": 121,
            "cacheReadInputTokens": 1712,
            "cacheReadInputTokenCount": 1712,
            "cacheWriteInputTokens": 236,
            "cacheWriteInputTokenCount": 236,
            "cacheDetails": [{"inputTokens": 36, "ttl": "5m"}, {"inputTokens": 200, "ttl": "1h"}],
            "totalTokens": 2072,
        },
    },
]

OLLAMA_PARTS: list[dict[str, Any]] = [
    {"model": "llama3", "message": {"role": "assistant", "content": "naïve"}, "done": False},
    {"model": "llama3", "message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": False},
    {
        "model": "llama3",
        "message": {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
        "done": False,
    },
    {"model": "llama3", "message": {"content": ""}, "done": True, "prompt_eval_count": 17, "eval_count": 63},
]

COMPLETIONS_STREAM = sse(
    {"id": "cmpl-1", "model": "davinci-002", "choices": [{"text": "naïve ", "index": 0}]},
    {"id": "cmpl-1", "model": "davinci-002", "choices": [{"text": "{€}", "index": 0}]},
    {"id": "cmpl-1", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}},
    "[DONE]",
)

IMAGES_STREAM = sse(
    {"type": "image_generation.partial_image", "b64_json": "iVBO" * 300, "partial_image_index": 0},
    {
        "type": "image_generation.completed",
        "b64_json": "iVBO" * 300,
        "usage": {
            "input_tokens": 60,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 50},
            "output_tokens": 4160,
            "total_tokens": 4220,
        },
    },
    named=True,
)

SPEECH_STREAM = sse(
    {"type": "speech.audio.delta", "audio": "UklGR" * 50},
    {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115},
    },
)

TRANSCRIPTIONS_STREAM = sse(
    {"type": "transcript.text.delta", "delta": "naïve "},
    {"type": "transcript.text.delta", "delta": "€"},
    {
        "type": "transcript.text.done",
        "text": "naïve €",
        "usage": {
            "type": "tokens",
            "input_tokens": 14,
            "input_token_details": {"text_tokens": 2, "audio_tokens": 12},
            "output_tokens": 45,
            "total_tokens": 59,
        },
    },
)

BATCH_RESULTS: list[dict[str, Any]] = [
    {
        "custom_id": str(number),
        "result": {
            "type": "succeeded",
            "message": {
                "id": f"msg_{number}",
                "type": "message",
                "model": model,
                "content": [{"type": "text", "text": "naïve €"}],
                "usage": {"input_tokens": 10, "output_tokens": number, "service_tier": "batch"},
            },
        },
    }
    for number, model in enumerate(("claude-opus-4-8", "claude-haiku-4-5", "claude-opus-4-8"))
]

STREAMS: list[tuple[Api, str, bytes]] = [
    (
        "anthropic.messages",
        "text/event-stream",
        anthropic_stream(
            {"input_tokens": 404500, "output_tokens": 637, "server_tool_use": {"web_search_requests": 2}},
            start={"input_tokens": 2479, "output_tokens": 8, "cache_read_input_tokens": 5},
        ),
    ),
    (
        "openai.chat",
        "text/event-stream",
        chat_stream(usage={"prompt_tokens": 14, "completion_tokens": 8, "total_tokens": 22}),
    ),
    (
        "openai.responses",
        "text/event-stream",
        responses_stream(usage={"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}),
    ),
    ("gemini.generate", "text/event-stream", sse(*GEMINI_CHUNKS, line_end=b"\r\n")),
    ("gemini.generate", "application/json", json_array(GEMINI_CHUNKS)),
    ("openai.completions", "text/event-stream", COMPLETIONS_STREAM),
    ("openai.images", "text/event-stream", IMAGES_STREAM),
    ("openai.speech", "text/event-stream", SPEECH_STREAM),
    ("openai.transcriptions", "text/event-stream", TRANSCRIPTIONS_STREAM),
    ("anthropic.batches", "application/x-jsonl", by_line(BATCH_RESULTS)),
    ("cohere.chat", "text/event-stream", sse(*COHERE_V2_EVENTS, "[DONE]")),
    ("cohere.chat", "application/stream+json", by_line(COHERE_V1_EVENTS)),
    ("bedrock.converse", "application/vnd.amazon.eventstream", eventstream(*CONVERSE_EVENTS)),
    (
        "bedrock.invoke",
        "application/vnd.amazon.eventstream",
        invoked(
            {"generation": "né", "prompt_token_count": 9, "generation_token_count": 1},
            {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 12}},
        ),
    ),
    ("ollama.generate", "application/x-ndjson", by_line(OLLAMA_PARTS)),
]
"""One complete stream in every framing."""
