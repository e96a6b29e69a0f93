"""The provider as the official OpenAI SDK sees it: both of its dialects."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI

from budgettop.demo.prose import token_count

MODEL = "gpt-5.4-mini"
MESSAGES: list[Any] = [{"role": "user", "content": "Hello"}]
CHAT_TOOLS: list[Any] = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
TOOLS: list[Any] = [{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}]


@pytest.fixture
async def client(provider: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{provider}/v1", api_key="demo", max_retries=0) as client:
        yield client


async def test_a_completion_has_the_usage_of_its_text(client: Any) -> None:
    completion = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
    text = completion.choices[0].message.content
    assert completion.usage.completion_tokens == token_count(len(text))
    assert (
        completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    )
    assert completion._request_id.startswith("req_")


async def test_a_streamed_completion_says_its_usage_when_asked(client: Any) -> None:
    async with client.chat.completions.stream(
        model=MODEL, messages=MESSAGES, tools=CHAT_TOOLS, stream_options={"include_usage": True}
    ) as stream:
        completion = await stream.get_final_completion()
    choice = completion.choices[0]
    assert choice.finish_reason in ("stop", "tool_calls")
    parts = [choice.message.content, *(call.function.arguments for call in choice.message.tool_calls or [])]
    assert completion.usage.completion_tokens == sum(token_count(len(part)) for part in parts)


async def test_a_streamed_completion_says_no_usage_unasked(client: Any) -> None:
    stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_hidden_reasoning_is_billed_as_output(client: Any) -> None:
    completion = await client.chat.completions.create(model=MODEL, messages=MESSAGES, reasoning_effort="low")
    reasoning = completion.usage.completion_tokens_details.reasoning_tokens
    assert reasoning > 0
    visible = token_count(len(completion.choices[0].message.content))
    assert completion.usage.completion_tokens == reasoning + visible


async def test_a_response_has_the_usage_of_its_text(client: Any) -> None:
    response = await client.responses.create(model=MODEL, input="Hello")
    assert response.status == "completed"
    assert response.usage.output_tokens == token_count(len(response.output_text))


async def test_a_streamed_response_is_the_sum_of_its_events(client: Any) -> None:
    kinds: set[str] = set()
    for turn in range(6):
        text, numbers = "", []
        async with client.responses.stream(
            model="gpt-5.4", input=f"Turn {turn}", tools=TOOLS, reasoning={"effort": "medium"}
        ) as stream:
            async for event in stream:
                numbers.append(event.sequence_number)
                text += event.delta if event.type == "response.output_text.delta" else ""
            response = await stream.get_final_response()
        assert numbers == list(range(len(numbers)))
        assert response.output_text == text
        assert response.usage.output_tokens_details.reasoning_tokens > 0
        calls = [item.arguments for item in response.output if item.type == "function_call"]
        visible = sum(token_count(len(part)) for part in (text, *calls))
        usage = response.usage
        assert usage.output_tokens == usage.output_tokens_details.reasoning_tokens + visible
        kinds |= {item.type for item in response.output}
    assert kinds == {"reasoning", "message", "function_call"}


async def test_a_response_that_reached_its_cap_is_incomplete(client: Any) -> None:
    stream = await client.responses.create(model=MODEL, input="Hello", max_output_tokens=16, stream=True)
    last = [event async for event in stream][-1]
    assert last.type == "response.incomplete"
    assert last.response.usage.output_tokens == 16


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.chat.completions.create(model=MODEL, messages=MESSAGES),
        lambda client: client.responses.create(model=MODEL, input="Hello"),
    ],
    ids=["chat", "responses"],
)
async def test_a_failure_has_the_real_shape(failing_provider: str, ask: Callable[[AsyncOpenAI], Any]) -> None:
    seen: set[int] = set()
    async with AsyncOpenAI(base_url=f"{failing_provider}/v1", api_key="demo", max_retries=0) as client:
        for _ in range(8):
            with pytest.raises(APIStatusError) as caught:
                await ask(client)
            seen.add(caught.value.status_code)
            assert caught.value.type in ("tokens", "server_error")
    assert seen == {429, 503}
