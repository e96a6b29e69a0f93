"""A daemon, a provider behind it that stops where it is told, and every client in front of it.

A test has a project of its own, so that one daemon serves many tests: limits match projects by their first
word, and count each project apart.
"""

import asyncio
import sqlite3
from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from budgetwire.messages import Change, InFlight, Limit, QueryAudit
from e2e import claude_code
from e2e.background import Background
from e2e.exchange import Exchange, hand_made
from e2e.gated import Gated
from e2e.relay import Relay
from e2e.running import Home
from e2e.sdks import API_ERRORS, Sdks
from e2e.upstream import Keeping, Served
from e2e.wire_formats import APIS
from support.stream import Stream

CLAUDE_CODE = Exchange(
    id="claude-code",
    provider="anthropic",
    path="/v1/messages?beta=true",
    request_body=claude_code.body(),
    response_body=b"",
    response_headers=[],
    reports=[],
)

FORMS = ("whole", "stream")

CLIENTS = [
    *(each for each in hand_made() if each.id in {f"{api}-{form}" for api in APIS for form in FORMS}),
    CLAUDE_CODE,
]
"""What each client asks: the SDKs in both forms, and Claude Code."""

Asking = asyncio.Task[None]


@dataclass
class Stage:
    background: Background
    provider: Gated
    upstream: Keeping
    home: Home
    relay: Relay
    sdks: Sdks

    # clients

    def begin(self, client: Exchange, project: str, *, cap: int = 200) -> Asking:
        """Ask, and go on before there is an answer."""
        self.relay.clear()
        headers = {"X-Budget-Project": project, "X-Mark": project}
        if client is CLAUDE_CODE:
            return self.background.run(_begin(claude_code.ask(self.relay.port, headers)))
        return self.background.run(_begin(self.sdks.asking(client, cap, headers)))

    def end(self, asking: Asking) -> BaseException | None:
        """What a client raised in the end."""
        return self.background.run(_end(asking))

    def ask(self, client: Exchange, project: str, *, cap: int = 200) -> BaseException | None:
        """Ask, and wait for the end."""
        return self.end(self.begin(client, project, cap=cap))

    # the provider

    def stop(self, project: str, *, silent: bool = False) -> None:
        """Have the provider stop half way through its answer, or before it."""
        self.background.run(self.provider.stop(project, silent=silent))

    def go_on(self, project: str) -> None:
        """Let it answer to the end."""
        self.background.run(self.provider.open(project))

    def posts(self, project: str) -> list[Served]:
        """What of a project has reached the provider."""
        return [each for each in self.upstream.served if each.request.values(b"x-mark") == [project.encode()]]

    def billed(self, project: str) -> Exchange:
        """The one exchange of a project, as the provider billed it."""
        (exchange,) = [each for each in self.provider.billed if each.id == project]
        return exchange

    def is_cut(self, project: str) -> None:
        """Wait until the connection on which the provider answers a project is gone."""

        def last_mark(peer: Stream) -> list[bytes]:
            return peer.messages[-1].values(b"x-mark") if peer.messages else []

        (peer,) = [each for each in self.upstream.connections if last_mark(each) == [project.encode()]]
        self.background.run(peer.gone())

    # the daemon

    def in_flight(self, project: str, *phases: str) -> InFlight:
        """The one request of a project, once it is in one of these phases."""

        def find(requests: list[InFlight]) -> list[InFlight]:
            return [each for each in requests if each.project == project and each.phase in phases]

        (found,) = find(self.home.wait_for(lambda state: find(state.in_flight)).in_flight)
        return found

    def rows(self, project: str) -> list[sqlite3.Row]:
        """What the ledger says of a project."""
        return [row for row in self.home.rows() if row["project"] == project]

    def row(self, project: str) -> sqlite3.Row:
        """The one row of a project, settled."""
        self.settled(project)
        (row,) = self.rows(project)
        return row

    def settled(self, project: str) -> None:
        """Wait until nothing of a project is in flight."""
        self.home.wait_for(lambda state: all(each.project != project for each in state.in_flight))

    def restart(self) -> None:
        """Kill the daemon and start it again; clients find it where it was."""
        self.home.kill()
        self.home.start()
        self.relay.lead_to(self.home.address)

    def limit(self, name: str, subject: str = "") -> Limit:
        """How a counter stands."""
        (limit,) = [each for each in self.home.state().limits if (each.name, each.subject) == (name, subject)]
        return limit

    def changes(self, action: str) -> list[Change]:
        """The audit's rows of one kind, newest first."""
        reply = self.home.call(lambda id: QueryAudit(id=id))
        return [change for each in reply["changes"] if (change := Change(**each)).action == action]

    def received_whole(self, project: str) -> bool:
        """Whether the client got the provider's one answer byte for byte, and nothing before it."""
        (served,) = self.posts(project)
        start = served.sent.index(b"HTTP/1.1")
        assert start == 0
        received = self.relay.received
        if b"HEAD / " in self.relay.sent:
            received = received.partition(b"\r\n\r\n")[2]
        return received == bytes(served.sent)


@contextmanager
def staged(background: Background, budget: str, *, most: int = 300) -> Generator[Stage]:
    """Everything in place, and taken away again."""
    provider = Gated(most)
    with background.inside(Keeping(provider)) as upstream:
        home = Home(dict.fromkeys(("anthropic", "openai", "gemini"), upstream.url), budget=budget)
        with home.running(), background.inside(Relay(home.address)) as relay:
            sdks = Sdks(relay.url, background)
            yield Stage(background, provider, upstream, home, relay, sdks)
            sdks.close()


def tell(limits: Sequence[Limit]) -> list[tuple[object, ...]]:
    """What is decided by people and requests alone of each counter: its cap and its sums."""
    return sorted(
        (
            each.name,
            each.subject,
            each.limit_nusd,
            each.spent_nusd,
            each.reserved_nusd,
            each.granted_nusd,
            each.paused,
        )
        for each in limits
    )


def is_refusal(error: BaseException | None, client: Exchange) -> bool:
    """Whether it is what a client makes of a refusal: its own error with the status of its dialect."""
    assert client.api is not None
    kind, status = API_ERRORS[client.api]
    if client is CLAUDE_CODE:
        kind = claude_code.RefusedError
    seen = getattr(error, "status_code", None) or getattr(error, "code", None)
    return isinstance(error, kind) and seen == status


async def _begin(asking: Coroutine[Any, Any, None]) -> Asking:
    return asyncio.create_task(asking)


async def _end(asking: Asking) -> BaseException | None:
    return (await asyncio.gather(asking, return_exceptions=True))[0]
