"""OpenAI Chat Completions, as JSON and as server-sent events, with usage in the stream only when asked."""

from collections.abc import Iterator
from typing import Any

import msgspec

from budgettop.demo.provider.answer import Answer, Ask, Block
from budgettop.demo.provider.dialect import Event, Fault, sse
from budgettop.demo.provider.openai_faults import openai_fault, openai_headers

_STOPS = {"end": "stop", "tool": "tool_calls", "length": "length"}


class _Function(msgspec.Struct):
    name: str


class _Tool(msgspec.Struct):
    function: _Function


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Body(msgspec.Struct):
    model: str
    messages: list[Any]
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    reasoning_effort: str | None = None
    tools: list[_Tool] = []


class ChatCompletions:
    """A request to ``/v1/chat/completions``."""

    stream_type = "text/event-stream; charset=utf-8"

    def __init__(self, target: str, body: bytes) -> None:  # noqa: ARG002 - a dialect's signature
        read = msgspec.json.decode(body, type=_Body)
        self._usage_wanted = read.stream_options is not None and read.stream_options.include_usage
        self.ask = Ask(
            model=read.model,
            stream=bool(read.stream),
            cap=read.max_completion_tokens or read.max_tokens,
            tools=tuple(tool.function.name for tool in read.tools),
            thinks=read.reasoning_effort not in (None, "none"),
        )

    def whole(self, answer: Answer) -> bytes:
        """Return the completion."""
        text = "".join(block.text for block in answer.blocks if block.kind == "text")
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        calls = [_call(block, block.text) for block in answer.blocks if block.kind == "tool"]
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _STOPS[answer.stop]}
        return msgspec.json.encode(
            _head(answer, "chat.completion") | {"choices": [choice], "usage": _usage(answer)}
        )

    def stream(self, answer: Answer) -> Iterator[Event]:
        """Yield chunks, the usage if asked, and [DONE]. Reasoning is not shown; it takes its time."""
        yield Event(1, self._chunk(answer, {"role": "assistant", "content": "", "refusal": None}))
        yield from self._deltas(answer)
        yield Event(0, self._chunk(answer, {}, _STOPS[answer.stop]))
        if self._usage_wanted:
            last: dict[str, Any] = {"choices": [], "usage": _usage(answer)}
            yield Event(0, sse(_head(answer, "chat.completion.chunk") | last))
        yield Event(0, b"data: [DONE]\n\n")

    def _deltas(self, answer: Answer) -> Iterator[Event]:
        hidden = answer.thinking_tokens
        for block in answer.blocks:
            if block.kind == "thinking":
                continue
            if block.kind == "tool":
                yield Event(0, self._chunk(answer, {"tool_calls": [{"index": 0} | _call(block, "")]}))
            for piece in block.pieces():
                delta = {"content": piece} if block.kind == "text" else {"tool_calls": [_part(piece)]}
                yield Event(hidden + len(piece) // 4, self._chunk(answer, delta))
                hidden = 0

    def headers(self, answer: Answer) -> dict[str, str]:
        """Return OpenAI's request id and rate limits."""
        return openai_headers(answer)

    def fault(self, fault: Fault, request_id: str) -> tuple[int, bytes]:  # noqa: ARG002 - a dialect's signature
        """Return 429 or 503 in OpenAI's shape."""
        return openai_fault(fault, self.ask.model)

    def _chunk(self, answer: Answer, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = _head(answer, "chat.completion.chunk") | {"choices": [choice]}
        return sse(chunk | {"usage": None} if self._usage_wanted else chunk)


def _head(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": answer.created,
        "model": answer.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _call(block: Block, arguments: str) -> dict[str, Any]:
    function = {"name": block.name, "arguments": arguments}
    return {"id": f"call_{block.id}", "type": "function", "function": function}


def _part(piece: str) -> dict[str, Any]:
    return {"index": 0, "function": {"arguments": piece}}


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.thinking_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
