"""What all agents have in common: a person and a project, a way to ask, and patience with failures."""

from abc import ABC, abstractmethod
from random import Random
from typing import Any, NamedTuple

import aiohttp
import msgspec

from budgettop.demo.pace import Pace

_REFUSED = (400, 402, 403)


class Desk(NamedTuple):
    """What every agent works with."""

    base: str
    """The proxy's URL."""
    http: aiohttp.ClientSession
    pace: Pace


class Agent(ABC):
    """A client that works until it is cancelled."""

    user_agent: str

    def __init__(self, desk: Desk, who: str, rng: Random) -> None:
        """``who`` is USER:PROJECT."""
        self._rng = rng
        self._pace = desk.pace
        self._http = desk.http
        self._base = f"{desk.base}/@{who}"
        self._key = f"demo-{who.partition(':')[0]}"

    async def run(self) -> None:
        """Do one task after the other, with a person's pauses between them."""
        await self._pause(0, 4)
        while True:
            await self.task()
            await self._pause(2, 8)

    @abstractmethod
    async def task(self) -> None:
        """Do one task, however many requests it takes."""

    async def _pause(self, least: float, most: float) -> None:
        await self._pace.sleep(self._rng.uniform(least, most))

    async def _ask(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> list[dict[str, Any]]:
        """Return the JSON objects of the answer (one, if it is not streamed), asking until there is one."""
        sent = msgspec.json.encode(body)
        while True:
            status, received = await self._post(path, sent, headers)
            if status == 200:
                return _objects(received)
            if status in _REFUSED:  # the budget is spent: a person looks now and then whether it still is
                await self._pause(6, 14)
            else:
                await self._pause(1.5, 4)

    async def _post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        sent = headers | {"content-type": "application/json", "user-agent": self.user_agent}
        try:
            async with self._http.post(self._base + path, data=body, headers=sent) as response:
                return response.status, await response.read()
        except aiohttp.ClientError:
            return 0, b""


def _objects(body: bytes) -> list[dict[str, Any]]:
    """Read a JSON body, or the data of server-sent events."""
    if body.startswith(b"{"):
        return [msgspec.json.decode(body)]
    lines = (line for line in body.split(b"\n") if line.startswith(b"data: {"))
    return [msgspec.json.decode(line[6:]) for line in lines]
