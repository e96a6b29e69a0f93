"""Where a request goes: from its path and its authentication headers to an upstream and an API. Pure.

Bare provider paths go by their shape, ``/NAME/…`` to the upstream of that name, and ``/@user…`` or
``/@user:project/…`` in front of either says who is spending (DESIGN 9).
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from budgetd.config import Upstream
from budgetd.metering import Api

FREE = re.compile(
    r"/(count[-_]tokens|input_tokens|tokenize|detokenize|moderations|cancel)$|/count-tokens:rawPredict$"
    r"|:(countTokens|computeTokens|cancel)$|/models(/[^:]*)?$|/(files|uploads|conversations|skills)(/|$)"
    r"|/realtime/(client_secrets|sessions|transcription_sessions)$|/chat/completions/[^/]+$"
    r"|/v1/organizations(/|$)|^/api/(?!v1/|chat|generate|embed)"
)
"""Paths at which a POST costs nothing: counting, moderating, listing, uploading, cancelling. What has one of
the `SHAPES` always costs.
"""

SHAPES: tuple[tuple[str, Api], ...] = (
    ("/messages", "anthropic.messages"),
    ("/messages/batches", "anthropic.batches"),
    ("/chat/completions", "openai.chat"),
    ("/completions", "openai.completions"),
    ("/responses", "openai.responses"),
    ("/responses/compact", "openai.responses"),
    ("/decisions", "openai.responses"),
    ("/images/generations", "openai.images"),
    ("/images/edits", "openai.images"),
    ("/images/variations", "openai.images"),
    ("/audio/speech", "openai.speech"),
    ("/audio/transcriptions", "openai.transcriptions"),
    ("/audio/translations", "openai.transcriptions"),
    (":generateContent", "gemini.generate"),
    (":streamGenerateContent", "gemini.generate"),
    (":embedContent", "gemini.embed"),
    (":batchEmbedContents", "gemini.embed"),
    (":predict", "gemini.embed"),
    ("/v1/chat", "cohere.chat"),
    ("/v2/chat", "cohere.chat"),
    ("/v1/embed", "cohere.embed"),
    ("/v2/embed", "cohere.embed"),
    ("/rerank", "cohere.rerank"),
    ("/converse", "bedrock.converse"),
    ("/converse-stream", "bedrock.converse"),
    ("/invoke", "bedrock.invoke"),
    ("/invoke-with-response-stream", "bedrock.invoke"),
    ("/api/chat", "ollama.generate"),
    ("/api/generate", "ollama.generate"),
    ("/api/embed", "ollama.generate"),
    ("/api/embeddings", "ollama.generate"),
    ("/embeddings", "openai.embeddings"),
)
"""How a path ends and what it speaks then, whatever the upstream: many answer in another's shape. The first
that fits counts.
"""

SOCKETS: tuple[tuple[str, Api], ...] = (
    ("/realtime", "openai.realtime"),
    ("/responses", "openai.responses"),
    ("BidiGenerateContent", "gemini.live"),
    ("BidiGenerateContentConstrained", "gemini.live"),
)
"""How a path ends and what is spoken over WebSocket then."""

RAW_PREDICT = re.compile(r"/publishers/(\w+)/models/(?!count-tokens:)[^/]+:(rawPredict|streamRawPredict)$")
"""Where Vertex AI passes a request on to a publisher's model as it is."""

LATE: tuple[tuple[re.Pattern[str], Api], ...] = (
    (re.compile(r"/responses/([^/]+)$"), "openai.responses"),
    (re.compile(r"/messages/batches/([^/]+)/results$"), "anthropic.batches"),
)
"""What is asked for to learn what became of an earlier request, by its id."""

OPENAI = re.compile(
    r"/v1/(chat|responses|completions|embeddings|images|audio|moderations|models|files|uploads|batches"
    r"|fine_tuning|vector_stores|assistants|threads|realtime|conversations|containers|evals|videos|decisions)(/|$)"
)
ANTHROPIC = re.compile(r"/v1/(messages|complete|organizations|skills)(/|$)|/api/|/$")
GEMINI = re.compile(
    r"^/ws/google\.ai\.|/(v1beta|v1alpha|upload/v1beta)/|:(generate|streamGenerate|embed|batchEmbed|count)"
)


