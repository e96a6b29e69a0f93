"""Peeking at a request's body: its compression and its dialect put together."""

import re
from collections.abc import Callable
from urllib.parse import unquote

import msgspec

from budgetd.metering.apis import Api
from budgetd.metering.asks import (
    anthropic,
    anthropic_batches,
    bedrock,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_images,
    openai_responses,
    openai_speech,
    openai_transcriptions,
)
from budgetd.metering.beginning import whole_part
from budgetd.metering.decoder import name
from budgetd.metering.decompress import inflate, inflate_beginning
from budgetd.metering.form import fields
from budgetd.metering.usage import Ask

MAX_BODY = 64 * 1024 * 1024
"""A body of more bytes than this, once decompressed, is not read."""

LEAST_LIMIT = 4 * 1024 * 1024
MOST_EXPANSION = 100
"""Nor is one that decompression makes so many times longer, if that is more than the least limit: to undo it
would take long, and what people write does not compress like that."""

BEGINNING = 1024 * 1024
"""Of a body that cannot be read whole, so many bytes are looked at for what they say."""

_MEDIA = (b"base64", b'"inlineData"', b'"inline_data"', b'"input_audio"', b'"file_data"')
"""What stands in a body that holds pictures, sound or documents. That a text speaks of such costs only room
under a strict limit.
"""

_IN_TARGET = re.compile(r"[^?]*/(?:deployments|engines|models)/([^/?:]+)")
"""Where the paths of Azure and Vertex AI name the model, for bodies that name none."""

_ASKS: dict[Api, Callable[[str, bytes], Ask]] = {
    "anthropic.messages": anthropic.ask,
    "anthropic.batches": anthropic_batches.ask,
    "openai.chat": openai_chat.ask,
    "openai.completions": openai_completions.ask,
    "openai.responses": openai_responses.ask,
    "openai.embeddings": openai_embeddings.ask,
    "openai.images": openai_images.ask,
    "openai.speech": openai_speech.ask,
    "openai.transcriptions": openai_transcriptions.ask,
    "gemini.generate": gemini.ask,
    "gemini.embed": gemini.embed,
    "cohere.chat": cohere.chat,
    "cohere.embed": cohere.embed,
    "cohere.rerank": cohere.rerank,
    "bedrock.converse": bedrock.converse,
    "bedrock.invoke": bedrock.invoke,
    "ollama.generate": ollama.ask,
}


def peek(api: Api, target: str, body: bytes, content_encoding: str = "") -> Ask:
    """What a request asks for, by its target (path and query), body and Content-Encoding.

    Nothing makes it raise; what cannot be read is not ``understood``.
    """
    plain = inflate(body, content_encoding, min(MAX_BODY, max(LEAST_LIMIT, MOST_EXPANSION * len(body))))
    if plain is not None:
        ask = _peek(api, target, plain)
        if ask.understood:
            return ask
    return peek_beginning(api, target, body, content_encoding, len(body))


def peek_beginning(api: Api, target: str, body: bytes, content_encoding: str, size: int) -> Ask:
    """What a request asks for of which not all is at hand, or can be read: it is not ``understood``.

    Args:
        api: what it speaks.
        target: its path.
        body: as much of it as there is.
        content_encoding: of the body.
        size: of the whole body, as far as that is known.
    """
    beginning = whole_part(inflate_beginning(body, content_encoding, BEGINNING))
    ask = _peek(api, target, beginning)
    model = ask.model or name((fields(beginning) or {}).get("model"))
    return msgspec.structs.replace(ask, model=model, understood=False, body_bytes=size)


def _peek(api: Api, target: str, plain: bytes) -> Ask:
    ask = _ASKS[api](target, plain)
    if not ask.model and (named := _IN_TARGET.match(target)):
        ask = msgspec.structs.replace(ask, model=name(unquote(named[1])))
    if any(mark in plain for mark in _MEDIA):
        return msgspec.structs.replace(ask, media=True)
    return ask
