"""A request for which there is no room is sent for a cheaper model: the model's name is all that changes."""

import gzip
import json
import re
from collections.abc import Iterator

import pytest

from e2e.background import Background
from e2e.exchange import Exchange
from e2e.http_bytes import as_forwarded
from e2e.stage import CLAUDE_CODE, CLIENTS, Stage, is_refusal, staged
from e2e.truth import hold_against_the_truth
from support.stream import Message, connected

FALLBACKS = {"anthropic": "claude-haiku-4-5", "openai": "gpt-4o-mini", "gemini": "gemini-2.5-flash"}

TEMPLATE = """
[[limits]]
name = "cheaper {provider}"
window = "day"
limit_cents = 10
match = {{ provider = "{provider}", project = "cheaper*" }}
per = "project"
on_exceed = "downgrade"
fallback_model = "{fallback}"
guarantee = "strict"
"""

CAP = 12_000
"""Output tokens that cost more than ten cents of each model asked for, and less of its fallback."""

TIGHT = """
[[limits]]
name = "tight {provider}"
window = "day"
limit_cents = 0
match = {{ provider = "{provider}", project = "tight*" }}
on_exceed = "downgrade"
fallback_model = "{fallback}"
"""


def each_provider(text: str) -> str:
    return "".join(
        text.format(provider=provider, fallback=fallback) for provider, fallback in FALLBACKS.items()
    )


SDKS = [each for each in CLIENTS if each is not CLAUDE_CODE]
each_client = pytest.mark.parametrize("client", SDKS, ids=lambda client: client.id)

AGENT = """
[budget]
daily_limit_cents = 1000000

[[limits]]
name = "agent"
window = "day"
limit_cents = 20
headroom_cents = 12
match = { project = "agent*" }
on_exceed = "downgrade"
fallback_model = "claude-haiku-4-5"

[[limits]]
name = "dearer"
window = "day"
limit_cents = 0
match = { project = "dearer*" }
on_exceed = "downgrade"
fallback_model = "claude-opus-4-8"
"""

BUDGET = AGENT + each_provider(TEMPLATE) + each_provider(TIGHT)


@pytest.fixture(scope="module")
def stage(background: Background) -> Iterator[Stage]:
    with staged(background, BUDGET) as stage:
        yield stage


def as_downgraded(sent: bytes, target: bytes, host: bytes, asked: str, fallback: str) -> bytes:
    """A request as the upstream has to see it: another model, a length that fits, and nothing else."""
    head, end, body = as_forwarded(sent, target, host).partition(b"\r\n\r\n")
    if f"/models/{asked}:".encode() in target:
        return head.replace(f"/models/{asked}:".encode(), f"/models/{fallback}:".encode(), 1) + end + body
    assert body.count(f'"{asked}"'.encode()) == 1
    body = body.replace(f'"{asked}"'.encode(), f'"{fallback}"'.encode())
    length = re.compile(rb"(?i)(?<=\r\ncontent-length: )\d+")
    assert len(length.findall(head)) == 1
    return length.sub(b"%d" % len(body), head) + end + body


def last_post(sent: bytes) -> bytes:
    """What was sent, without what a client asks before its question."""
    return sent[sent.index(b"POST /") :]


@each_client
def test_only_the_model_changes_on_the_way(stage: Stage, client: Exchange) -> None:
    project, fallback = f"cheaper {client.id}", FALLBACKS[client.provider]
    assert stage.ask(client, project, cap=CAP) is None
    (served,) = stage.posts(project)
    sent = last_post(stage.relay.sent)
    target = sent.split(b" ")[1]
    assert served.request.raw == as_downgraded(
        sent, target, stage.upstream.host, client.model_asked, fallback
    )
    assert stage.received_whole(project)
    row = stage.row(project)
    hold_against_the_truth(row, stage.billed(project))
    assert (row["outcome"], row["model_billed"]) == ("ok", fallback)
    assert client.model_asked in {row["model"], row["asked_model"]}


def test_an_agent_goes_on_with_the_cheaper_model(stage: Stage) -> None:
    assert stage.ask(CLAUDE_CODE, "agent") is None
    (served,) = stage.posts("agent")
    sent = last_post(stage.relay.sent)
    assert served.request.raw == as_downgraded(
        sent, sent.split(b" ")[1], stage.upstream.host, "claude-sonnet-4-6", "claude-haiku-4-5"
    )
    assert stage.received_whole("agent")
    row = stage.row("agent")
    assert (row["outcome"], row["model_billed"]) == ("ok", "claude-haiku-4-5")


