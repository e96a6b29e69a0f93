"""An agent that works as Codex does: Responses, nothing stored at the provider, a cache key of its own."""

from random import Random
from typing import Any
from uuid import UUID

import msgspec

from budgettop.demo.agents.agent import Agent, Desk
from budgettop.demo.prose import prose, token_count

_TOOLS = ("exec_command", "apply_patch", "update_plan")
_COMPACT_TOKENS = 70_000
"""Length at which the conversation is cut back to its beginning."""


class Codex(Agent):
    """Keeps the whole conversation in its input, reasoning included."""

    user_agent = "codex_cli_rs/0.169.0"

    def __init__(self, desk: Desk, who: str, rng: Random, *, model: str, history: int) -> None:
        super().__init__(desk, who, rng)
        self._model = model
        self._session = str(UUID(int=rng.getrandbits(128), version=4))
        self._instructions = prose(rng, 3_000)
        self._input: list[dict[str, Any]] = [_wish(prose(rng, history))]

    async def task(self) -> None:
        """Take up a new wish and call tools until it is done."""
        if token_count(len(msgspec.json.encode(self._input))) > _COMPACT_TOKENS:
            del self._input[1:]
        self._input.append(_wish(prose(self._rng, self._rng.randint(30, 300))))
        while True:
            events = await self._ask("/v1/responses", self._body(), self._headers())
            output: list[dict[str, Any]] = events[-1]["response"]["output"]
            self._input.extend(output)
            calls = [item for item in output if item["type"] == "function_call"]
            if not calls:
                return
            await self._pause(0.2, 2)
            self._input.extend(self._result(call) for call in calls)

    def _result(self, call: dict[str, Any]) -> dict[str, Any]:
        text = prose(self._rng, self._rng.choice((200, 2_000, 8_000)))
        return {"type": "function_call_output", "call_id": call["call_id"], "output": text}

    def _body(self) -> dict[str, Any]:
        return {
            "model": self._model,
            "instructions": self._instructions,
            "tools": [
                {"type": "function", "name": name, "parameters": {"type": "object"}} for name in _TOOLS
            ],
            "input": self._input,
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "reasoning": {"effort": "medium", "summary": "auto"},
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": self._session,
        }

    def _headers(self) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self._key}",
            "session-id": self._session,
            "thread-id": self._session,
            "originator": "codex_cli_rs",
        }


def _wish(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
