"""Where each path leads. The table of DESIGN 9."""

import pytest

from budgetd.config import WELL_KNOWN, Upstream
from budgetd.proxy.routes import find_route
from budgetd.proxy.wording import no_route

UPSTREAMS = WELL_KNOWN | {
    "azure": Upstream("azure", "https://x.example/openai", "openai", provider="azure"),
    "bedrock": Upstream("bedrock", "https://x.example", "bedrock", provider="bedrock"),
    "vertex": Upstream("vertex", "https://v.example", "gemini", provider="vertex"),
    "own": Upstream("own", "http://127.0.0.1:1", "openai", provider="own"),
}

VERTEX = "/vertex/v1/projects/p/locations/global/publishers"

BILLABLE = [
    ("/v1/messages", "anthropic", "anthropic.messages"),
    ("/v1/messages?beta=true", "anthropic", "anthropic.messages"),
    ("/v1/messages/batches", "anthropic", "anthropic.batches"),
    ("/v1/complete", "anthropic", None),
    ("/v1/chat/completions", "openai", "openai.chat"),
    ("/v1/responses", "openai", "openai.responses"),
    ("/v1/responses/compact", "openai", "openai.responses"),
    ("/v1/completions", "openai", "openai.completions"),
    ("/v1/decisions", "openai", "openai.responses"),
    ("/v1/embeddings", "openai", "openai.embeddings"),
    ("/v1/images/generations", "openai", "openai.images"),
    ("/v1/images/edits", "openai", "openai.images"),
    ("/v1/images/variations", "openai", "openai.images"),
    ("/v1/audio/speech", "openai", "openai.speech"),
    ("/v1/audio/transcriptions", "openai", "openai.transcriptions"),
    ("/v1/audio/translations", "openai", "openai.transcriptions"),
    ("/v1/batches", "openai", None),
    ("/v1/videos", "openai", None),
    ("/v1beta/models/gemini-3-pro:generateContent", "gemini", "gemini.generate"),
    ("/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse", "gemini", "gemini.generate"),
    ("/v1alpha/models/gemini-3-pro:generateContent", "gemini", "gemini.generate"),
    ("/v1beta/tunedModels/mine:generateContent", "gemini", "gemini.generate"),
    ("/v1beta/models/gemini-embedding-001:embedContent", "gemini", "gemini.embed"),
    ("/v1beta/models/gemini-embedding-001:batchEmbedContents", "gemini", "gemini.embed"),
    ("/v1beta/models/imagen-4.0:predict", "gemini", "gemini.embed"),
    ("/v1beta/models/veo-3:predictLongRunning", "gemini", None),
    ("/v1/models/gemini-3-pro:generateContent", "gemini", "gemini.generate"),
    ("/openrouter/v1/chat/completions", "openrouter", "openai.chat"),
    ("/groq/v1/chat/completions", "groq", "openai.chat"),
    ("/anthropic/v1/messages", "anthropic", "anthropic.messages"),
    ("/azure/deployments/d/chat/completions?api-version=1", "azure", "openai.chat"),
    ("/azure/deployments/d/completions?api-version=1", "azure", "openai.completions"),
    ("/azure/deployments/d/embeddings?api-version=1", "azure", "openai.embeddings"),
    ("/azure/deployments/d/images/generations", "azure", "openai.images"),
    ("/azure/deployments/d/audio/speech", "azure", "openai.speech"),
    ("/azure/deployments/d/audio/translations", "azure", "openai.transcriptions"),
    ("/mistral/v1/fim/completions", "mistral", "openai.completions"),
    ("/own/v1/chat", "own", "openai.chat"),
    (f"{VERTEX}/google/models/gemini-3-pro:generateContent", "vertex", "gemini.generate"),
    (f"{VERTEX}/google/models/gemini-embedding-001:predict", "vertex", "gemini.embed"),
    (f"{VERTEX}/anthropic/models/claude-opus-4-8:rawPredict", "vertex", "anthropic.messages"),
    (f"{VERTEX}/anthropic/models/claude-opus-4-8:streamRawPredict", "vertex", "anthropic.messages"),
    (f"{VERTEX}/mistralai/models/codestral:streamRawPredict", "vertex", "openai.chat"),
    ("/own/v1/messages", "own", "anthropic.messages"),
    ("/own/api/v1/chat/completions", "own", "openai.chat"),
    ("/own/api/chat/completions", "own", "openai.chat"),
    ("/own/api/v1/embeddings", "own", "openai.embeddings"),
    ("/own/anything", "own", None),
    ("/own/files/../v1/messages", "own", "anthropic.messages"),
    ("/own/models/m/v1/chat/completions", "own", "openai.chat"),
    ("/ollama/api/chat", "ollama", "ollama.generate"),
    ("/ollama/api/generate", "ollama", "ollama.generate"),
    ("/ollama/api/embed", "ollama", "ollama.generate"),
    ("/ollama/api/embeddings", "ollama", "ollama.generate"),
    ("/ollama/v1/chat/completions", "ollama", "openai.chat"),
    ("/cohere/v1/chat", "cohere", "cohere.chat"),
    ("/cohere/v2/chat", "cohere", "cohere.chat"),
    ("/cohere/v1/embed", "cohere", "cohere.embed"),
    ("/cohere/v2/embed", "cohere", "cohere.embed"),
    ("/cohere/v2/rerank", "cohere", "cohere.rerank"),
    ("/cohere/v1/classify", "cohere", None),
    ("/mistral/v1/conversations", "mistral", None),
    ("/mistral/v1/conversations/c", "mistral", None),
    ("/bedrock/model/us.amazon.nova-2-lite-v1%3A0/converse", "bedrock", "bedrock.converse"),
    ("/bedrock/model/us.amazon.nova-2-lite-v1%3A0/converse-stream", "bedrock", "bedrock.converse"),
    ("/bedrock/model/m/invoke", "bedrock", "bedrock.invoke"),
    ("/bedrock/model/m/invoke-with-response-stream", "bedrock", "bedrock.invoke"),
    ("/bedrock/guardrail/g/version/1/apply", "bedrock", None),
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
    ("/api/event_logging/batch", "anthropic"),
    ("/ollama/api/show", "ollama"),
    ("/cohere/v1/tokenize", "cohere"),
    ("/cohere/v1/detokenize", "cohere"),
    ("/bedrock/model/m/count-tokens", "bedrock"),
    ("/groq/v1/files", "groq"),
    ("/v1/chat/completions/chatcmpl-1", "openai"),
    ("/v1/conversations", "openai"),
    ("/v1/conversations/c/items", "openai"),
    ("/v1/realtime/client_secrets", "openai"),
    ("/v1/skills", "anthropic"),
    ("/v1/messages/batches/b/cancel", "anthropic"),
    (f"{VERTEX}/anthropic/models/count-tokens:rawPredict", "vertex"),
    (f"{VERTEX}/google/models/gemini-3-pro:countTokens", "vertex"),
    (f"{VERTEX}/google/models/gemini-3-pro:computeTokens", "vertex"),
    ("/own/tokenize", "own"),
]