def test_in_flight_it_shows_both_models(stage: Stage) -> None:
    project = "cheaper, shown"
    stage.stop(project)
    asking = stage.begin(SDKS[0], project, cap=CAP)
    stage.background.run(stage.provider.reached(project))
    shown = stage.in_flight(project, "sent", "answering")
    assert (shown.model, shown.asked_model) == ("claude-haiku-4-5", SDKS[0].model_asked)
    assert stage.limit("cheaper anthropic", project).reserved_nusd == shown.reserved_nusd > 0
    stage.go_on(project)
    assert stage.end(asking) is None


@each_client
def test_where_there_is_no_room_for_the_fallback_either_it_is_refused(stage: Stage, client: Exchange) -> None:
    project = f"tight {client.id}"
    error = stage.ask(client, project)
    assert is_refusal(error, client)
    assert FALLBACKS[client.provider] in str(error)
    assert stage.relay.sent.count(b"POST /") == 1
    assert stage.posts(project) == []
    row = stage.row(project)
    assert (row["outcome"], row["model"]) == ("refused", client.model_asked)
    assert stage.limit(f"tight {client.provider}").reserved_nusd == 0


def test_a_fallback_that_is_not_cheaper_is_not_taken(stage: Stage) -> None:
    error = stage.ask(SDKS[0], "dearer")
    assert is_refusal(error, SDKS[0])
    assert "claude-opus-4-8 would not be cheaper" in str(error)
    assert stage.posts("dearer") == []


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_a_fallback_of_another_provider_is_not_sent_to_this_one(
    background: Background, provider: str
) -> None:
    client = next(each for each in SDKS if each.provider == provider)
    budget = '[budget]\ndaily_limit_cents = 0\nfallback_model_on_exceed = "claude-haiku-4-5"\n'
    with staged(background, budget) as stage:
        assert is_refusal(stage.ask(client, "elsewhere"), client)
        assert stage.posts("elsewhere") == []
        assert stage.row("elsewhere")["outcome"] == "refused"


# bodies that are framed or packed otherwise


QUESTION = {
    "metadata": {"model": "claude-sonnet-4-6", "user_id": 'say \\"model\\": \\"none\\"'},
    "messages": [{"role": "user", "content": '你好 "model": "claude-sonnet-4-6"'}],
    "model": "claude-sonnet-4-6",
    "max_tokens": CAP,
}
BODY = json.dumps(QUESTION, ensure_ascii=False, indent=1).encode()
CHEAPER = json.dumps({**QUESTION, "model": "claude-haiku-4-5"}, ensure_ascii=False, indent=1).encode()


def ask_raw(stage: Stage, project: str, body: bytes, *headers: str) -> Message:
    async def ask() -> Message:
        lines = ["POST /v1/messages HTTP/1.1", f"Host: {stage.home.address}", f"X-Mark: {project}", *headers]
        async with connected(*stage.home.proxy) as peer:
            await peer.send("\r\n".join([*lines, f"X-Budget-Project: {project}", "", ""]).encode() + body)
            return await peer.response()

    return stage.background.run(ask())


def test_only_the_model_of_the_top_level_changes(stage: Stage) -> None:
    project = "cheaper, nested"
    assert ask_raw(stage, project, BODY, f"Content-Length: {len(BODY)}").status == 200
    (served,) = stage.posts(project)
    assert served.request.framed == CHEAPER


def test_a_chunked_body_stays_chunked(stage: Stage) -> None:
    project = "cheaper, chunked"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in (BODY[:60], BODY[60:]))
    assert ask_raw(stage, project, chunks + b"0\r\n\r\n", "Transfer-Encoding: chunked").status == 200
    (served,) = stage.posts(project)
    assert served.request.values(b"transfer-encoding") == [b"chunked"]
    assert served.request.values(b"content-length") == []
    assert served.request.body == CHEAPER


def test_a_compressed_body_is_understood_by_the_upstream(stage: Stage) -> None:
    project = "cheaper, packed"
    packed = gzip.compress(BODY)
    headers = (f"Content-Length: {len(packed)}", "Content-Encoding: gzip")
    assert ask_raw(stage, project, packed, *headers).status == 200
    (served,) = stage.posts(project)
    encodings = served.request.values(b"content-encoding")
    assert encodings in ([b"gzip"], [])
    body = served.request.body
    assert (gzip.decompress(body) if encodings else body) == CHEAPER
