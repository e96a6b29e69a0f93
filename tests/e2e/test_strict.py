"""A strict limit is not passed, however many ask at once and whatever is billed; people have caps too."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from budgetd.attribution.who import fingerprint
from budgetwire.money import NUSD_PER_CENT
from e2e import wire_formats as wire
from e2e.ask import MODEL, NUSD_PER_TOKEN, ask, error_of
from e2e.background import Background
from e2e.exchange import Exchange
from e2e.gated import Gated
from e2e.provider import Provider
from e2e.running import Home
from e2e.stage import CLIENTS, Stage, staged
from e2e.upstream import Keeping
from support.stream import Message, connected

REQUESTS = 30
TOKENS = 2_000
"""Output tokens that cost three cents."""

CAP_CENTS = 20

STRICT = f"""
[[limits]]
name = "whole"
window = "day"
limit_cents = {CAP_CENTS}
guarantee = "strict"
thresholds_pct = []
"""


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def home(background: Background, provider: Provider) -> Iterator[Home]:
    with (
        background.inside(Keeping(provider)) as upstream,
        Home({"anthropic": upstream.url}, budget=STRICT).running() as home,
    ):
        yield home


def test_thirty_at_once_do_not_pass_the_cap(background: Background, home: Home, provider: Provider) -> None:
    async def ask_at_once(turn: int) -> list[int]:
        asking = [asyncio.create_task(ask(home, TOKENS, f"{turn}.{each}")) for each in range(REQUESTS)]
        return [response.status for response in await asyncio.gather(*asking)]

    answered, spent, statuses = 0, 0, list[int]()
    for turn in range(4):  # until nothing fits any more
        statuses = background.run(ask_at_once(turn))
        assert set(statuses) <= {200, 402}
        answered += statuses.count(200)
        spent = home.spent("whole")
        assert spent <= CAP_CENTS * NUSD_PER_CENT
    assert statuses.count(200) == 0
    assert len(provider.bill) == answered >= 4
    rows = [row for row in home.rows() if row["outcome"] == "ok"]
    assert len(rows) == answered
    assert all(TOKENS * NUSD_PER_TOKEN < row["cost_nusd"] <= row["worst_nusd"] for row in rows)
    assert all(row["reserved_nusd"] == row["worst_nusd"] for row in rows)
    assert sum(row["cost_nusd"] for row in rows) == spent
    # What is left is less than one more might cost.
    assert CAP_CENTS * NUSD_PER_CENT - spent < max(row["worst_nusd"] for row in rows)


def test_who_waits_goes_on_as_room_appears_and_the_cap_holds(
    background: Background,
) -> None:
    """Each may cost a third of the cap and costs a hundredth: all fit, if not at once."""

    async def ask_at_once() -> list[int]:
        asking = [asyncio.create_task(ask(home, 4 * TOKENS, str(each))) for each in range(REQUESTS)]
        return [response.status for response in await asyncio.gather(*asking)]

    held = STRICT + 'on_exceed = "hold"\nhold_seconds = 30\n'
    with (
        background.inside(Keeping(Gated(100))) as upstream,
        Home({"anthropic": upstream.url}, budget=held).running() as home,
    ):
        assert background.run(ask_at_once()) == [200] * REQUESTS
        assert len(upstream.served) == REQUESTS
        rows = home.rows()
        assert [row["outcome"] for row in rows] == ["ok"] * REQUESTS
        counter = home.state().limits[0]
        assert (counter.reserved_nusd, counter.refused) == (0, 0)
        assert counter.spent_nusd == sum(row["cost_nusd"] for row in rows) <= CAP_CENTS * NUSD_PER_CENT
        # Two fit at once: a third one always waited for one of them.
        spans = sorted((row["admitted_at"], row["settled_at"]) for row in rows)
        assert all(
            later[0] >= min(a[1], b[1]) for a, b, later in zip(spans, spans[1:], spans[2:], strict=False)
        )


PEOPLE = f"""
[users.alice]
daily_limit_cents = 0
keys = ["{fingerprint(b"sk-ant-alice")}"]

[users.bob]
monthly_limit_cents = 5000
keys = ["{fingerprint(b"sk-ant-bob")}"]

[[limits]]
name = "whole"
window = "total"
limit_cents = 1000
match = {{ project = "strict*" }}
guarantee = "strict"
"""

UNBOUNDED: dict[wire.Api, tuple[str, str]] = {
    "openai.chat": ("/v1/chat/completions", "max_completion_tokens"),
    "openai.responses": ("/v1/responses", "max_output_tokens"),
    "gemini.generate": ("/v1beta/models/gemini-2.5-pro:generateContent", "maxOutputTokens"),
}


@pytest.fixture(scope="module")
def stage(background: Background) -> Iterator[Stage]:
    with staged(background, PEOPLE) as stage:
        yield stage


async def post(home: Home, path: str, body: bytes, *headers: str) -> Message:
    lines = [f"POST {path} HTTP/1.1", f"Host: {home.address}", *headers, f"Content-Length: {len(body)}"]
    async with connected(*home.proxy) as peer:
        await peer.send("\r\n".join([*lines, "", ""]).encode() + body)
        return await peer.response()


@pytest.mark.parametrize("api", UNBOUNDED)
def test_without_a_bound_it_is_refused_with_the_remedy(stage: Stage, api: wire.Api) -> None:
    path, remedy = UNBOUNDED[api]
    project = f"strict {api}"
    question = wire.question(api, wire.MODELS[api][1], 10, stream=False)
    question.pop(remedy, None)
    question.get("generationConfig", {}).pop(remedy, None)
    headers = (f"X-Mark: {project}", f"X-Budget-Project: {project}")
    response = stage.background.run(post(stage.home, path, json.dumps(question).encode(), *headers))
    assert response.status == (402 if api == "openai.chat" else 400)
    said = json.loads(response.body)["error"]["message"]
    assert "whole limit is strict" in said
    assert "no bound" in said
    assert remedy in said
    assert stage.posts(project) == []
    row = stage.row(project)
    assert (row["outcome"], row["worst_nusd"]) == ("refused", None)


@pytest.mark.parametrize(
    "client",
    [each for each in CLIENTS if each.api in UNBOUNDED and not each.stream],
    ids=lambda each: each.id,
)
def test_with_a_bound_it_passes(stage: Stage, client: Exchange) -> None:
    assert stage.ask(client, f"strict, bounded {client.id}") is None


def test_a_person_has_a_cap_of_her_own(stage: Stage) -> None:
    def ask_as(key: str, *headers: str) -> Message:
        body = json.dumps(wire.question("anthropic.messages", MODEL, 100, stream=False)).encode()
        given = (f"X-Api-Key: {key}", f"X-Mark: {key}", *headers)
        return stage.background.run(post(stage.home, "/v1/messages", body, *given))

    response = ask_as("sk-ant-alice")
    assert response.status == 402
    assert "alice" in error_of(response)
    assert "limit of $0.00" in error_of(response)
    assert ask_as("sk-ant-bob").status == 200
    assert ask_as("sk-ant-nobody").status == 200
    assert ask_as("sk-ant-nobody", "X-Budget-User: alice").status == 402
    rows = {row["key"]: row for row in stage.home.rows() if row["key"]}
    alice, bob = rows[fingerprint(b"sk-ant-alice")], rows[fingerprint(b"sk-ant-bob")]
    assert (alice["user"], alice["outcome"]) == ("alice", "refused")
    assert (bob["user"], bob["outcome"]) == ("bob", "ok")
    state = stage.home.state()
    assert bob["cost_nusd"] in [limit.spent_nusd for limit in state.limits if "bob" in limit.name]
