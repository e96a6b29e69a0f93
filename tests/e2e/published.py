"""Publishes price lists as their projects do, or in ways that no project should."""

import copy
import json
from functools import cache
from typing import Any

import msgspec
from aiohttp import web
from genai_prices.data import providers

from budgetd.pricing.compile import _plain


class Published:
    """A real web server with two lists: all that genai-prices has, and an excerpt of LiteLLM's map."""

    def __init__(self, litellm: bytes) -> None:
        self.genai: list[dict[str, Any]] = copy.deepcopy(_installed())
        self.litellm = litellm
        self.broken: dict[str, web.Response] = {}
        """What is answered instead, by path."""
        self.asked: list[tuple[str, int]] = []
        """Path and status of every answer."""

    async def __aenter__(self) -> "Published":
        app = web.Application()
        app.router.add_get("/{name}.json", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def section(self) -> str:
        """`[pricing]` of config.toml; the addresses hold a token."""
        return (
            f'[pricing]\ngenai_url = "{self.url}/genai.json?token=s3cret"\n'
            f'litellm_url = "{self.url}/litellm.json?token=s3cret"\n'
        )

    def models(self, provider: str) -> list[dict[str, Any]]:
        return next(each for each in self.genai if each["id"] == provider)["models"]

    def price(self, provider: str, id: str) -> dict[str, Any]:
        """A model's present price, to be changed."""
        prices = next(each for each in self.models(provider) if each["id"] == id)["prices"]
        return prices if isinstance(prices, dict) else prices[-1]["prices"]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        response = self.broken.get(request.path) or self._list(request)
        self.asked.append((request.path, response.status))
        return response

    def _list(self, request: web.Request) -> web.Response:
        body = json.dumps(self.genai).encode() if "genai" in request.path else self.litellm
        response = web.Response(body=body)
        tag = f"{hash(body):x}"
        if request.headers.get("If-None-Match") == f'"{tag}"':
            return web.Response(status=304)
        response.etag = tag
        return response


@cache
def _installed() -> list[dict[str, Any]]:
    """The installed prices in the published shape."""
    return json.loads(msgspec.json.Encoder(decimal_format="number").encode(_plain(providers)))
