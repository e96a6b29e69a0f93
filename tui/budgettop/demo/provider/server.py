"""The provider's HTTP server: finds the dialect, waits as a model would, sends."""

import time
from collections.abc import Awaitable, Callable
from random import Random

import msgspec
from aiohttp import web

from budgettop.demo.pace import Pace
from budgettop.demo.prose import token_count
from budgettop.demo.provider.answer import Answer, compose, make_id
from budgettop.demo.provider.anthropic import Messages
from budgettop.demo.provider.dialect import Dialect
from budgettop.demo.provider.gemini import GenerateContent
from budgettop.demo.provider.openai_chat import ChatCompletions
from budgettop.demo.provider.openai_responses import Responses
from budgettop.demo.provider.prompt_cache import PromptCache

_MAX_BODY = 32 * 1024 * 1024
_STOP_SECONDS = 0.1  # answers that still run are cut off; aiohttp takes 0 for no limit


class Provider:
    """Answers like Anthropic, OpenAI and Google at once, told apart by path, on one port of 127.0.0.1.

    ``fault_rate`` is the share of requests that fail with the provider's own 429 or 529.
    """

    def __init__(self, seed: int, pace: Pace, *, fault_rate: float = 0.015) -> None:
        self._rng = Random(seed)  # noqa: S311 - variety, not secrecy
        self._pace = pace
        self._fault_rate = fault_rate
        self._cache = PromptCache()
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen on a free port and return the base URL."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_get("/", _hello)
        app.router.add_post("/v1/messages", self._handler(Messages))
        app.router.add_post("/v1/chat/completions", self._handler(ChatCompletions))
        app.router.add_post("/v1/responses", self._handler(Responses))
        gemini = r"/{version:v1(beta)?}/models/{call:[^/]+:(generate|streamGenerate)Content}"
        app.router.add_post(gemini, self._handler(GenerateContent))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _handler(self, kind: type[Dialect]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            try:
                dialect = kind(request.path_qs, body)
            except msgspec.MsgspecError as error:
                return _malformed(str(error))
            if self._rng.random() < self._fault_rate:
                return await self._fail(dialect)
            return await self._answer(request, dialect, body)

        return handle

    async def _fail(self, dialect: Dialect) -> web.Response:
        await self._pace.sleep(self._rng.uniform(0.1, 0.4))
        fault = self._rng.choice(("rate_limited", "overloaded"))
        status, body = dialect.fault(fault, make_id(self._rng, 22))
        headers = {"retry-after": "2"} if fault == "rate_limited" else {}
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)

    async def _answer(self, request: web.Request, dialect: Dialect, body: bytes) -> web.StreamResponse:
        answer = compose(
            self._rng,
            dialect.ask,
            created=int(time.time()),
            input_tokens=token_count(len(body)),
            cached_tokens=self._cache.seen_tokens(body),
        )
        if dialect.ask.stream:
            return await self._stream(request, dialect, answer)
        await self._pace.sleep(answer.first_token_seconds + answer.output_tokens / answer.tokens_per_second)
        headers = dialect.headers(answer) | {"content-type": "application/json"}
        return web.Response(body=dialect.whole(answer), headers=headers)

    async def _stream(self, request: web.Request, dialect: Dialect, answer: Answer) -> web.StreamResponse:
        headers = {"content-type": dialect.stream_type, "cache-control": "no-cache"}
        response = web.StreamResponse(headers=headers | dialect.headers(answer))
        await self._pace.sleep(answer.first_token_seconds)
        try:
            await response.prepare(request)
            for tokens, data in dialect.stream(answer):
                if tokens:
                    await self._pace.sleep(tokens / answer.tokens_per_second)
                await response.write(data)
            await response.write_eof()
        except ConnectionResetError:
            pass  # the client left, which is its right
        return response


async def _hello(_: web.Request) -> web.Response:
    return web.Response()


def _malformed(reason: str) -> web.Response:
    error = {"type": "invalid_request_error", "message": reason}
    body = msgspec.json.encode({"type": "error", "error": error})
    return web.Response(status=400, body=body, content_type="application/json")
