"""What a request to Cohere's chat, embed or rerank asks for, in both versions of its API."""

import re

import msgspec

from budgetd.metering.decoder import Count, Decoder, Strange, name
from budgetd.metering.usage import Ask


class _Request(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    max_tokens: Count | None = None
    connectors: object = None
    conversation_id: object = None
    documents: list[object] | None = None


_REQUESTS = Decoder(_Request)

_ELSEWHERE = re.compile(rb'"(?:url|image_url)"\s*:\s*"(?!data:)')
"""Content by a URL other than a data URL."""

_LEAST_DOCUMENT = 3
"""Bytes of an empty document in a list."""


def chat(target: str, body: bytes) -> Ask:
    """What a request to chat with this plain body asks for."""
    del target
    request = _REQUESTS.decode(body)
    if request is None:
        return Ask(understood=False, body_bytes=len(body))
    return Ask(
        model=name(request.model),
        stream=bool(request.stream),
        output_cap=request.max_tokens,
        open_input=bool(request.conversation_id) or _ELSEWHERE.search(body) is not None,
        server_tool_uses=None if request.connectors else 0,
        body_bytes=len(body),
    )


def embed(target: str, body: bytes) -> Ask:
    """What a request to embed with this plain body asks for: no output is billed."""
    ask = chat(target, body)
    return msgspec.structs.replace(ask, output_cap=0) if ask.understood else ask


def rerank(target: str, body: bytes) -> Ask:
    """What a request to rank documents with this plain body asks for: neither input nor output is billed."""
    ask = embed(target, body)
    request, strange = _REQUESTS.read(body) or (_Request(), Strange())
    documents = len(request.documents or ())
    if strange.within("documents"):
        documents = len(body) // _LEAST_DOCUMENT
    return msgspec.structs.replace(ask, documents=documents) if ask.understood else ask
