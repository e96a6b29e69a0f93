"""A cap of five cents and thirty requests of about one cent each, all at once."""

import asyncio
from collections.abc import Iterator
from typing import cast

import pytest

from budgetwire.money import NUSD_PER_CENT
from e2e.background import Background
from e2e.exchange import Exchange, hand_made
from e2e.provider import Provider
from e2e.relay import Relay
from e2e.running import Home
from e2e.sdks import API_ERRORS, Sdks
from e2e.upstream import Keeping
from e2e.wire_formats import APIS, MODELS, Api

REQUESTS = 30
CAP_NUSD = 5 * NUSD_PER_CENT

TOKENS: dict[Api, int] = {
    "anthropic.messages": 620,
    "openai.chat": 960,
    "openai.responses": 960,
    "gemini.generate": 960,
}
"""Output tokens that, with the input, come to about a cent."""


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def upstream(background: Background, provider: Provider) -> Iterator[Keeping]:
    with background.inside(Keeping(provider)) as upstream:
        yield upstream


@pytest.fixture
def home(upstream: Keeping) -> Iterator[Home]:
    upstreams = dict.fromkeys(("anthropic", "openai", "gemini"), upstream.url)
    with Home(upstreams, budget="[budget]\ndaily_limit_cents = 5").running() as home:
        yield home


@pytest.mark.parametrize("api", APIS)
def test_no_more_is_spent_than_the_cap(
    api: Api, background: Background, home: Home, upstream: Keeping, provider: Provider
) -> None:
    exchange = next(each for each in hand_made() if each.api == api and not each.stream)
    assert exchange.model_asked == MODELS[api][1]
    with background.inside(Relay(home.address)) as relay:
        sdks = Sdks(relay.url, background)
        outcomes = background.run(_ask_at_once(sdks, provider, exchange, TOKENS[api]))
        sdks.close()
    posts = relay.sent.count(b"POST /")
    refused = [outcome for outcome in outcomes if outcome is not None]
    admitted = REQUESTS - len(refused)

    assert posts == REQUESTS  # each asked once and, where it was refused, took that for an answer
    assert 4 <= admitted <= 5
    assert len(upstream.served) == admitted
    kind, status = API_ERRORS[api]
    for error in refused:
        assert isinstance(error, kind)
        assert _status(error) == status
        assert "daily limit of $0.05 has no room" in str(error)

    rows = home.rows()
    settled = [row for row in rows if row["outcome"] == "ok"]
    assert [row["outcome"] for row in rows].count("refused") == len(refused)
    assert len(settled) == admitted
    assert 4 * NUSD_PER_CENT * 9 // 10 < sum(row["cost_nusd"] for row in settled) <= CAP_NUSD
    assert all(row["cost_nusd"] <= row["reserved_nusd"] for row in settled)
    state = home.state()
    assert state.limits[0].spent_nusd == sum(row["cost_nusd"] for row in settled)
    assert (state.limits[0].reserved_nusd, state.limits[0].refused) == (0, len(refused))


async def _ask_at_once(
    sdks: Sdks, provider: Provider, exchange: Exchange, cap: int
) -> list[BaseException | None]:
    """What each request raised. Answers are held until all that is refused has been."""
    await provider.hold()
    asking = [asyncio.create_task(sdks.asking(exchange, cap, {})) for _ in range(REQUESTS)]
    async with asyncio.timeout(20):
        while sum(task.done() for task in asking) + provider.begun < REQUESTS:
            await asyncio.sleep(0.005)
    await provider.release()
    return await asyncio.gather(*asking, return_exceptions=True)


def _status(error: BaseException) -> int:
    """Anthropic and OpenAI call it status_code, Google code."""
    return cast(int, getattr(error, "status_code", None) or getattr(error, "code", None))
