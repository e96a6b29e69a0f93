"""OpenAI Responses, as JSON and as numbered server-sent events."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec

from budgettop.demo.provider.answer import Answer, Ask, Block
from budgettop.demo.provider.dialect import Event, Fault, sse
from budgettop.demo.provider.openai_faults import openai_fault, openai_headers


class _Tool(msgspec.Struct):
    type: str
    name: str = ""


class _Reasoning(msgspec.Struct):
    effort: str | None = None


class _Body(msgspec.Struct):
    model: str
    input: str | list[Any]
    stream: bool | None = False
    max_output_tokens: int | None = None
    tools: list[_Tool] = []
    reasoning: _Reasoning | None = None


class Responses:
    """A request to ``/v1/responses``."""

    stream_type = "text/event-stream; charset=utf-8"

    def __init__(self, target: str, body: bytes) -> None:  # noqa: ARG002 - a dialect's signature
        read = msgspec.json.decode(body, type=_Body)
        self.ask = Ask(
            model=read.model,
            stream=bool(read.stream),
            cap=read.max_output_tokens,
            tools=tuple(tool.name for tool in read.tools if tool.type == "function"),
            thinks=read.reasoning is not None and read.reasoning.effort not in (None, "none"),
        )

    def whole(self, answer: Answer) -> bytes:
        """Return the response."""
        return msgspec.json.encode(self._finished(answer))

    def stream(self, answer: Answer) -> Iterator[Event]:
        """Yield response.created to response.completed (or .incomplete), numbered."""
        numbers = count()
        for tokens, kind, fields in self._events(answer):
            yield Event(tokens, sse({"type": kind, **fields, "sequence_number": next(numbers)}, event=kind))

    def _events(self, answer: Answer) -> Iterator[tuple[int, str, dict[str, Any]]]:
        nothing: dict[str, Any] = {"output": [], "usage": None}
        begun = self._response(answer, "in_progress") | nothing
        yield 1, "response.created", {"response": begun}
        yield 0, "response.in_progress", {"response": begun}
        for index, block in enumerate(answer.blocks):
            yield 0, "response.output_item.added", {"output_index": index, "item": _item(block, begun=True)}
            yield from _inner(index, block)
            yield 0, "response.output_item.done", {"output_index": index, "item": _item(block)}
        finished = self._finished(answer)
        yield 0, f"response.{finished['status']}", {"response": finished}

    def headers(self, answer: Answer) -> dict[str, str]:
        """Return OpenAI's request id and rate limits."""
        return openai_headers(answer)

    def fault(self, fault: Fault, request_id: str) -> tuple[int, bytes]:  # noqa: ARG002 - a dialect's signature
        """Return 429 or 503 in OpenAI's shape."""
        return openai_fault(fault, self.ask.model)

    def _finished(self, answer: Answer) -> dict[str, Any]:
        cut = answer.stop == "length"
        response = self._response(answer, "incomplete" if cut else "completed")
        response["incomplete_details"] = {"reason": "max_output_tokens"} if cut else None
        response["output"] = [_item(block) for block in answer.blocks]
        response["usage"] = {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": answer.cached_tokens},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.thinking_tokens},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        }
        return response

    def _response(self, answer: Answer, status: str) -> dict[str, Any]:
        return {
            "id": f"resp_{answer.id}",
            "object": "response",
            "created_at": answer.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": self.ask.cap,
            "model": answer.model,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "service_tier": "default",
            "store": False,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "metadata": {},
        }


def _item(block: Block, *, begun: bool = False) -> dict[str, Any]:
    """Return an output item, still empty (``begun``) or whole."""
    text = "" if begun else block.text
    status = "in_progress" if begun else "completed"
    if block.kind == "thinking":
        return {
            "id": f"rs_{block.id}",
            "type": "reasoning",
            "summary": [],
            "encrypted_content": "gAAAAA" + text,
        }
    if block.kind == "tool":
        names = {"call_id": f"call_{block.id}", "name": block.name}
        return {"id": f"fc_{block.id}", "type": "function_call", "status": status, "arguments": text, **names}
    content = [] if begun else [_part(text)]
    return {
        "id": f"msg_{block.id}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _inner(index: int, block: Block) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield what comes between an item's beginning and its end. Reasoning is not shown; it takes its time."""
    if block.kind == "thinking":
        where: dict[str, Any] = {"item_id": f"rs_{block.id}", "output_index": index}
        part = {"type": "summary_text", "text": ""}
        yield (
            block.tokens,
            "response.reasoning_summary_part.added",
            where | {"summary_index": 0, "part": part},
        )
        yield 0, "response.reasoning_summary_part.done", where | {"summary_index": 0, "part": part}
    elif block.kind == "tool":
        where = {"item_id": f"fc_{block.id}", "output_index": index}
        for piece in block.pieces():
            yield len(piece) // 4, "response.function_call_arguments.delta", where | {"delta": piece}
        yield (
            0,
            "response.function_call_arguments.done",
            where | {"name": block.name, "arguments": block.text},
        )
    else:
        where = {"item_id": f"msg_{block.id}", "output_index": index, "content_index": 0}
        yield 0, "response.content_part.added", where | {"part": _part("")}
        for piece in block.pieces():
            yield len(piece) // 4, "response.output_text.delta", where | {"delta": piece, "logprobs": []}
        yield 0, "response.output_text.done", where | {"text": block.text, "logprobs": []}
        yield 0, "response.content_part.done", where | {"part": _part(block.text)}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
