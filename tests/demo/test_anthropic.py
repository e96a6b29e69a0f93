"""The provider as the official Anthropic SDK sees it. Its answers are `Any` here: their types are unions."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic import APIStatusError, AsyncAnthropic

from budgettop.demo.prose import token_count

TOOLS: list[Any] = [{"name": "Read", "input_schema": {"type": "object"}}]
THINKING: Any = {"type": "enabled", "budget_tokens": 2000}


def said(text: str, *, cached: bool = False) -> list[Any]:
    block: dict[str, Any] = {"type": "text", "text": text}
    return [
        {"role": "user", "content": [block | {"cache_control": {"type": "ephemeral"}} if cached else block]}
    ]


@pytest.fixture
async def client(provider: str) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=provider, api_key="demo", max_retries=0) as client:
        yield client


async def test_a_message_has_the_usage_of_its_text(client: Any) -> None:
    message = await client.messages.create(model="claude-haiku-4-5", max_tokens=4096, messages=said("Hello"))
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == token_count(len(message.content[0].text))
    assert message.usage.cache_creation_input_tokens == 0
    assert message._request_id.startswith("req_01")


async def test_a_streamed_message_is_the_sum_of_its_events(client: Any) -> None:
    request: Any = {"model": "claude-opus-4-8", "max_tokens": 9000, "thinking": THINKING, "tools": TOOLS}
    kinds: set[str] = set()
    for turn in range(6):
        async with client.messages.stream(messages=said(f"Turn {turn}"), **request) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            message = await stream.get_final_message()
        shown = {block.type: block for block in message.content}
        assert shown["text"].text == text
        total = len(shown["thinking"].thinking) + len(text)
        if "tool_use" in shown:
            total += len(json.dumps(shown["tool_use"].input, separators=(",", ":")))
        assert abs(message.usage.output_tokens - total / 4) <= len(shown)
        assert message.stop_reason == ("tool_use" if "tool_use" in shown else "end_turn")
        kinds |= set(shown)
    assert kinds == {"thinking", "text", "tool_use"}


async def test_a_growing_conversation_reads_what_it_wrote_to_the_cache(client: Any) -> None:
    request: Any = {"model": "claude-opus-4-8", "max_tokens": 100}
    long = "What was said before. " * 2000
    first = (await client.messages.create(messages=said(long, cached=True), **request)).usage
    second = (await client.messages.create(messages=said(long + "And more.", cached=True), **request)).usage
    assert first.cache_read_input_tokens == 0
    assert first.cache_creation_input_tokens > 10_000
    assert second.cache_read_input_tokens > 10_000
    whole = second.input_tokens + second.cache_read_input_tokens + second.cache_creation_input_tokens
    assert whole == pytest.approx(token_count(len(long)), rel=0.02)


async def test_the_output_never_passes_its_cap(client: Any) -> None:
    message = await client.messages.create(model="claude-haiku-4-5", max_tokens=10, messages=said("Hello"))
    assert message.usage.output_tokens == 10
    assert message.stop_reason == "max_tokens"


async def test_a_failure_has_the_real_shape(failing_provider: str) -> None:
    seen: set[int] = set()
    async with AsyncAnthropic(base_url=failing_provider, api_key="demo", max_retries=0) as client:
        for _ in range(8):
            with pytest.raises(APIStatusError) as caught:
                await client.messages.create(model="claude-haiku-4-5", max_tokens=10, messages=said("Hello"))
            seen.add(caught.value.status_code)
            error: Any = caught.value.body
            assert error["error"]["type"] in ("rate_limit_error", "overloaded_error")
    assert seen == {429, 529}
