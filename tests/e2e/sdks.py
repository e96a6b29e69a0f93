"""The official Python SDKs, each in both of its forms, asked for one answer at a time."""

from collections.abc import Callable, Coroutine
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types

from e2e.background import Background
from e2e.exchange import Exchange
from e2e.wire_formats import Api

PROMPT = "Grüß mich, 你好 🌍."

Headers = dict[str, str]
Ask = Callable[[Exchange, int, Headers], None]
"""Ask for the answer of an exchange, of at most so many tokens, and read it to its end."""

AskLater = Callable[[Exchange, int, Headers], Coroutine[Any, Any, None]]


class Sdks:
    """A client of each SDK, all of them pointed at one base URL; what they raise is raised."""

    def __init__(self, url: str, background: Background) -> None:
        self._background = background
        self._anthropic = anthropic.Anthropic(base_url=url, api_key="sk-ant-test")
        self._openai = openai.OpenAI(base_url=f"{url}/v1", api_key="sk-test")
        self._genai = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=url))
        self._async_anthropic = anthropic.AsyncAnthropic(base_url=url, api_key="sk-ant-test")
        self._async_openai = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-test")

    def ask(self, exchange: Exchange, *, cap: int = 64, headers: Headers) -> None:
        """Ask with the blocking client."""
        asks: dict[str, Ask] = {
            "anthropic.messages": self._messages,
            "openai.chat": self._chat,
            "openai.responses": self._responses,
            "gemini.generate": self._generate,
        }
        asks[exchange.api or ""](exchange, cap, headers)

    def ask_async(self, exchange: Exchange, *, cap: int = 64, headers: Headers) -> None:
        """Ask with the asynchronous client."""
        self._background.run(self.asking(exchange, cap, headers))

    async def asking(self, exchange: Exchange, cap: int, headers: Headers) -> None:
        """The same, for who runs many at once in the background."""
        asks: dict[str, AskLater] = {
            "anthropic.messages": self._messages_async,
            "openai.chat": self._chat_async,
            "openai.responses": self._responses_async,
            "gemini.generate": self._generate_async,
        }
        await asks[exchange.api or ""](exchange, cap, headers)

    def close(self) -> None:
        for client in (self._anthropic, self._openai, self._genai):
            client.close()
        for client in (self._async_anthropic, self._async_openai):
            self._background.run(client.close())
        self._background.run(self._genai.aio.aclose())

    # blocking

    def _messages(self, exchange: Exchange, cap: int, headers: Headers) -> None:
        messages = self._anthropic.beta.messages if _beta(exchange) else self._anthropic.messages
        answer = messages.create(**_anthropic_arguments(exchange, cap), extra_headers=headers)
        if exchange.stream:
            for _ in answer:
                pass

    def _chat(self, exchange: Exchange, cap: int, headers: Headers) -> None:
        answer = self._openai.chat.completions.create(**_chat_arguments(exchange, cap), extra_headers=headers)
        if exchange.stream:
            for _ in answer:
                pass

    def _responses(self, exchange: Exchange, cap: int, headers: Headers) -> None:
        answer = self._openai.responses.create(**_responses_arguments(exchange, cap), extra_headers=headers)
        if exchange.stream:
            for _ in answer:
                pass

    def _generate(self, exchange: Exchange, cap: int, headers: Headers) -> None:
        arguments = _gemini_arguments(exchange, cap, headers)
        if not exchange.stream:
            self._genai.models.generate_content(**arguments)
            return
        for _ in self._genai.models.generate_content_stream(**arguments):
            pass

    # asynchronous

    async def _messages_async(self, exchange: Exchange, cap: int, headers: Headers) -> None:
        client = self._async_anthropic
        messages = client.beta.messages if _beta(exchange) else client.messages
        answer = await messages.create(**_anthropic_arguments(exchange, cap), extra_headers=headers)
        if exchange.stream:
            async for _ in answer:
                pass

    async def _chat_async(self, exchange: Exchange, cap: int, headers: Headers) -> None:
        arguments = _chat_arguments(exchange, cap)
        answer = await self._async_openai.chat.completions.create(**arguments, extra_headers=headers)
        if exchange.stream:
            async for _ in answer:
                pass

    async def _responses_async(self, exchange: Exchange, cap: int, headers: Headers) -> None:
        arguments = _responses_arguments(exchange, cap)
        answer = await self._async_openai.responses.create(**arguments, extra_headers=headers)
        if exchange.stream:
            async for _ in answer:
                pass

    async def _generate_async(self, exchange: Exchange, cap: int, headers: Headers) -> None:
        arguments = _gemini_arguments(exchange, cap, headers)
        if not exchange.stream:
            await self._genai.aio.models.generate_content(**arguments)
            return
        async for _ in await self._genai.aio.models.generate_content_stream(**arguments):
            pass


def _beta(exchange: Exchange) -> bool:
    return "beta=true" in exchange.path


def _anthropic_arguments(exchange: Exchange, cap: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": PROMPT}]
    arguments = {"model": exchange.model_asked, "max_tokens": cap, "messages": messages}
    return {**arguments, "stream": exchange.stream}


def _chat_arguments(exchange: Exchange, cap: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": PROMPT}]
    arguments = {"model": exchange.model_asked, "max_completion_tokens": cap, "messages": messages}
    return {**arguments, "stream": exchange.stream}


def _responses_arguments(exchange: Exchange, cap: int) -> dict[str, Any]:
    arguments = {"model": exchange.model_asked, "max_output_tokens": cap, "input": PROMPT}
    return {**arguments, "stream": exchange.stream}


def _gemini_arguments(exchange: Exchange, cap: int, headers: Headers) -> dict[str, Any]:
    options = types.HttpOptions(headers=headers)
    config = types.GenerateContentConfig(max_output_tokens=cap, http_options=options)
    return {"model": exchange.model_asked, "contents": PROMPT, "config": config}


API_ERRORS: dict[Api, tuple[type[Exception], int]] = {
    "anthropic.messages": (anthropic.APIStatusError, 402),
    "openai.chat": (openai.APIStatusError, 402),
    "openai.responses": (openai.BadRequestError, 400),
    "gemini.generate": (genai.errors.ClientError, 400),
}
"""What each SDK makes of a refusal: its own error, with this status."""
