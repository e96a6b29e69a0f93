"""An agent that works as Gemini CLI does: a small classifier call first, then streamed generateContent."""

from random import Random
from typing import Any

from budgettop.demo.agents.agent import Agent, Desk
from budgettop.demo.prose import prose

_SMALL_MODEL = "gemini-3.1-flash-lite-preview"
_TOOLS = ("read_file", "run_shell_command", "write_file")
_LONGEST = 60
"""Turns after which a new conversation begins."""


class GeminiCli(Agent):
    """Answers to a person who asks many small things."""

    def __init__(self, desk: Desk, who: str, rng: Random, *, model: str) -> None:
        super().__init__(desk, who, rng)
        self.user_agent = f"GeminiCLI/0.61.0/{model} (linux; x64)"
        self._model = model
        self._system = {"parts": [{"text": prose(rng, 5_000)}]}
        self._contents: list[dict[str, Any]] = []

    async def task(self) -> None:
        """Have the wish classified, then call tools until it is done."""
        if len(self._contents) > _LONGEST:
            self._contents.clear()
        self._contents.append(_said(prose(self._rng, self._rng.randint(30, 1_500))))
        await self._classify()
        while True:
            path = f"/v1beta/models/{self._model}:streamGenerateContent?alt=sse"
            parts = _parts(await self._ask(path, self._body(), self._headers()))
            self._contents.append({"role": "model", "parts": parts})
            calls = [part["functionCall"] for part in parts if "functionCall" in part]
            if not calls:
                return
            await self._pause(0.3, 2)
            self._contents.append({"role": "user", "parts": [self._result(call) for call in calls]})

    async def _classify(self) -> None:
        path = f"/v1beta/models/{_SMALL_MODEL}:generateContent"
        body = {"contents": [_said(prose(self._rng, 700))], "generationConfig": {"maxOutputTokens": 128}}
        await self._ask(path, body, self._headers())

    def _result(self, call: dict[str, Any]) -> dict[str, Any]:
        text = prose(self._rng, self._rng.choice((100, 1_000, 5_000)))
        return {"functionResponse": {"name": call["name"], "id": call["id"], "response": {"output": text}}}

    def _body(self) -> dict[str, Any]:
        return {
            "systemInstruction": self._system,
            "tools": [{"functionDeclarations": [{"name": name} for name in _TOOLS]}],
            "contents": self._contents,
            "generationConfig": {"temperature": 1, "thinkingConfig": {"includeThoughts": False}},
        }

    def _headers(self) -> dict[str, str]:
        return {"x-goog-api-key": self._key}


def _said(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


def _parts(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the streamed parts, neighbouring texts joined."""
    parts: list[dict[str, Any]] = []
    for chunk in chunks:
        for part in chunk["candidates"][0]["content"]["parts"]:
            if parts and "text" in part and "text" in parts[-1]:
                parts[-1]["text"] += part["text"]
            else:
                parts.append(part)
    return parts
