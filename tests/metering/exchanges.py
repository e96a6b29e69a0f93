"""Hand-made responses in the documented shapes, and the ways to send them: chunks, codings."""

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
]
"""One complete stream in every framing."""
