"""Gemini generateContent and streamGenerateContent, the latter as events or as one JSON array."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from budgettop.demo.provider.answer import Answer, Ask, Block
from budgettop.demo.provider.dialect import Event, Fault, sse

_STOPS = {"end": "STOP", "tool": "STOP", "length": "MAX_TOKENS"}


class _Declaration(msgspec.Struct):
    name: str


class _Tool(msgspec.Struct, rename="camel"):
    function_declarations: list[_Declaration] = []


class _Thinking(msgspec.Struct, rename="camel"):
    thinking_budget: int | None = None


class _Config(msgspec.Struct, rename="camel"):
    max_output_tokens: int | None = None
    thinking_config: _Thinking | None = None


class _Body(msgspec.Struct, rename="camel"):
    contents: list[Any]
    tools: list[_Tool] = []
    generation_config: _Config = msgspec.field(default_factory=_Config)


class GenerateContent:
    """A request to ``/v1beta/models/NAME:generateContent`` or ``:streamGenerateContent``."""

    def __init__(self, target: str, body: bytes) -> None:
        read = msgspec.json.decode(body, type=_Body)
        url = urlsplit(target)
        model, _, verb = url.path.rpartition("/")[2].partition(":")
        config = read.generation_config
        self._array = parse_qs(url.query).get("alt") != ["sse"]
        self.stream_type = "application/json; charset=UTF-8" if self._array else "text/event-stream"
        self.ask = Ask(
            model=model,
            stream=verb == "streamGenerateContent",
            cap=config.max_output_tokens,
            tools=tuple(each.name for tool in read.tools for each in tool.function_declarations),
            thinks=config.thinking_config is not None and config.thinking_config.thinking_budget != 0,
        )

    def whole(self, answer: Answer) -> bytes:
        """Return the response."""
        shown = [block for block in answer.blocks if block.kind != "thinking"]
        parts = [_part(block, block.text) for block in shown]
        return msgspec.json.encode(_chunk(answer, parts, answer.output_tokens, last=True))

    def stream(self, answer: Answer) -> Iterator[Event]:
        """Yield chunks, each with the usage so far; thoughts are counted, not shown."""
        chunks = list(self._chunks(answer))
        for index, (tokens, chunk) in enumerate(chunks):
            if not self._array:
                yield Event(tokens, sse(chunk))
                continue
            opening = b"[" if index == 0 else b",\r\n"
            closing = b"]" if index == len(chunks) - 1 else b""
            yield Event(tokens, opening + msgspec.json.format(msgspec.json.encode(chunk)) + closing)

    def headers(self, answer: Answer) -> dict[str, str]:
        """Return Google's server timing."""
        return {"server-timing": f"gfet4t7; dur={int(answer.first_token_seconds * 1000)}", "vary": "Origin"}

    def fault(self, fault: Fault, request_id: str) -> tuple[int, bytes]:  # noqa: ARG002 - a dialect's signature
        """Return 429 or 503 in Google's shape."""
        code, status, message = {
            "rate_limited": (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
            "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        }[fault]
        return code, msgspec.json.encode({"error": {"code": code, "message": message, "status": status}})

    def _chunks(self, answer: Answer) -> Iterator[tuple[int, dict[str, Any]]]:
        hidden = sent = answer.thinking_tokens
        for block in answer.blocks:
            if block.kind == "thinking":
                continue
            pieces = [block.text] if block.kind == "tool" else block.pieces()
            for piece in pieces:
                tokens = len(piece) // 4
                sent += tokens
                yield hidden + tokens, _chunk(answer, [_part(block, piece)], sent)
                hidden = 0
        yield hidden, _chunk(answer, [{"text": ""}], answer.output_tokens, last=True)


def _part(block: Block, text: str) -> dict[str, Any]:
    if block.kind == "tool":
        return {"functionCall": {"name": block.name, "args": msgspec.json.decode(text), "id": block.id[:8]}}
    return {"text": text}


def _chunk(answer: Answer, parts: list[dict[str, Any]], output: int, *, last: bool = False) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = _STOPS[answer.stop]
    usage: dict[str, Any] = {
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": output - answer.thinking_tokens,
        "totalTokenCount": answer.input_tokens + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": answer.input_tokens}],
    }
    if answer.cached_tokens:
        usage["cachedContentTokenCount"] = answer.cached_tokens
        usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": answer.cached_tokens}]
    if answer.thinking_tokens:
        usage["thoughtsTokenCount"] = answer.thinking_tokens
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": answer.model,
        "responseId": answer.id,
    }
