"""Every recorded exchange, and those made by hand, replayed through a real budgetd: the bytes are the same on
both sides, and what metered APIs reported is in the ledger, to the nanodollar."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from e2e.background import Background
from e2e.exchange import ABSENT, Exchange, hand_made, recorded
from e2e.http_bytes import as_forwarded, head_of
from e2e.other_formats import others
from e2e.running import Home
from e2e.truth import hold_against_the_truth
from e2e.upstream import Keeping, Replay
from support.stream import Stream, connected

EXCHANGES = [*hand_made(), *others(), *recorded()]
METERED = [each for each in EXCHANGES if each.dialect]

PREFIXES = {
    "groq": "/openai",
    "openrouter": "/api",
    "huggingface": "/novita/v3/openai",
    "zai": "/api/paas/v4",
}
"""Paths that belong to the upstream's url rather than to the request."""


@dataclass
class Stage:
    """A daemon with a replaying upstream behind, and one connection to it."""

    background: Background
    home: Home
    upstream: Keeping
    client: Stream

    def exchange(self, exchange: Exchange) -> tuple[bytes, bytes]:
        """Send a request and read its response; the bytes of both."""
        target = exchange.path.removeprefix(PREFIXES.get(exchange.provider, ""))
        headers = [
            (b"Host", self.home.address.encode()),
            (b"X-Exchange", exchange.id.encode()),
            (b"X-Budget-Session", exchange.id.encode()),
            *((name, value) for name, value in exchange.request_headers if name.lower() != b"content-length"),
            (b"Content-Length", b"%d" % len(exchange.request_body)),
            (b"Connection", b"keep-alive"),
        ]
        start = f"{exchange.method} /{exchange.provider}{target} HTTP/1.1".encode()
        sent = head_of(start, headers) + exchange.request_body
        self.background.run(self.client.send(sent))
        return sent, self.background.run(self.client.response()).raw


@pytest.fixture(scope="module")
def stage(background: Background) -> Iterator[Stage]:
    with background.inside(Keeping(Replay(EXCHANGES))) as upstream:
        names = {each.provider for each in EXCHANGES}
        urls = {name: upstream.url + PREFIXES.get(name, "") for name in sorted(names)}
        with Home(urls).running() as home, background.inside(connected(*home.proxy)) as client:
            yield Stage(background, home, upstream, client)


def by_id(exchange: Exchange) -> str:
    return exchange.id


@pytest.mark.parametrize("exchange", EXCHANGES, ids=by_id)
def test_bytes_are_the_same_on_both_sides(stage: Stage, exchange: Exchange) -> None:
    sent, received = stage.exchange(exchange)
    served = stage.upstream.served[-1]
    assert served.request.raw == as_forwarded(sent, exchange.path.encode(), stage.upstream.host)
    assert received == bytes(served.sent)


@pytest.mark.parametrize("exchange", METERED, ids=by_id)
def test_the_ledger_holds_what_the_provider_reported(stage: Stage, exchange: Exchange) -> None:
    before = len(stage.home.rows())
    stage.exchange(exchange)
    (row,) = stage.home.rows()[before:]
    assert (row["session"], row["status"]) == (exchange.id, exchange.status)
    assert row["outcome"] == ("ok" if exchange.status < 400 else "error")
    hold_against_the_truth(row, exchange)


@pytest.mark.skipif(not recorded(), reason=ABSENT)
def test_recorded_exchanges_are_at_hand() -> None:
    assert len({each.dialect for each in recorded()} - {None}) == 11
