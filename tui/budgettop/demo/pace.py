"""How fast the demo's time passes."""

import asyncio

import msgspec


class Pace(msgspec.Struct, frozen=True):
    """Turns the demo's seconds into real ones; the provider and the agents wait through it."""

    scale: float = 1.0
    """Real seconds for each second of the demo; 0 waits not at all, for tests."""

    async def sleep(self, seconds: float) -> None:
        """Wait that many of the demo's seconds."""
        await asyncio.sleep(seconds * self.scale)
