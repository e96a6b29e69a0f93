"""Where each path leads. The table of DESIGN 9."""

import pytest

from budgetd.config import WELL_KNOWN, Upstream
from budgetd.proxy.routes import find_route

UPSTREAMS = WELL_KNOWN | {
    "azure": Upstream("azure", "https://x.example/openai", "openai", provider="azure"),
    "own": Upstream("own", "http://127.0.0.1:1", "openai", provider="own"),
}

BILLABLE = [
    ("/v1/messages", "anthropic", "anthropic.messages"),
    ("/v1/messages?beta=true", "anthropic", "anthropic.messages"),
    ("/v1/messages/batches", "anthropic", None),
    ("/v1/complete", "anthropic", None),
    ("/v1/chat/completions", "openai", "openai.chat"),
    ("/v1/responses", "openai", "openai.responses"),
    ("/v1/responses/compact", "openai", None),
    ("/v1/completions", "openai", None),
    ("/v1/embeddings", "openai", None),
    ("/v1/images/generations", "openai", None),
    ("/v1/audio/speech", "openai", None),
    ("/v1/batches", "openai", None),
    ("/v1/videos", "openai", None),
    ("/v1beta/models/gemini-3-pro:generateContent", "gemini", "gemini.generate"),
    ("/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse", "gemini", "gemini.generate"),
    ("/v1alpha/models/gemini-3-pro:generateContent", "gemini", "gemini.generate"),
    ("/v1beta/tunedModels/mine:generateContent", "gemini", "gemini.generate"),
    ("/v1beta/models/text-embedding-004:embedContent", "gemini", None),
    ("/v1beta/models/veo-3:predictLongRunning", "gemini", None),
    ("/v1/models/gemini-3-pro:generateContent", "gemini", "gemini.generate"),
    ("/openrouter/v1/chat/completions", "openrouter", "openai.chat"),
    ("/groq/v1/chat/completions", "groq", "openai.chat"),
    ("/anthropic/v1/messages", "anthropic", "anthropic.messages"),
    ("/azure/deployments/d/chat/completions?api-version=1", "azure", "openai.chat"),
    ("/own/v1/messages", "own", "anthropic.messages"),
    ("/own/api/v1/chat/completions", "own", "openai.chat"),
    ("/own/api/chat/completions", "own", "openai.chat"),
    ("/own/api/v1/embeddings", "own", None),
    ("/own/anything", "own", None),
    ("/own/files/../v1/messages", "own", "anthropic.messages"),
    ("/own/models/m/v1/chat/completions", "own", "openai.chat"),
    ("/ollama/api/chat", "ollama", None),
    ("/ollama/api/generate", "ollama", None),
    ("/ollama/api/embeddings", "ollama", None),
]

FREE = [
    ("/v1/messages/count_tokens?beta=true", "anthropic"),
    ("/v1/responses/input_tokens", "openai"),
    ("/v1/responses/resp_1/cancel", "openai"),
    ("/v1/moderations", "openai"),
    ("/v1/files", "openai"),
    ("/v1/uploads/u/parts", "openai"),
    ("/v1beta/models/gemini-3-pro:countTokens", "gemini"),
    ("/upload/v1beta/files", "gemini"),
    ("/v1beta/models", "gemini"),
    ("/api/event_logging/batch", "anthropic"),
    ("/ollama/api/show", "ollama"),
    ("/groq/v1/models", "groq"),
]


@pytest.mark.parametrize(("target", "upstream", "api"), BILLABLE)
def test_what_costs_is_known_to_cost(target: str, upstream: str, api: str | None) -> None:
    route = find_route("POST", target, {}, UPSTREAMS)
    assert route is not None
    assert (route.upstream.name, route.api, route.billable) == (upstream, api, True)


@pytest.mark.parametrize(("target", "upstream"), FREE)
def test_what_costs_nothing_is_known_to_be_free(target: str, upstream: str) -> None:
    route = find_route("POST", target, {}, UPSTREAMS)
    assert route is not None
    assert (route.upstream.name, route.api, route.billable) == (upstream, None, False)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("target", ["/", "/v1/messages", "/v1/chat/completions", "/v1/models", "/v1/files/f"])
def test_asking_for_something_costs_nothing(method: str, target: str) -> None:
    route = find_route(method, target, {}, UPSTREAMS)
    assert route is not None
    assert not route.billable
    assert route.api is None


@pytest.mark.parametrize(
    ("headers", "upstream"),
    [
        ({}, "openai"),
        ({b"authorization": b"Bearer x"}, "openai"),
        ({b"x-api-key": b"x"}, "anthropic"),
        ({b"authorization": b"Bearer x", b"anthropic-version": b"2023-06-01"}, "anthropic"),
        ({b"x-goog-api-key": b"x"}, "gemini"),
    ],
)
@pytest.mark.parametrize("target", ["/v1/models", "/v1/files"])
def test_paths_that_providers_share_go_by_the_authentication(
    headers: dict[bytes, bytes], upstream: str, target: str
) -> None:
    route = find_route("GET", target, headers, UPSTREAMS)
    assert route is not None
    assert route.upstream.name == upstream


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("/openrouter/v1/chat/completions?a=b&a=c", "/api/v1/chat/completions?a=b&a=c"),
        ("/groq/v1/models", "/openai/v1/models"),
        ("/own/", "/"),
        ("/own//x/%2F?", "//x/%2F?"),
        ("/anthropic/anthropic/v1/messages", "/anthropic/v1/messages"),
        ("/v1/messages", "/v1/messages"),
        ("/@a/own/@b/v1", "/@b/v1"),
        ("/?x=/own/", "/?x=/own/"),
    ],
)
def test_the_upstream_is_asked_for_what_is_left_of_the_path_below_its_own(target: str, asked: str) -> None:
    route = find_route("POST", target, {}, UPSTREAMS)
    assert route is not None
    assert route.target == asked


@pytest.mark.parametrize(
    ("prefix", "who"),
    [
        ("/@alice", ("alice", "")),
        ("/@alice:notes", ("alice", "notes")),
        ("/@:notes", ("", "notes")),
        ("/@", ("", "")),
        ("/@a%3Ab:c%2Fd:e", ("a:b", "c/d:e")),
        ("/@%C3%A9", ("é", "")),
    ],
)
@pytest.mark.parametrize("target", ["/v1/messages", "/own/v1/messages"])
def test_a_prefix_says_who_spends(prefix: str, who: tuple[str, str], target: str) -> None:
    route = find_route("POST", prefix + target, {}, UPSTREAMS)
    assert route is not None
    assert (route.user, route.project) == who
    assert route.path == "/v1/messages"
    assert route.target == "/v1/messages"


@pytest.mark.parametrize(
    "target",
    ["/nowhere", "/v2/messages", "/own", "//", "/v1", "/V1/messages", "/@alice/nowhere", "/%2Fv1/messages"],
)
def test_other_paths_lead_nowhere(target: str) -> None:
    assert find_route("POST", target, {}, UPSTREAMS) is None


def test_the_path_for_the_record_has_no_query() -> None:
    route = find_route("POST", "/v1beta/models/g:generateContent?key=secret", {}, UPSTREAMS)
    assert route is not None
    assert route.path == "/v1beta/models/g:generateContent"
