"""Exchanges with providers: recorded ones where the corpus is at hand, and some made by hand."""

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from e2e import wire_formats as wire
from e2e.http_bytes import Headers
from metering.exchanges import CODINGS

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "recorded.jsonl"
ABSENT = f"recorded exchanges are not at hand ({CORPUS.name} is not beside the project)"


@dataclass(frozen=True)
class Exchange:
    """One request and its response."""

    id: str
    provider: str
    """Name of the upstream."""
    path: str
    """Path and query as the upstream has to see them."""
    request_body: bytes
    response_body: bytes
    response_headers: Headers
    reports: list[dict[str, Any]]
    """Every usage object of the response, in order: the truth."""
    method: str = "POST"
    status: int = 200
    request_headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)
    model_answered: str = ""
    tier_answered: str = ""

    @property
    def api(self) -> wire.Api | None:
        """The API, of the four that SDKs hold conversations in."""
        if self.method != "POST":
            return None
        return api_of(self.path.partition("?")[0])

    @property
    def dialect(self) -> str | None:
        """Which API's way of reporting its response follows; None for what costs nothing."""
        if self.method != "POST":
            return None
        path = self.path.partition("?")[0]
        if path == "/v1/chat":
            return "cohere" if self.provider == "cohere" else "openai.chat"
        return next((dialect for end, dialect in _DIALECTS.items() if path.endswith(end)), None)

    @property
    def asked(self) -> dict[str, Any]:
        """The request's body."""
        return json.loads(self.request_body)

    @property
    def model_asked(self) -> str:
        if self.request_body.startswith(b"--"):
            return self.request_body.partition(b'name="model"\r\n\r\n')[2].partition(b"\r")[0].decode()
        return self.asked.get("model") or model_in(self.path)

    @property
    def stream(self) -> bool:
        return bool(self.asked.get("stream")) or ":stream" in self.path


_APIS: dict[str, wire.Api] = {
    "/messages": "anthropic.messages",
    "/chat/completions": "openai.chat",
    "/responses": "openai.responses",
    ":generateContent": "gemini.generate",
    ":streamGenerateContent": "gemini.generate",
}


_DIALECTS: dict[str, str] = {
    **_APIS,
    "/completions": "openai.completions",
    "/responses/compact": "openai.responses",
    "/embeddings": "openai.embeddings",
    "/images/generations": "openai.images",
    "/images/edits": "openai.images",
    "/audio/speech": "openai.speech",
    "/audio/transcriptions": "openai.transcriptions",
    "/messages/batches": "anthropic.batches",
    ":batchEmbedContents": "gemini.embed",
    "/v2/chat": "cohere",
    "/v2/embed": "cohere",
    "/converse": "bedrock.converse",
    "/converse-stream": "bedrock.converse",
    "/invoke": "bedrock.invoke",
    "/invoke-with-response-stream": "bedrock.invoke",
    "/api/chat": "ollama",
    "/api/generate": "ollama",
}
"""The first that fits counts."""


def api_of(path: str) -> wire.Api | None:
    """The API of the four that a path belongs to."""
    return next((api for end, api in _APIS.items() if path.endswith(end)), None)


def model_in(path: str) -> str:
    """The model that a path of Gemini's or Bedrock's names; empty for other paths."""
    if path.startswith("/model/"):
        return unquote(path.split("/")[2])
    return path.partition("/models/")[2].partition(":")[0]


def recorded() -> list[Exchange]:
    """Every recorded HTTP exchange; none where the corpus is absent."""
    if not CORPUS.exists():
        return []
    lines = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    return [_read(line) for line in lines if line["kind"] == "http"]


def _read(line: dict[str, Any]) -> Exchange:
    text = line["request_body"] or ""
    encoded = line["request_body_encoding"] == "base64"
    return Exchange(
        id=line["id"],
        provider=line["provider"],
        method=line["method"],
        path=line["path"],
        request_headers=tuple(_headers(line["request_headers"])),
        request_body=base64.b64decode(text) if encoded else text.encode(),
        status=line["status"],
        response_headers=_headers(line["response_headers"]),
        response_body=base64.b64decode(line["response_body"]),
        reports=[report["usage"] for report in line["expected_usage_as_reported"]["reports"]],
        model_answered=line["expected_usage_as_reported"]["model"] or "",
        tier_answered=line["expected_usage_as_reported"]["service_tier"] or "",
    )


def _headers(pairs: list[list[str]]) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def hand_made() -> list[Exchange]:
    """Exchanges in the documented shapes, also in those that were never recorded."""
    made = [_make(api, stream=stream) for api in wire.APIS for stream in (False, True)]
    stream = next(each for each in made if each.id == "anthropic.messages-stream")
    array = wire.gemini_array("gemini-2.5-pro", 700, 900)
    return [
        *made,
        *(
            replace(
                stream,
                id=f"{coding}-stream",
                response_headers=[*stream.response_headers, (b"Content-Encoding", coding.encode())],
                response_body=compress(stream.response_body),
            )
            for coding, compress in CODINGS.items()
        ),
        replace(
            _make("gemini.generate", stream=True),
            id="json-array",
            path="/v1beta/models/gemini-2.5-pro:streamGenerateContent",
            response_headers=_typed("application/json"),
            response_body=array.body,
            reports=array.reports,
        ),
    ]


def _make(api: wire.Api, *, stream: bool) -> Exchange:
    provider, model = wire.MODELS[api]
    path = wire.path_of(api, model, stream=stream)
    answer = wire.answer(api, model, 700, 900, stream=stream)
    return Exchange(
        id=f"{api}-{'stream' if stream else 'whole'}",
        provider=provider,
        path=path,
        request_body=json.dumps(wire.question(api, model, 1000, stream=stream)).encode(),
        response_body=answer.body,
        response_headers=_typed(answer.content_type),
        reports=answer.reports,
        model_answered=model,
    )


def _typed(content_type: str) -> Headers:
    return [
        (b"Content-Type", content_type.encode()),
        (b"Set-Cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"Transfer-Encoding", b"chunked"),
    ]
