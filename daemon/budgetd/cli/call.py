"""How a command talks to the running daemon."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from budgetwire.client import Client
from budgetwire.messages import Call, Snapshot
from budgetwire.places import find_places

T = TypeVar("T")


def with_client(work: Callable[[Client], Awaitable[T]]) -> T:
    """Do something with a connection. Raises WireError, and UsageError for what no message can say."""

    async def run() -> T:
        client = await Client.connect(find_places().socket, "budgetd cli")
        try:
            return await work(client)
        finally:
            await client.close()

    try:
        return asyncio.run(run())
    except OverflowError:
        raise click.UsageError("A number is too large.") from None
    except UnicodeEncodeError:
        raise click.UsageError("A name is not text.") from None


def call(make: Callable[[int], Call]) -> dict[str, Any]:
    """Make one call and return its result. Raises WireError."""
    return with_client(lambda client: client.call(make))


def snapshot() -> tuple[Client, Snapshot]:
    """The daemon's state, with the connection's welcome. Raises WireError."""

    async def first(client: Client) -> tuple[Client, Snapshot]:
        async for state in await client.subscribe():
            return client, state
        raise AssertionError("a subscription begins with a state")

    return with_client(first)
