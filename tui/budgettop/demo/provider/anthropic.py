"""Anthropic Messages, as JSON and as server-sent events."""

from collections.abc import Iterator
from typing import Any

import msgspec

from budgettop.demo.provider.answer import Answer, Ask, Block
from budgettop.demo.provider.dialect import Event, Fault, sse

_STOPS = {"end": "end_turn", "tool": "tool_use", "length": "max_tokens"}
_UNCACHED_TAIL = 4


class _Tool(msgspec.Struct):
    name: str


class _Body(msgspec.Struct):
    model: str
    max_tokens: int
    messages: list[Any]
    stream: bool = False
    tools: list[_Tool] = []
    thinking: dict[str, Any] | None = None


class Messages:
    """A request to ``/v1/messages``."""

    stream_type = "text/event-stream; charset=utf-8"

    def __init__(self, target: str, body: bytes) -> None:  # noqa: ARG002 - a dialect's signature
        read = msgspec.json.decode(body, type=_Body)
        self.ask = Ask(
            model=read.model,
            stream=read.stream,
            cap=read.max_tokens,
            tools=tuple(tool.name for tool in read.tools),
            thinks=read.thinking is not None and read.thinking.get("type") != "disabled",
            cacheable=b'"cache_control"' in body,
        )

    def whole(self, answer: Answer) -> bytes:
        """Return the message."""
        message = self._message(answer, answer.output_tokens)
        message["content"] = [_filled(block) for block in answer.blocks]
        message["stop_reason"] = _STOPS[answer.stop]
        return msgspec.json.encode(message)

    def stream(self, answer: Answer) -> Iterator[Event]:
        """Yield message_start to message_stop."""
        yield Event(1, _event("message_start", message=self._message(answer, 1)))
        for index, block in enumerate(answer.blocks):
            yield Event(0, _event("content_block_start", index=index, content_block=_empty(block)))
            if index == 0:
                yield Event(0, _event("ping"))
            for piece in block.pieces():
                yield Event(
                    len(piece) // 4, _event("content_block_delta", index=index, delta=_delta(block, piece))
                )
            if block.kind == "thinking":
                delta = {"type": "signature_delta", "signature": _signature(block)}
                yield Event(0, _event("content_block_delta", index=index, delta=delta))
            yield Event(0, _event("content_block_stop", index=index))
        stop = {"stop_reason": _STOPS[answer.stop], "stop_sequence": None, "stop_details": None}
        usage = self._input_usage(answer) | {"output_tokens": answer.output_tokens}
        if self.ask.thinks:
            usage["output_tokens_details"] = {"thinking_tokens": answer.thinking_tokens}
        yield Event(0, _event("message_delta", delta=stop, usage=usage))
        yield Event(0, _event("message_stop"))

    def headers(self, answer: Answer) -> dict[str, str]:
        """Return its request id and what is left of the rate limit."""
        return {
            "request-id": f"req_01{answer.id[:22]}",
            "anthropic-ratelimit-requests-limit": "4000",
            "anthropic-ratelimit-requests-remaining": "3991",
        }

    def fault(self, fault: Fault, request_id: str) -> tuple[int, bytes]:
        """Return 429 or 529 in Anthropic's shape."""
        status, kind, message = {
            "rate_limited": (429, "rate_limit_error", "This would exceed your rate limit of input tokens."),
            "overloaded": (529, "overloaded_error", "Overloaded"),
        }[fault]  # fmt: skip
        error = {"type": kind, "message": message}
        return status, msgspec.json.encode(
            {"type": "error", "error": error, "request_id": f"req_01{request_id}"}
        )

    def _message(self, answer: Answer, output_tokens: int) -> dict[str, Any]:
        written = self._input_usage(answer)["cache_creation_input_tokens"]
        return {
            "model": answer.model,
            "id": f"msg_01{answer.id[:22]}",
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": {
                **self._input_usage(answer),
                "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
                "output_tokens": output_tokens,
                "service_tier": "standard",
                "inference_geo": "global",
            },
        }

    def _input_usage(self, answer: Answer) -> dict[str, Any]:
        """Anthropic's ``input_tokens`` leaves out what was read from the cache or written to it."""
        fresh = answer.input_tokens - answer.cached_tokens
        written = max(fresh - _UNCACHED_TAIL, 0) if self.ask.cacheable else 0
        return {
            "input_tokens": fresh - written,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": answer.cached_tokens,
        }


def _event(kind: str, **fields: Any) -> bytes:
    return sse({"type": kind, **fields}, event=kind)


def _empty(block: Block) -> dict[str, Any]:
    if block.kind == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}
    if block.kind == "text":
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": f"toolu_01{block.id[:22]}", "name": block.name, "input": {}}


def _filled(block: Block) -> dict[str, Any]:
    if block.kind == "thinking":
        return {"type": "thinking", "thinking": block.text, "signature": _signature(block)}
    if block.kind == "text":
        return {"type": "text", "text": block.text}
    return _empty(block) | {"input": msgspec.json.decode(block.text)}


def _delta(block: Block, piece: str) -> dict[str, Any]:
    if block.kind == "thinking":
        return {"type": "thinking_delta", "thinking": piece}
    if block.kind == "text":
        return {"type": "text_delta", "text": piece}
    return {"type": "input_json_delta", "partial_json": piece}


def _signature(block: Block) -> str:
    return f"demo{block.id}"
