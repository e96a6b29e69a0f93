"""What the paths of the providers' APIs are: metered, free, a socket, or a late result. One table, and its
lookup.

GET, HEAD, OPTIONS and DELETE are free unless they are listed. Every other method costs unless it is listed as
free: a path that is not listed is billable, and not metered. When in doubt, leave it out.

How to read a row:

- Method: the request's. A row that meters a POST holds for PUT, PATCH and any other method that may cost; a
  `FREE` row holds for its own method alone. A GET with an API asks what became of an earlier request, whose
  id stands where ``{id}`` is. `SOCKET` is the handshake of a WebSocket.
- Path: as the provider documents it. A path that the upstream's ``url`` has may stand in front. ``...`` in
  front stands for any path, ``...`` at the end for all paths below. ``{name}`` stands for one part of a path.
- What it is: an API that can be metered, `FREE`, or `BILLED` for what is neither.

The first row that fits counts: the provider's rows (its dialect's, where the provider has none), then those
of `EVERYWHERE`, then the provider's that end in ``...``. So a row with a ``{name}`` comes after the rows that
it would cover.
"""

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote

from budgetd.metering.apis import Api

FREE: Final = "free"
BILLED: Final = "billed"
SOCKET: Final = "SOCKET"

What: TypeAlias = Api | Literal["free", "billed"]

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""Methods that are free unless they are listed."""

MAX_PATH = 2_048
"""Nothing is looked up for a longer path: no provider has one."""


class Resource(NamedTuple):
    """One row of the table."""

    method: Literal["POST", "PUT", "PATCH", "GET", "SOCKET"]
    path: str
    what: What


R: TypeAlias = Resource

EVERYWHERE = (
    # Anthropic's dialect
    R("POST", ".../messages", "anthropic.messages"),
    R("POST", ".../messages/count_tokens", FREE),
    R("POST", ".../messages/batches", "anthropic.batches"),
    R("POST", ".../messages/batches/{id}/cancel", FREE),
    R("GET", ".../messages/batches/{id}/results", "anthropic.batches"),
    R("POST", ".../publishers/anthropic/models/count-tokens:rawPredict", FREE),
    R("POST", ".../publishers/anthropic/models/{model}:rawPredict", "anthropic.messages"),
    R("POST", ".../publishers/anthropic/models/{model}:streamRawPredict", "anthropic.messages"),
    # Ollama's dialect
    R("POST", ".../api/chat", "ollama.generate"),
    R("POST", ".../api/generate", "ollama.generate"),
    R("POST", ".../api/embed", "ollama.generate"),
    R("POST", ".../api/embeddings", "ollama.generate"),
    # OpenAI's dialect
    R("POST", ".../chat/completions", "openai.chat"),
    R("POST", ".../v1/chat", "openai.chat"),  # Writer
    R("POST", ".../publishers/{publisher}/models/{model}:rawPredict", "openai.chat"),
    R("POST", ".../publishers/{publisher}/models/{model}:streamRawPredict", "openai.chat"),
    R("POST", ".../completions", "openai.completions"),
    R("POST", ".../responses", "openai.responses"),
    R("POST", ".../responses/compact", "openai.responses"),
    R("POST", ".../responses/input_tokens", FREE),
    R("POST", ".../responses/{id}/cancel", FREE),
    R("GET", ".../responses/{id}", "openai.responses"),
    R("SOCKET", ".../responses", "openai.responses"),
    R("POST", ".../decisions", "openai.responses"),
    R("POST", ".../embeddings", "openai.embeddings"),
    R("POST", ".../images/generations", "openai.images"),
    R("POST", ".../images/edits", "openai.images"),
    R("POST", ".../images/variations", "openai.images"),
    R("POST", ".../audio/speech", "openai.speech"),
    R("POST", ".../audio/transcriptions", "openai.transcriptions"),
    R("POST", ".../audio/translations", "openai.transcriptions"),
    R("SOCKET", ".../realtime", "openai.realtime"),
    # Gemini's dialect
    R("POST", ".../{model}:generateContent", "gemini.generate"),
    R("POST", ".../{model}:streamGenerateContent", "gemini.generate"),
    R("POST", ".../{model}:embedContent", "gemini.embed"),
    R("POST", ".../{model}:batchEmbedContents", "gemini.embed"),
    R("POST", ".../{model}:predict", "gemini.embed"),
    R("POST", ".../{model}:countTokens", FREE),
    R("POST", ".../{model}:computeTokens", FREE),
    R("SOCKET", ".../{service}.BidiGenerateContent", "gemini.live"),
    R("SOCKET", ".../{service}.BidiGenerateContentConstrained", "gemini.live"),
    R("SOCKET", ".../BidiGenerateContent", "gemini.live"),
    # Cohere's dialect
    R("POST", ".../v2/chat", "cohere.chat"),
    R("POST", ".../v1/embed", "cohere.embed"),
    R("POST", ".../v2/embed", "cohere.embed"),
    R("POST", ".../rerank", "cohere.rerank"),
    # Bedrock's dialect
    R("POST", ".../converse", "bedrock.converse"),
    R("POST", ".../converse-stream", "bedrock.converse"),
    R("POST", ".../invoke", "bedrock.invoke"),
    R("POST", ".../invoke-with-response-stream", "bedrock.invoke"),
    R("POST", ".../model/{model}/count-tokens", FREE),
)
"""What is the same at every provider: many, and most gateways, answer in another's dialect."""

