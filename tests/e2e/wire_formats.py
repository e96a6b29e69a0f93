"""Questions and answers in the wire formats of the four metered APIs, made by hand.

Answers bill what they are told to, and hold characters of every UTF-8 length.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

Api = Literal["anthropic.messages", "openai.chat", "openai.responses", "gemini.generate"]
APIS: tuple[Api, ...] = ("anthropic.messages", "openai.chat", "openai.responses", "gemini.generate")

MODELS: dict[Api, tuple[str, str]] = {
    "anthropic.messages": ("anthropic", "claude-sonnet-4-6"),
    "openai.chat": ("openai", "gpt-4o"),
    "openai.responses": ("openai", "gpt-4o"),
    "gemini.generate": ("gemini", "gemini-2.5-pro"),
}
"""A provider and a model of it, at some $10 to $15 a million output tokens."""

WORDS = ("Grüße", " – ", "你好", ", ", "🌍🌒", " and the rest.")

JSON = "application/json"
SSE = "text/event-stream; charset=utf-8"


@dataclass(frozen=True)
class Body:
    """A response's body, and the usage objects in it."""

    content_type: str
    body: bytes
    reports: list[dict[str, Any]]


def path_of(api: Api, model: str, *, stream: bool) -> str:
    if api == "gemini.generate":
        return f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")
    return {
        "anthropic.messages": "/v1/messages",
        "openai.chat": "/v1/chat/completions",
        "openai.responses": "/v1/responses",
    }[api]


def question(api: Api, model: str, cap: int, *, stream: bool, text: str = "Say hello.") -> dict[str, Any]:
    """A request's body that allows so many output tokens."""
    if api == "gemini.generate":
        return {"contents": [{"parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": cap}}
    if api == "openai.responses":
        return {"model": model, "input": text, "max_output_tokens": cap, "stream": stream}
    named = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    if api == "anthropic.messages":
        return {**named, "max_tokens": cap}
    return {
        **named,
        "max_completion_tokens": cap,
        "stream_options": {"include_usage": True} if stream else None,
    }


def cap_of(body: dict[str, Any]) -> int:
    """The output tokens a request's body allows."""
    config = body.get("generationConfig", body)
    names = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
    return next(config[name] for name in names if config.get(name))


def answer(api: Api, model: str, tokens_in: int, tokens_out: int, *, stream: bool) -> Body:
    """An answer that bills so many tokens."""
    made = {
        "anthropic.messages": (_anthropic_whole, _anthropic_stream),
        "openai.chat": (_chat_whole, _chat_stream),
        "openai.responses": (_responses_whole, _responses_stream),
        "gemini.generate": (_gemini_whole, _gemini_stream),
    }[api][stream]
    return made(model, tokens_in, tokens_out)


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _events(events: list[dict[str, Any]], *, end: str = "\n", named: bool = False) -> bytes:
    lines: list[bytes] = []
    for event in events:
        name = f"event: {event['type']}{end}".encode() if named else b""
        lines.append(name + b"data: " + _json(event) + 2 * end.encode())
    return b"".join(lines)


# Anthropic Messages: every class of token there is


def _anthropic_usage(tokens_in: int, tokens_out: int) -> dict[str, Any]:
    read, for_5m, for_1h = tokens_in // 3, tokens_in // 8, tokens_in // 12
    return {
        "input_tokens": tokens_in - read - for_5m - for_1h,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": for_5m + for_1h,
        "cache_creation": {"ephemeral_5m_input_tokens": for_5m, "ephemeral_1h_input_tokens": for_1h},
        "output_tokens": tokens_out,
        "service_tier": "standard",
    }


def _anthropic_whole(model: str, tokens_in: int, tokens_out: int) -> Body:
    usage = _anthropic_usage(tokens_in, tokens_out)
    content = [{"type": "text", "text": "".join(WORDS)}]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content}
    return Body(
        JSON, _json({**message, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}), [usage]
    )


def _anthropic_stream(model: str, tokens_in: int, tokens_out: int) -> Body:
    first, last = _anthropic_usage(tokens_in, 1), {"output_tokens": tokens_out}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": first}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
        for word in WORDS
    ]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": last,
        },
        {"type": "message_stop"},
    ]
    return Body(SSE, _events(events, named=True), [first, last])


