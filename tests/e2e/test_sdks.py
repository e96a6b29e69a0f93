"""The official SDKs through a real budgetd: what they send arrives, what comes back is theirs unchanged, and
the ledger holds what the provider reported and what it costs."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import anthropic
import openai
import pytest
from google import genai

from e2e.background import Background
from e2e.exchange import Exchange, hand_made, recorded
from e2e.http_bytes import as_forwarded
from e2e.relay import Relay
from e2e.running import Home
from e2e.sdks import Sdks
from e2e.truth import cost_nusd, hold_against_the_truth, reported
from e2e.upstream import Keeping, Replay

SPOKEN = {"anthropic", "openai", "gemini"}

UNASKED = {"json-array", "zstd-stream"}
"""The framing of Gemini streams that its SDK never asks for, and a coding that no SDK here reads."""

EXCHANGES = [
    each
    for each in (*hand_made(), *recorded())
    if each.api and each.provider in SPOKEN and each.id not in UNASKED
]

WAIT_SECONDS = 10.0


@dataclass
class Stage:
    """A replaying upstream, a daemon in front of it, a tap in front of that, and clients."""

    upstream: Keeping
    home: Home
    relay: Relay
    sdks: Sdks
    asked: list[tuple[int, Exchange]] = field(default_factory=list[tuple[int, Exchange]])
    """Ids of the ledger's rows, each with its exchange."""

    def received(self, length: int) -> bytes:
        """What was on its way to the client, once it is so long: an SDK may be done before the last chunk."""
        deadline = time.monotonic() + WAIT_SECONDS
        while len(self.relay.received) < length and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.relay.received


@pytest.fixture(scope="module")
def stage(background: Background) -> Iterator[Stage]:
    with background.inside(Keeping(Replay(EXCHANGES))) as upstream:
        budget = "[budget]\ndaily_limit_cents = 1000000"
        home = Home(dict.fromkeys(sorted(SPOKEN), upstream.url), budget=budget)
        with home.running(), background.inside(Relay(home.address)) as relay:
            sdks = Sdks(relay.url, background)
            yield Stage(upstream, home, relay, sdks)
            sdks.close()


@pytest.mark.parametrize("form", ["blocking", "asynchronous"])
@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.id)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_sdk_sees_what_the_provider_sent(stage: Stage, exchange: Exchange, form: str) -> None:
    stage.relay.clear()
    before = len(stage.home.rows())
    ask = stage.sdks.ask if form == "blocking" else stage.sdks.ask_async
    try:
        ask(exchange, headers={"x-exchange": exchange.id})
    except (anthropic.APIStatusError, openai.APIStatusError, genai.errors.APIError):
        assert exchange.status >= 400
    served = stage.upstream.served[-1]
    sent = stage.relay.sent
    assert served.request.raw == as_forwarded(sent, sent.split(b" ")[1], stage.upstream.host)
    assert stage.received(len(served.sent)) == bytes(served.sent)
    (row,) = stage.home.rows()[before:]
    hold_against_the_truth(row, exchange)
    stage.asked.append((row["id"], exchange))


def test_the_ledgers_sum_is_the_sum_of_the_costs(stage: Stage) -> None:
    rows = {row["id"]: row for row in stage.home.rows()}
    total = 0
    for id, exchange in stage.asked:
        truth = reported(exchange)
        known = cost_nusd(exchange, truth, rows[id]["admitted_at"]) if truth else None
        total += rows[id]["cost_nusd"] if known is None else known
    state = stage.home.wait_for(lambda state: state.burn.requests_today == len(stage.asked))
    assert sum(row["cost_nusd"] for row in rows.values()) == total
    assert state.limits[0].spent_nusd == total
    assert state.burn.today_nusd == total
    assert sum(spend.cost_nusd for spend in state.spending.user) == total