ANTHROPIC = (
    R("POST", "/v1/files", FREE),
    R("POST", "/v1/skills", FREE),
    R("POST", "/v1/skills/{id}/versions", FREE),
    R("POST", "/v1/organizations/...", FREE),
    # What Claude Code reports and asks besides: telemetry, settings, login, feedback.
    R("POST", "/api/event_logging/...", FREE),
    R("POST", "/api/claude_code/...", FREE),
    R("PUT", "/api/claude_code/...", FREE),
    R("POST", "/api/claude_code_shared_session_transcripts", FREE),
    R("POST", "/api/claude_cli/...", FREE),
    R("POST", "/api/claude_cli_feedback", FREE),
    R("POST", "/api/eval/...", FREE),
    R("POST", "/api/eval-authed/...", FREE),
    R("POST", "/api/oauth/...", FREE),
    R("PATCH", "/api/oauth/...", FREE),
    R("POST", "/v1/oauth/token", FREE),
    R("POST", "/v1/logs", FREE),
    R("POST", "/v1/metrics", FREE),
    R("POST", "/v1/traces", FREE),
)

OPENAI_FILES = (
    R("POST", "/v1/files", FREE),
    R("POST", "/v1/uploads", FREE),
    R("POST", "/v1/uploads/{id}/parts", FREE),
    R("POST", "/v1/uploads/{id}/complete", FREE),
    R("POST", "/v1/uploads/{id}/cancel", FREE),
    R("POST", "/v1/batches/{id}/cancel", FREE),
)