class Route(msgspec.Struct, frozen=True):
    """Where a request goes and what it speaks."""

    upstream: Upstream
    target: str
    """Path and query to ask the upstream for, its own path prefix included."""
    path: str
    """The path without query or prefixes, for the record."""
    api: Api | None
    """The API that can be metered; None where it is not understood."""
    billable: bool
    """False for what no provider charges for."""
    user: str = ""
    project: str = ""
    late: str = ""
    """The provider's id of an earlier request, where the answer tells what that one used."""


def find_route(
    method: str, target: str, headers: Mapping[bytes, bytes], upstreams: Mapping[str, Upstream]
) -> Route | None:
    """The route of a request, or None where its path leads nowhere.

    Args:
        method: the HTTP method.
        target: path and query as they came.
        headers: by lower-case name.
        upstreams: by name.
    """
    user = project = ""
    if target.startswith("/@"):
        who, slash, rest = target[2:].partition("/")
        target = slash + rest or "/"
        user, _, project = (unquote(part) for part in who.partition(":"))
    upstream = None
    name, slash, rest = target[1:].partition("/")
    if slash and name in upstreams:
        upstream = upstreams[name]
        target = slash + rest
    path = target.partition("?")[0]
    if upstream is None:
        family = _family(path, headers)
        if family is None or family not in upstreams:
            return None
        upstream = upstreams[family]
    late = ""
    if wants_socket(headers):
        spoken = _spoken(path) if method == "GET" else None
        return Route(upstream, upstream.prefix + target, path, spoken, spoken is not None, user, project)
    api = _api(path, upstream)
    billable = method in {"POST", "PUT", "PATCH"} and (api is not None or not _is_free(path, upstream))
    if not billable:
        api, late = _late(path) if method == "GET" else (None, "")
    return Route(upstream, upstream.prefix + target, path, api, billable, user, project, late)


def wants_socket(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request asks for a WebSocket, by its headers' lower-case names."""
    return b"websocket" in headers.get(b"upgrade", b"").lower()


def _api(path: str, upstream: Upstream) -> Api | None:
    raw = RAW_PREDICT.search(path)
    if raw is not None:
        return "anthropic.messages" if raw[1] == "anthropic" else "openai.chat"
    for ending, api in SHAPES:
        if path.endswith(ending):
            return "openai.chat" if ending == "/v1/chat" and not _is_cohere(upstream) else api
    return None


def _is_free(path: str, upstream: Upstream) -> bool:
    """Whether a path that has no shape costs nothing. At Mistral a conversation answers."""
    answers = upstream.provider == "mistral" and "/conversations" in path
    return FREE.search(path) is not None and not answers


def _is_cohere(upstream: Upstream) -> bool:
    """Whether ``/v1/chat`` is Cohere's there; Writer speaks OpenAI's dialect at the same path."""
    return "cohere" in (upstream.dialect, upstream.provider)


def _spoken(path: str) -> Api | None:
    """What is spoken over a WebSocket."""
    for ending, api in SOCKETS:
        if path.endswith(ending):
            return api
    return None


def _late(path: str) -> tuple[Api | None, str]:
    """What is learned of an earlier request, and its id."""
    for pattern, api in LATE:
        if asked := pattern.search(path):
            return api, unquote(asked[1])
    return None, ""


def _family(path: str, headers: Mapping[bytes, bytes]) -> str | None:
    """The provider whose paths look like this."""
    if GEMINI.search(path) or (b"x-goog-api-key" in headers and path.startswith("/v1/")):
        return "gemini"
    if ANTHROPIC.match(path):
        return "anthropic"
    if path.startswith("/v1/") and (b"anthropic-version" in headers or b"x-api-key" in headers):
        return "anthropic"
    return "openai" if OPENAI.match(path) else None
