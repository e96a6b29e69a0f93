"""A script that sends page after page through a cheap model, with Chat Completions."""

from random import Random
from typing import Any

from budgettop.demo.agents.agent import Agent, Desk
from budgettop.demo.prose import prose


class Scraper(Agent):
    """Some of its requests stream, and some of those do not ask for usage: their cost has to be estimated."""

    user_agent = "OpenAI/Python 3.54.0"

    def __init__(self, desk: Desk, who: str, rng: Random, *, model: str) -> None:
        super().__init__(desk, who, rng)
        self._model = model
        self._instructions = prose(rng, 300)

    async def task(self) -> None:
        """Send a batch of pages, one after the other."""
        for _ in range(self._rng.randint(3, 9)):
            await self._ask("/v1/chat/completions", self._body(), {"authorization": f"Bearer {self._key}"})
            await self._pause(0.2, 1.5)

    def _body(self) -> dict[str, Any]:
        page = prose(self._rng, self._rng.randint(2_000, 9_000))
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": self._instructions},
                {"role": "user", "content": page},
            ],
            "max_completion_tokens": 600,
        }
        streaming = self._rng.choice(("no", "no", "with usage", "without"))
        if streaming != "no":
            body["stream"] = True
        if streaming == "with usage":
            body["stream_options"] = {"include_usage": True}
        return body