OPENAI = (
    *OPENAI_FILES,
    R("POST", "/v1/moderations", FREE),
    R("POST", "/v1/chat/completions/{id}", FREE),
    R("POST", "/v1/conversations", FREE),
    R("POST", "/v1/conversations/{id}", FREE),
    R("POST", "/v1/conversations/{id}/items", FREE),
    R("POST", "/v1/realtime/client_secrets", FREE),
    R("POST", "/v1/realtime/sessions", FREE),
    R("POST", "/v1/realtime/transcription_sessions", FREE),
    R("POST", "/v1/realtime/calls/{id}/hangup", FREE),
    R("POST", "/v1/realtime/calls/{id}/reject", FREE),
    R("POST", "/v1/skills", FREE),
    R("POST", "/v1/skills/{id}", FREE),
    R("POST", "/v1/skills/{id}/versions", FREE),
    # Vector stores: all but their search.
    R("POST", "/v1/vector_stores", FREE),
    R("POST", "/v1/vector_stores/{id}", FREE),
    R("POST", "/v1/vector_stores/{id}/files", FREE),
    R("POST", "/v1/vector_stores/{id}/files/{id}", FREE),
    R("POST", "/v1/vector_stores/{id}/file_batches", FREE),
    R("POST", "/v1/vector_stores/{id}/file_batches/{id}/cancel", FREE),
    # Assistants: all but their runs.
    R("POST", "/v1/assistants", FREE),
    R("POST", "/v1/assistants/{id}", FREE),
    R("POST", "/v1/threads", FREE),
    R("POST", "/v1/threads/runs", BILLED),
    R("POST", "/v1/threads/{id}", FREE),
    R("POST", "/v1/threads/{id}/messages", FREE),
    R("POST", "/v1/threads/{id}/messages/{id}", FREE),
    R("POST", "/v1/threads/{id}/runs/{id}", FREE),
    R("POST", "/v1/threads/{id}/runs/{id}/cancel", FREE),
    # Tuning and evaluating: what starts a job or goes on with it costs.
    R("POST", "/v1/fine_tuning/jobs/{id}/cancel", FREE),
    R("POST", "/v1/fine_tuning/jobs/{id}/pause", FREE),
    R("POST", "/v1/fine_tuning/checkpoints/{id}/permissions", FREE),
    R("POST", "/v1/evals", FREE),
    R("POST", "/v1/evals/{id}", FREE),
    R("POST", "/v1/evals/{id}/runs/{id}", FREE),
    # Administration, and what clients report: the traces of OpenAI's agents, Codex's events.
    R("POST", "/v1/organization/...", FREE),
    R("POST", "/v1/traces/ingest", FREE),
    R("POST", "/analytics-events/...", FREE),
    # Servers of one's own, such as vLLM.
    R("POST", "/tokenize", FREE),
    R("POST", "/detokenize", FREE),
)

AZURE = tuple(
    row._replace(path=row.path.replace("/v1/", f"{root}/", 1))
    for root in ("/openai", "/openai/v1")
    for row in OPENAI
    if row.path.startswith("/v1/")
)

MISTRAL = (  # its moderation and its conversations cost
    R("POST", "/v1/files", FREE),
    R("POST", "/v1/batch/jobs/{id}/cancel", FREE),
    R("POST", "/v1/fine_tuning/jobs/{id}/cancel", FREE),
    R("POST", "/v1/agents", FREE),
    R("POST", "/v1/agents/completions", "openai.chat"),
    R("PATCH", "/v1/agents/{id}", FREE),
    R("POST", "/v1/libraries", FREE),
    R("POST", "/v1/datalake/events", FREE),
)

OPENROUTER = (
    R("POST", "/v1/auth/keys", FREE),
    R("POST", "/v1/auth/keys/code", FREE),
    R("POST", "/v1/keys", FREE),
    R("PATCH", "/v1/keys/{id}", FREE),
)

XAI = (
    *OPENAI_FILES,
    R("POST", "/v1/tokenize-text", FREE),
    R("POST", "/v1/batches/{id}:cancel", FREE),
    R("POST", "/v1/realtime/client_secrets", FREE),
)

TOGETHER = (
    *OPENAI_FILES,
    R("POST", "/v1/files/upload", FREE),
    R("POST", "/v1/fine-tunes/{id}/cancel", FREE),
)

REPLICATE = (
    R("POST", "/v1/files", FREE),
    R("POST", "/v1/predictions/{id}/cancel", FREE),
    R("POST", "/v1/trainings/{id}/cancel", FREE),
)