LISTINGS = ["/v1/models", "/v1beta/models", "/groq/v1/models"]


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
@pytest.mark.parametrize("target", ["/", "/v1/messages", "/v1/chat/completions", "/v1/files/f", *LISTINGS])
def test_asking_for_something_costs_nothing(method: str, target: str) -> None:
    route = find_route(method, target, {}, UPSTREAMS)
    assert route is not None
    assert not route.billable
    assert route.api is None


@pytest.mark.parametrize(
    ("target", "api", "late"),
    [
        ("/v1/responses/resp_1", "openai.responses", "resp_1"),
        ("/v1/responses/resp_1?stream=true&starting_after=0", "openai.responses", "resp_1"),
        ("/azure/v1/responses/resp_1", "openai.responses", "resp_1"),
        ("/v1/messages/batches/msgbatch_1/results", "anthropic.batches", "msgbatch_1"),
        ("/own/v1/messages/batches/a%2Fb/results", "anthropic.batches", "a/b"),
        ("/v1/messages/batches/msgbatch_1", None, ""),
        ("/v1/messages/batches", None, ""),
        ("/v1/responses/resp_1/input_items", None, ""),
        ("/v1/responses", None, ""),
    ],
)
def test_what_tells_of_an_earlier_request_names_it(target: str, api: str | None, late: str) -> None:
    route = find_route("GET", target, {}, UPSTREAMS)
    assert route is not None
    assert (route.api, route.billable, route.late) == (api, False, late)
    deleted = find_route("DELETE", target, {}, UPSTREAMS)
    assert deleted is not None
    assert (deleted.api, deleted.billable, deleted.late) == (None, False, "")


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


@pytest.mark.parametrize(
    ("target", "upstream", "asked"),
    [
        ("/messages?beta=true", "anthropic", "/v1/messages?beta=true"),
        ("/messages/count_tokens", "anthropic", "/v1/messages/count_tokens"),
        ("/responses", "openai", "/v1/responses"),
        ("/chat/completions", "openai", "/v1/chat/completions"),
        ("/embeddings", "openai", "/v1/embeddings"),
        ("/@maria:acme-api/chat/completions", "openai", "/v1/chat/completions"),
        ("/openai/chat/completions", "openai", "/chat/completions"),  # below a name nothing is added
        ("/models/gemini-2.5-pro:generateContent", "gemini", "/models/gemini-2.5-pro:generateContent"),
    ],
)
def test_a_bare_path_without_its_version_is_taken_as_with_it(target: str, upstream: str, asked: str) -> None:
    route = find_route("POST", target, {}, UPSTREAMS)
    assert route is not None
    assert (route.upstream.name, route.target) == (upstream, route.upstream.prefix + asked)


def test_models_without_a_version_go_by_the_authentication() -> None:
    route = find_route("GET", "/models", {b"x-api-key": b"k"}, UPSTREAMS)
    assert route is not None
    assert (route.upstream.name, route.target) == ("anthropic", "/v1/models")


@pytest.mark.parametrize("target", ["/v1/v1/messages", "/@maria/v1/v1/messages", "/openai/v1/v1/responses"])
def test_a_version_that_stands_there_twice_says_what_to_change(target: str) -> None:
    assert find_route("POST", target, {b"x-api-key": b"k"}, UPSTREAMS) is None
    assert b"take /v1 off the end of the client's base URL" in no_route(target, UPSTREAMS, close=False)


def test_the_path_for_the_record_has_no_query() -> None:
    route = find_route("POST", "/v1beta/models/g:generateContent?key=secret", {}, UPSTREAMS)
    assert route is not None
    assert route.path == "/v1beta/models/g:generateContent"
