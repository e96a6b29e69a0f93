"""The daemon's meters read from the provider's bytes exactly what the provider billed."""

from random import Random
from typing import Any

import msgspec
import pytest

from budgetd.metering import Api, meter
from budgettop.demo.provider.answer import compose
from budgettop.demo.provider.anthropic import Messages
from budgettop.demo.provider.dialect import Dialect
from budgettop.demo.provider.gemini import GenerateContent
from budgettop.demo.provider.openai_chat import ChatCompletions
from budgettop.demo.provider.openai_responses import Responses

TOOL: dict[str, Any] = {"type": "function", "name": "look", "function": {"name": "look"}}
OPENAI: dict[str, Any] = {"model": "gpt-5.4", "tools": [TOOL], "stream_options": {"include_usage": True}}
GEMINI: dict[str, Any] = {
    "contents": [],
    "tools": [{"functionDeclarations": [{"name": "look"}]}],
    "generationConfig": {"thinkingConfig": {}},
}
CASES: dict[str, tuple[Api, type[Dialect], str, dict[str, Any]]] = {
    "messages": (
        "anthropic.messages",
        Messages,
        "/v1/messages",
        {"model": "claude-opus-4-8", "max_tokens": 9000, "messages": [], "tools": [TOOL], "thinking": {}}
        | {"system": [{"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}]},
    ),
    "chat": (
        "openai.chat",
        ChatCompletions,
        "/v1/chat/completions",
        OPENAI | {"messages": [], "reasoning_effort": "low"},
    ),
    "responses": (
        "openai.responses",
        Responses,
        "/v1/responses",
        OPENAI | {"input": "", "reasoning": {"effort": "low"}},
    ),
    "gemini sse": (
        "gemini.generate",
        GenerateContent,
        "/v1beta/models/g:streamGenerateContent?alt=sse",
        GEMINI,
    ),
    "gemini array": ("gemini.generate", GenerateContent, "/v1beta/models/g:streamGenerateContent", GEMINI),
}


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("case", CASES)
def test_the_meter_reads_what_was_billed(case: str, streamed: bool) -> None:
    api, kind, target, body = CASES[case]
    for seed in range(20):
        dialect = kind(target, msgspec.json.encode(body | {"stream": streamed}))
        answer = compose(Random(seed), dialect.ask, created=0, input_tokens=50_000, cached_tokens=40_960)
        reader = meter(api, dialect.stream_type if streamed else "application/json")
        for chunk in (
            [event.data for event in dialect.stream(answer)] if streamed else [dialect.whole(answer)]
        ):
            reader.feed(chunk)
        reading = reader.finish()
        assert reading.complete
        assert reading.usage is not None
        assert reading.usage.input_tokens == 50_000
        assert reading.usage.cache_read_tokens == 40_960
        assert reading.usage.output_tokens == answer.output_tokens