GEMINI = (  # a cache costs by the hour, and a file search store by what is put into it
    R("POST", "/{version}/files", FREE),
    R("POST", "/{version}/files:register", FREE),
    R("POST", "/upload/{version}/files", FREE),
    R("PUT", "/upload/{version}/files", FREE),
    R("POST", "/{version}/fileSearchStores", FREE),
    R("POST", "/{version}/auth_tokens", FREE),
    R("POST", "/{version}/batches/{id}:cancel", FREE),
    R("POST", "/{version}/operations/{id}:cancel", FREE),
    R("POST", "/{version}/interactions/{id}/cancel", FREE),
    # What Gemini CLI reports and asks besides where its login is Google's.
    R("POST", "/v1internal:loadCodeAssist", FREE),
    R("POST", "/v1internal:onboardUser", FREE),
    R("POST", "/v1internal:setCodeAssistGlobalUserSetting", FREE),
    R("POST", "/v1internal:retrieveUserQuota", FREE),
    R("POST", "/v1internal:retrieveUserQuotaSummary", FREE),
    R("POST", "/v1internal:fetchAdminControls", FREE),
    R("POST", "/v1internal:fetchAvailableModels", FREE),
    R("POST", "/v1internal:fetchUserInfo", FREE),
    R("POST", "/v1internal:setUserSettings", FREE),
    R("POST", "/v1internal:listExperiments", FREE),
    R("POST", "/v1internal:recordCodeAssistMetrics", FREE),
    R("POST", "/v1internal:recordClientEvent", FREE),
)

VERTEX = (
    R("POST", "/{version}/projects/{project}/locations/{location}/operations/{id}:cancel", FREE),
    R("POST", "/{version}/projects/{project}/locations/{location}/batchPredictionJobs/{id}:cancel", FREE),
)

COHERE = (
    R("POST", ".../v1/chat", "cohere.chat"),
    R("POST", "/v1/tokenize", FREE),
    R("POST", "/v1/detokenize", FREE),
    R("POST", "/v1/check-api-key", FREE),
    R("POST", "/v1/datasets", FREE),
    R("POST", "/v1/embed-jobs/{id}/cancel", FREE),
)

OLLAMA = (
    R("POST", "/api/show", FREE),
    R("POST", "/api/pull", FREE),
    R("POST", "/api/push", FREE),
    R("POST", "/api/create", FREE),
    R("POST", "/api/copy", FREE),
    R("POST", "/api/blobs/{digest}", FREE),
    R("POST", "/api/me", FREE),
    R("POST", "/api/signout", FREE),
)

BY_PROVIDER = {
    "anthropic": ANTHROPIC,
    "openai": OPENAI,
    "azure": AZURE,
    "groq": OPENAI_FILES,
    "mistral": MISTRAL,
    "openrouter": OPENROUTER,
    "xai": XAI,
    "together": TOGETHER,
    "replicate": REPLICATE,
    "huggingface": (),
    "gemini": GEMINI,
    "vertex": VERTEX,
    "cohere": COHERE,
    "bedrock": (),
    "ollama": OLLAMA,
}
"""By the name of a provider, or of a dialect."""


class Found(NamedTuple):
    """What a request asks for, by its method and path."""

    api: Api | None
    """The API that can be metered; None where it is not understood."""
    billable: bool
    late: str
    """The provider's id of an earlier request, where the answer tells what that one used."""
    path: str
    """The path as an upstream may read it: unquoted, without dot segments."""


def find(provider: str, dialect: str, prefix: str, method: str, path: str) -> Found:
    """What a request asks for.

    Args:
        provider: who bills.
        dialect: of the upstream, for a provider that has no rows.
        prefix: the path of the upstream's url.
        method: of the request, or `SOCKET`.
        path: below the upstream's url, as it came, without query.
    """
    if len(path) > MAX_PATH:
        return Found(None, _may_cost(method), "", "")
    return _find(provider, dialect, prefix, method, path)


