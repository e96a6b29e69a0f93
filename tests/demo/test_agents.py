"""The agents against the provider, through a stand-in for the proxy that can refuse."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from genai_prices import Usage, calc_price

from budgettop.demo.agents.agent import Agent, Desk
from budgettop.demo.agents.roster import hire, work
from budgettop.demo.pace import Pace

SEED = 3


class Gate:
    """Takes the /@user:project prefix off and passes on; or refuses, while told to."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []
        self.refuse_next = 0
        self.open = asyncio.Event()
        """While it is not set, requests are held."""
        self.open.set()
        self.moved = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        body = await request.read()
        self.bodies.append(json.loads(body) if body else None)
        self.moved.set()
        await self.open.wait()
        if self.refuse_next:
            self.refuse_next -= 1
            return web.json_response({"error": {"type": "budget_exceeded"}}, status=402)
        _, _, path = request.path_qs.removeprefix("/").partition("/")
        async with (
            aiohttp.ClientSession() as http,
            http.request(request.method, f"{self.upstream}/{path}", data=body) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())

    async def until(self, count: int) -> None:
        while len(self.requests) < count:
            self.moved.clear()
            await self.moved.wait()


@asynccontextmanager
async def gated(upstream: str) -> AsyncGenerator[tuple[Gate, str]]:
    gate = Gate(upstream)
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", gate.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield gate, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def one_task(base: str, kind: str) -> None:
    async with aiohttp.ClientSession() as http:
        agents: dict[str, Agent] = {
            type(agent).__name__: agent for agent in reversed(hire(Desk(base, http, Pace(0)), SEED))
        }
        await agents[kind].task()


async def test_claude_code_greets_then_loops_over_tools_with_a_growing_cached_conversation(
    provider: str,
) -> None:
    async with gated(provider) as (gate, base):
        await one_task(base, "ClaudeCode")
    greeting, *requests = gate.requests
    assert (greeting.method, greeting.path) == ("HEAD", "/@maria:acme-api/")
    assert {request.path_qs for request in requests} == {"/@maria:acme-api/v1/messages?beta=true"}
    assert len({request.headers["X-Claude-Code-Session-Id"] for request in requests}) == 1
    turns = [body["messages"] for body in gate.bodies[1:] if body["model"] == "claude-opus-4-8"]
    assert [len(turn) for turn in turns] == list(range(3, 3 + 2 * len(turns), 2))
    for earlier, later in pairwise(turns):
        calls = [block["id"] for block in later[-2]["content"] if block["type"] == "tool_use"]
        assert calls
        assert [block["tool_use_id"] for block in later[-1]["content"]] == calls
        assert later[: len(earlier) - 1] == earlier[:-1]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Codex", "/@lena:billing/v1/responses"),
        ("GeminiCli", "/@maria:notes/v1beta/models/gemini-3-flash-preview:streamGenerateContent?alt=sse"),
        ("Scraper", "/@ben:scraper/v1/chat/completions"),
    ],
)
async def test_an_agent_says_who_it_works_for(provider: str, kind: str, path: str) -> None:
    async with gated(provider) as (gate, base):
        await one_task(base, kind)
    assert path in {request.path_qs for request in gate.requests}


async def test_a_refused_agent_asks_the_same_again_until_it_is_admitted(provider: str) -> None:
    async with gated(provider) as (gate, base):
        gate.refuse_next = 3
        await one_task(base, "Codex")
    assert gate.bodies[0] == gate.bodies[1] == gate.bodies[2] == gate.bodies[3]
    assert len(gate.bodies[3]["input"]) == 2


async def test_an_agent_waits_while_its_request_is_held(provider: str) -> None:
    async with gated(provider) as (gate, base):
        gate.open.clear()
        asking = asyncio.create_task(one_task(base, "Scraper"))
        await gate.until(1)
        await asyncio.sleep(0.3)
        assert len(gate.requests) == 1
        gate.open.set()
        await asking
    assert len(gate.requests) > 1


async def test_an_agent_outlives_a_failing_provider(failing_provider: str) -> None:
    async with gated(failing_provider) as (gate, base):
        working = asyncio.create_task(work(base, SEED, Pace(0)))
        await gate.until(60)
        assert not working.done()
        working.cancel()
        await asyncio.wait({working})
    assert len(Counter(request.path_qs for request in gate.requests)) == 7


async def test_an_agent_outlives_the_proxy(provider: str) -> None:
    async with gated(provider) as (_, base):
        pass
    working = asyncio.create_task(work(base, SEED, Pace(0)))
    await asyncio.sleep(0.2)
    assert not working.done()
    working.cancel()
    await asyncio.wait({working})


async def test_every_model_in_the_demo_has_a_price(provider: str) -> None:
    async with gated(provider) as (gate, base):
        for kind in ("ClaudeCode", "Codex", "GeminiCli", "Scraper"):
            await one_task(base, kind)
    models = {body["model"] for body in gate.bodies if body and "model" in body}
    models |= {
        request.path.rpartition("/")[2].partition(":")[0]
        for request in gate.requests
        if "v1beta" in request.path
    }
    assert len(models) >= 5
    for model in models:
        assert calc_price(Usage(input_tokens=1000, output_tokens=1000), model).total_price > 0
