"""What no provider charges for passes, also when nothing may be spent, and costs nothing."""

from collections.abc import AsyncIterator, Iterator

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from e2e.background import Background
from e2e.http_bytes import as_forwarded
from e2e.running import Home
from e2e.upstream import Keeping
from support.stream import Message, Stream, connected

COUNTED = b'{"input_tokens":7,"totalTokens":7,"data":[],"models":[],"has_more":false,"object":"list"}'
"""An answer to whatever is asked here."""

FREE = [
    ("HEAD", "/", b""),
    ("GET", "/v1/models", b""),
    ("GET", "/v1/models?limit=20", b""),
    ("GET", "/v1beta/models", b""),
    ("GET", "/v1beta/models/gemini-2.5-pro", b""),
    ("POST", "/v1/messages/count_tokens?beta=true", b'{"model":"claude-opus-4-8","messages":[]}'),
    ("POST", "/v1/responses/input_tokens", b'{"model":"gpt-5","input":"hi"}'),
    ("POST", "/v1beta/models/gemini-2.5-pro:countTokens", b'{"contents":[]}'),
    ("POST", "/v1/files", b"a file"),
    ("POST", "/api/event_logging/batch", b'{"events":[]}'),
    ("POST", "/api/claude_code/metrics", b'{"metrics":[]}'),
]

COSTS = [
    ("POST", "/v1/files/..%2fmessages"),
    ("POST", "/v1/chat/completions/."),
    ("PUT", "/v1/files/../responses"),
    ("POST", "/v1beta/models/gemini-2.5-pro%3AgenerateContent"),
    ("POST", "/openai/v1/models/black-forest-labs/flux-schnell/predictions"),
    ("POST", "/openai/v1/workflows/accounts/fireworks/models/flux-1-dev-fp8/text_to_image"),
    ("POST", "/v1/videos"),
]


async def answer(request: Message) -> AsyncIterator[bytes]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(COUNTED)
    yield head if request.method == "HEAD" else head + COUNTED


@pytest.fixture(scope="module")
def upstream(background: Background) -> Iterator[Keeping]:
    with background.inside(Keeping(answer)) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def home(upstream: Keeping) -> Iterator[Home]:
    upstreams = dict.fromkeys(("anthropic", "openai", "gemini"), upstream.url)
    with Home(upstreams, budget="[budget]\ndaily_limit_cents = 0").running() as home:
        yield home


@pytest.fixture(scope="module")
def client(background: Background, home: Home) -> Iterator[Stream]:
    with background.inside(connected(*home.proxy)) as client:
        yield client


@pytest.mark.parametrize(("method", "target", "body"), FREE)
def test_what_is_free_passes_unchanged(
    background: Background,
    home: Home,
    upstream: Keeping,
    client: Stream,
    method: str,
    target: str,
    body: bytes,
) -> None:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {home.address}", "X-Api-Key: sk-test", "Accept: */*"]
    sent = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
    background.run(client.send(sent))
    received = background.run(client.response(method))
    served = upstream.served[-1]
    assert served.request.raw == as_forwarded(sent, target.encode(), upstream.host)
    assert received.raw == bytes(served.sent)


@pytest.mark.parametrize(("method", "target"), COSTS)
def test_what_is_not_listed_as_free_is_refused(
    background: Background, home: Home, upstream: Keeping, client: Stream, method: str, target: str
) -> None:
    body = b'{"model":"m","messages":[],"prompt":"a cat"}'
    before = len(upstream.served)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {home.address}", f"Content-Length: {len(body)}"]
    background.run(client.send("\r\n".join([*lines, "", ""]).encode() + body))
    assert background.run(client.response(method)).status in {400, 402}
    assert len(upstream.served) == before


def test_the_sdks_count_and_list_for_nothing(home: Home) -> None:
    with anthropic.Anthropic(base_url=home.url, api_key="sk-test") as claude:
        counted = claude.messages.count_tokens(
            model="claude-opus-4-8", messages=[{"role": "user", "content": "hi"}]
        )
        assert counted.input_tokens == 7
        assert claude.models.list().data == []
    with openai.OpenAI(base_url=f"{home.url}/v1", api_key="sk-test") as gpt:
        assert gpt.models.list().data == []
    gemini = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=home.url))
    assert gemini.models.count_tokens(model="gemini-2.5-pro", contents="hi").total_tokens == 7
    gemini.close()


def test_nothing_of_it_is_counted(home: Home) -> None:
    assert [row for row in home.rows() if row["outcome"] != "refused"] == []
    assert home.spent() == 0
    assert home.state().burn.today_nusd == 0