@lru_cache(1024)
def _find(provider: str, dialect: str, prefix: str, method: str, path: str) -> Found:
    raw = [unquote(part) for part in path.removesuffix("/").split("/")[1:]]
    parts = _resolved(raw)
    read = "/" + "/".join(parts)
    plain = parts == raw and all(_PLAIN.fullmatch(part) for part in parts)
    front = [part for part in prefix.split("/") if part]
    # An id may hold a slash: to ask what became of a request, the parts are taken as they came.
    searched = _with_verb([*front, *(raw if method == "GET" else parts)])
    for row in _OF_PROVIDER.get(provider, _OF_PROVIDER.get(dialect, _EVERYWHERE)):
        if row.holds_for(method, plain=plain) and row.fits(searched, len(front)):
            return row.found(searched, read)
    return Found(None, _may_cost(method), "", read)


_PLAIN = re.compile(r"[\w.:@~+=,-]+", re.ASCII)
"""A part of a path that every server reads in the same way. No other path is free."""


class _Row:
    """A row of the table, ready to be compared with paths."""

    def __init__(self, resource: Resource) -> None:
        self._method = resource.method
        self._what: What = resource.what
        path = resource.path
        self._anywhere = path.startswith("...")
        self._below = path.endswith("/...")
        self._parts = _with_verb(path.removeprefix("...").removesuffix("/...").split("/")[1:])

    def holds_for(self, method: str, *, plain: bool) -> bool:
        if self._what == FREE:
            return plain and method == self._method
        return _may_cost(method) if self._method == "POST" else method == self._method

    def fits(self, parts: list[str], owned: int) -> bool:
        """Whether a path is this one. ``owned``: how many of its parts are the upstream's own."""
        spare = len(parts) - len(self._parts)
        if self._below:
            return any(self._fits_at(start, parts) for start in range(min(owned + 1, spare)))
        if spare < 0 or not _fits(self._parts[-1], parts[-1]):  # most rows end here
            return False
        return (spare <= owned or self._anywhere) and self._fits_at(spare, parts)

    def _fits_at(self, start: int, parts: list[str]) -> bool:
        return all(map(_fits, self._parts, parts[start:]))

    def found(self, parts: list[str], path: str) -> Found:
        what = self._what
        if what in (FREE, BILLED):
            return Found(None, what == BILLED, "", path)
        if self._method != "GET":
            return Found(what, True, "", path)
        return Found(what, False, parts[len(parts) - len(self._parts) + self._parts.index("{id}")], path)


def _fits(own: str, part: str) -> bool:
    return own == part or (own.startswith("{") and part != "")


def _may_cost(method: str) -> bool:
    return method not in SAFE and method != SOCKET


def _resolved(raw: list[str]) -> list[str]:
    """The parts of a path without dot segments, empty parts and slashes within a part."""
    parts: list[str] = []
    for part in "/".join(raw).split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return parts


def _with_verb(parts: list[str]) -> list[str]:
    """The parts with the verb that the last one ends in as a part of its own."""
    for mark in (":", "."):
        name, found, verb = parts[-1].rpartition(mark) if parts else ("", "", "")
        if found and found + verb in _VERBS:
            return [*parts[:-1], name, found + verb]
    return parts


_VERBS = frozenset(
    verb[0]
    for rows in (EVERYWHERE, *BY_PROVIDER.values())
    for row in rows
    if (verb := re.search(r"[:.]\w+$", row.path))
)
"""What the last part of a path may end in beside its name."""


def _in_order(own: tuple[Resource, ...]) -> tuple[_Row, ...]:
    exact = [row for row in own if not row.path.endswith("/...")]
    return tuple(_Row(row) for row in dict.fromkeys((*exact, *EVERYWHERE, *own)))


_EVERYWHERE = _in_order(())
_OF_PROVIDER = {provider: _in_order(rows) for provider, rows in BY_PROVIDER.items()}
