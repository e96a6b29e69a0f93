"""An agent that works as Claude Code does: Messages, a long cached conversation, loops of tool calls."""

import asyncio
from random import Random
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from budgettop.demo.agents.agent import Agent, Desk
from budgettop.demo.prose import prose, token_count

_TOOLS = ("Bash", "Edit", "Grep", "Read", "Write")
_SMALL_MODEL = "claude-haiku-4-5"
_CACHED = {"cache_control": {"type": "ephemeral"}}
_COMPACT_TOKENS = 70_000
"""Length at which the conversation is cut back to its beginning."""


class ClaudeCode(Agent):
    """Starts as a resumed session of ``history`` tokens, and grows."""

    user_agent = "claude-cli/2.1.0 (external, cli)"

    def __init__(self, desk: Desk, who: str, rng: Random, *, model: str, history: int) -> None:
        super().__init__(desk, who, rng)
        self._model = model
        self._session = str(UUID(int=rng.getrandbits(128), version=4))
        self._system = [{"type": "text", "text": prose(rng, 4_000), **_CACHED}]
        self._tools = [_tool(name, rng) for name in _TOOLS]
        self._messages = [_said("user", prose(rng, history)), _said("assistant", prose(rng, 200))]
        self._greeted = False

    async def task(self) -> None:
        """Take up a new wish: name it with a small model while the large one calls tools until it is done."""
        if not self._greeted:
            self._greeted = True
            await self._greet()
        wish = prose(self._rng, self._rng.randint(30, 300))
        if token_count(len(msgspec.json.encode(self._messages))) > _COMPACT_TOKENS:
            del self._messages[2:]
        self._messages.append(_said("user", wish))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._name(wish))
            group.create_task(self._work())

    async def _greet(self) -> None:
        try:
            async with self._http.head(self._base + "/"):
                pass
        except aiohttp.ClientError:
            pass  # Claude Code does not mind either

    async def _name(self, wish: str) -> None:
        message = _said("user", wish)
        body = {"model": _SMALL_MODEL, "max_tokens": 512, "messages": [message], "stream": True}
        await self._ask("/v1/messages?beta=true", body, self._headers())

    async def _work(self) -> None:
        while True:
            content = _content(await self._ask("/v1/messages?beta=true", self._body(), self._headers()))
            self._messages.append({"role": "assistant", "content": content})
            calls = [block for block in content if block["type"] == "tool_use"]
            if not calls:
                return
            await self._pause(0.2, 1.5)
            self._messages.append({"role": "user", "content": [self._result(call) for call in calls]})

    def _result(self, call: dict[str, Any]) -> dict[str, Any]:
        text = prose(self._rng, self._rng.choice((200, 2_000, 6_000, 10_000)))
        return {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": text}]}

    def _body(self) -> dict[str, Any]:
        *earlier, newest = self._messages
        *blocks, last = newest["content"]
        return {
            "model": self._model,
            "system": self._system,
            "tools": self._tools,
            "messages": [*earlier, {"role": newest["role"], "content": [*blocks, last | _CACHED]}],
            "max_tokens": 64_000,
            "thinking": {"type": "enabled", "budget_tokens": 31_999},
            "metadata": {"user_id": msgspec.json.encode({"session_id": self._session}).decode()},
            "stream": True,
        }

    def _headers(self) -> dict[str, str]:
        return {
            "x-api-key": self._key,
            "anthropic-version": "2023-06-01",
            "X-Claude-Code-Session-Id": self._session,
        }


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _tool(name: str, rng: Random) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"path": {"type": "string"}, "content": {"type": "string"}}}
    return {"name": name, "description": prose(rng, 500), "input_schema": schema}


def _content(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the streamed blocks together again."""
    blocks: list[dict[str, Any]] = []
    arguments = ""
    for event in events:
        match event["type"]:
            case "content_block_start":
                blocks.append(dict(event["content_block"]))
                arguments = ""
            case "content_block_delta":
                delta: dict[str, str] = {key: value for key, value in event["delta"].items() if key != "type"}
                for key, value in delta.items():
                    if key == "partial_json":
                        arguments += value
                    else:
                        blocks[-1][key] += value
            case "content_block_stop" if arguments:
                blocks[-1]["input"] = msgspec.json.decode(arguments)
            case _:
                pass
    return blocks