# OpenAI Chat Completions


def _chat_usage(tokens_in: int, tokens_out: int) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": tokens_in // 2},
        "completion_tokens_details": {"reasoning_tokens": tokens_out // 3},
    }


def _chat_whole(model: str, tokens_in: int, tokens_out: int) -> Body:
    usage = _chat_usage(tokens_in, tokens_out)
    message = {"role": "assistant", "content": "".join(WORDS)}
    completion = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model}
    completion["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return Body(JSON, _json({**completion, "usage": usage}), [usage])


def _chat_stream(model: str, tokens_in: int, tokens_out: int) -> Body:
    usage = _chat_usage(tokens_in, tokens_out)
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    chunks = [
        {**chunk, "choices": [{"index": 0, "delta": {"content": word}}], "usage": None} for word in WORDS
    ]
    chunks.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None})
    chunks.append({**chunk, "choices": [], "usage": usage})
    return Body(SSE, _events(chunks) + b"data: [DONE]\n\n", [usage])


# OpenAI Responses


def _responses_usage(tokens_in: int, tokens_out: int) -> dict[str, Any]:
    return {
        "input_tokens": tokens_in,
        "input_tokens_details": {"cached_tokens": tokens_in // 2},
        "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": tokens_out // 3},
        "total_tokens": tokens_in + tokens_out,
    }


def _response(model: str, status: str, usage: dict[str, Any] | None) -> dict[str, Any]:
    part = {"type": "output_text", "text": "".join(WORDS), "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": [part]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": status,
        "output": [item] if usage else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }


def _responses_whole(model: str, tokens_in: int, tokens_out: int) -> Body:
    usage = _responses_usage(tokens_in, tokens_out)
    return Body(JSON, _json(_response(model, "completed", usage)), [usage])


def _responses_stream(model: str, tokens_in: int, tokens_out: int) -> Body:
    usage = _responses_usage(tokens_in, tokens_out)
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(model, "in_progress", None)},
        *({"type": "response.output_text.delta", "delta": word, **place} for word in WORDS),
        {"type": "response.completed", "response": _response(model, "completed", usage)},
    ]
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    return Body(SSE, _events(numbered, named=True), [usage])


# Gemini: a report in every chunk, and they do not only grow


def _gemini_parts(model: str, tokens_in: int, tokens_out: int) -> tuple[list[dict[str, Any]], list[Any]]:
    thoughts = tokens_out // 3
    shares = [(0, thoughts // 2), (tokens_out - thoughts, thoughts), (1, thoughts)]
    reports: list[dict[str, Any]] = []
    chunks: list[dict[str, Any]] = []
    for number, (candidates, thought) in enumerate(shares):
        total = tokens_in + candidates + thought
        report = {"promptTokenCount": tokens_in, "totalTokenCount": total, "thoughtsTokenCount": thought}
        report |= {"candidatesTokenCount": candidates, "cachedContentTokenCount": tokens_in // 4}
        content = {"role": "model", "parts": [{"text": "".join(WORDS[number::3])}]}
        candidate: dict[str, Any] = {"index": 0, "content": content}
        if number == len(shares) - 1:
            candidate["finishReason"] = "STOP"
        reports.append(report)
        chunks.append({"candidates": [candidate], "usageMetadata": report, "modelVersion": model})
    return reports, chunks


def _gemini_whole(model: str, tokens_in: int, tokens_out: int) -> Body:
    reports, chunks = _gemini_parts(model, tokens_in, tokens_out)
    whole = {**chunks[-1], "usageMetadata": reports[1]}
    return Body(JSON, _json(whole), [reports[1]])


def _gemini_stream(model: str, tokens_in: int, tokens_out: int) -> Body:
    reports, chunks = _gemini_parts(model, tokens_in, tokens_out)
    return Body(SSE, _events(chunks, end="\r\n"), reports)


def gemini_array(model: str, tokens_in: int, tokens_out: int) -> Body:
    """The stream without ``alt=sse``: one JSON array, piece by piece."""
    reports, chunks = _gemini_parts(model, tokens_in, tokens_out)
    return Body(JSON, b"[" + b",\r\n".join(map(_json, chunks)) + b"\r\n]", reports)
