"""The provider as the official Google SDK sees it, and the array framing that the SDK never asks for."""

from typing import Any

import aiohttp
import pytest
from google.genai import Client, errors, types

from budgettop.demo.prose import token_count

MODEL = "gemini-3-flash-preview"
TOOLS: Any = [types.Tool(function_declarations=[types.FunctionDeclaration(name="look")])]
THINKS = types.ThinkingConfig(include_thoughts=False)
NO_CALLS = types.AutomaticFunctionCallingConfig(disable=True)


def client(base: str) -> Any:
    return Client(api_key="demo", http_options=types.HttpOptions(base_url=base))


async def test_a_response_has_the_usage_of_its_text(provider: str) -> None:
    response = await client(provider).aio.models.generate_content(model=MODEL, contents="Hello")
    usage = response.usage_metadata
    assert usage.candidates_token_count == token_count(len(response.text))
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count


async def test_a_streamed_response_counts_thoughts_beside_its_text(provider: str) -> None:
    config = types.GenerateContentConfig(
        tools=TOOLS, thinking_config=THINKS, automatic_function_calling=NO_CALLS
    )
    called = False
    for turn in range(6):
        stream = await client(provider).aio.models.generate_content_stream(
            model=MODEL, contents=f"Turn {turn}", config=config
        )
        chunks = [chunk async for chunk in stream]
        usage = chunks[-1].usage_metadata
        assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
        assert usage.thoughts_token_count > 0
        parts = usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
        assert usage.total_token_count == parts
        called = called or any(chunk.function_calls for chunk in chunks)
    assert called


async def test_without_sse_the_stream_is_one_json_array(provider: str) -> None:
    url = f"{provider}/v1beta/models/{MODEL}:streamGenerateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        assert response.content_type == "application/json"
        chunks = await response.json()
    text = "".join(part["text"] for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"])
    assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] == token_count(len(text))


async def test_a_failure_has_the_real_shape(failing_provider: str) -> None:
    seen: set[tuple[int, str]] = set()
    for _ in range(8):
        with pytest.raises(errors.APIError) as caught:
            await client(failing_provider).aio.models.generate_content(model=MODEL, contents="Hello")
        seen.add((caught.value.code, caught.value.status))
    assert seen == {(429, "RESOURCE_EXHAUSTED"), (503, "UNAVAILABLE")}
