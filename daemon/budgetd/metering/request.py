"""Peeking at a request's body: its compression and its dialect put together."""

from collections.abc import Callable

import msgspec

from budgetd.metering.apis import Api
from budgetd.metering.asks import anthropic, gemini, openai_chat, openai_responses
from budgetd.metering.decompress import inflate
from budgetd.metering.usage import Ask

MAX_BODY = 64 * 1024 * 1024
"""A body of more bytes than this, once decompressed, is not read."""

_MEDIA = (b"base64", b'"inlineData"', b'"inline_data"', b'"input_audio"', b'"file_data"')
"""What stands in a body that holds pictures, sound or documents. That a text speaks of such costs only room
under a strict limit.
"""

_ASKS: dict[Api, Callable[[str, bytes], Ask]] = {
    "anthropic.messages": anthropic.ask,
    "openai.chat": openai_chat.ask,
    "openai.responses": openai_responses.ask,
    "gemini.generate": gemini.ask,
}


def peek(api: Api, target: str, body: bytes, content_encoding: str = "") -> Ask:
    """What a request asks for, by its target (path and query), body and Content-Encoding.

    Nothing makes it raise; what cannot be read is not ``understood``.
    """
    plain = inflate(body, content_encoding, MAX_BODY)
    if plain is None:
        return msgspec.structs.replace(_ASKS[api](target, b""), body_bytes=len(body))
    ask = _ASKS[api](target, plain)
    if any(mark in plain for mark in _MEDIA):
        return msgspec.structs.replace(ask, media=True)
    return ask
