"""Putting another model into a request, and touching nothing else of it. Pure.

In a body only the bytes of the values of the top-level key "model" change; in Gemini's paths only the model's
name does. What a compressed body says is changed and compressed again in the same way.
"""

import json
import re
import zlib
from collections.abc import Callable, Iterator
from typing import cast
from urllib.parse import quote

import brotli
import msgspec
import zstandard

from budgetd.metering.apis import Api
from budgetd.metering.decompress import inflate
from budgetd.metering.json_array import STRING_REST
from budgetd.metering.request import MAX_BODY
from budgetd.metering.usage import Ask

_IN_TARGET = re.compile(r"(.*/models/)[^/:]+(:\w+)")
"""Where Gemini's paths name the model."""

_FIXED = re.compile(r"/(?:deployments|engines|models?)/")
"""Paths that choose the model themselves, whatever a body says: those of Azure, Bedrock and others."""

_NO_CONVERSATION: frozenset[Api] = frozenset(
    {
        "anthropic.batches",
        "cohere.embed",
        "cohere.rerank",
        "gemini.embed",
        "openai.embeddings",
        "openai.images",
        "openai.speech",
        "openai.transcriptions",
    }
)
"""What a model that holds conversations cannot take over, or what names many models, or none in JSON."""

_WHITE_SPACE = re.compile(r"[ \t\r\n]*")

_OPENING = re.compile(rb"[ \t\r\n]*\{")
_KEY = re.compile(rb'[ \t\r\n,]*"' + STRING_REST + rb'"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)

_BYTE_ORDER_MARK = "\xef\xbb\xbf"
"""As it looks when bytes are taken for characters one by one."""

_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Tells where values end; the numbers do not matter, and long ones would be refused."""


class _Key:
    """The name of one member. No two are equal, so that a name that stands twice counts twice."""

    def __init__(self, name: str) -> None:
        self.name = name


def _as_key(kind: type, name: str) -> _Key:
    del kind
    return _Key(name)


_MEMBERS = msgspec.json.Decoder(dict[_Key, msgspec.Raw], dec_hook=_as_key)


def can_replace(api: Api | None, path: str, ask: Ask, content_encoding: str = "") -> bool:
    """Whether the model of a request can be replaced. Cheap.

    Args:
        api: what it speaks, None if that is not known.
        path: without query.
        ask: what `peek` read of its body, which must have been whole.
        content_encoding: of the body.
    """
    if api == "gemini.generate":
        return _IN_TARGET.fullmatch(path) is not None
    named = ask.understood and ask.model != "" and api not in _NO_CONVERSATION
    return named and "," not in content_encoding and _FIXED.search(path) is None


def replace_in_target(target: str, model: str) -> str | None:
    """A target (path and query) that names this model instead; None if it names none."""
    path, mark, query = target.partition("?")
    match = _IN_TARGET.fullmatch(path)
    if match is None:
        return None
    return match[1] + quote(model, safe="@", errors="replace") + match[2] + mark + query


def replace_model(body: bytes, content_encoding: str, model: str) -> bytes | None:
    """A body that asks for this model instead; every other byte of the plain body is kept.

    None if that cannot be done: the body is not a JSON object, has no top-level "model", or is compressed in
    a way that is not known or more than once. Nothing makes it raise.
    """
    coding = content_encoding.strip().lower()
    if coding in {"", "identity"}:
        return _replace(body, model)
    compress = _COMPRESSORS.get(coding)
    plain = None if compress is None else inflate(body, coding, MAX_BODY)
    changed = None if plain is None else _replace(plain, model)
    return None if compress is None or changed is None else compress(changed, body)


def _replace(body: bytes, model: str) -> bytes | None:
    spans = _spans(body)
    value = json.dumps(model).encode()
    whole = memoryview(body)  # of which no slice is a copy
    pieces: list[bytes | memoryview] = []
    kept = 0
    for start, end in spans:
        pieces += (whole[kept:start], value)
        kept = end
    return b"".join((*pieces, whole[kept:])) if spans else None


def _spans(body: bytes) -> list[tuple[int, int]]:
    """Where a body's top-level values of "model" begin and end; none if it is no JSON object."""
    try:
        members = _MEMBERS.decode(body)
    except (ValueError, ArithmeticError, RecursionError):
        try:
            # A character a byte, so that places in the text are places in the body; JSON's own are ASCII.
            return list(_models(body.decode("latin-1")))
        except (ValueError, RecursionError):
            return []
    # The decoder tells how long each value is, so that only the keys between them are looked at.
    spans: list[tuple[int, int]] = []
    at = _end_of(_OPENING, body, 0)
    for key, value in members.items():
        start = _end_of(_KEY, body, at)
        at = start + memoryview(value).nbytes
        if key.name == "model":
            spans.append((start, at))
    return spans


def _end_of(pattern: re.Pattern[bytes], body: bytes, at: int) -> int:
    match = pattern.match(body, at)
    return at if match is None else match.end()


def _models(text: str) -> Iterator[tuple[int, int]]:
    """Where an object's values of "model" begin and end. Raises ValueError if the text is no JSON object."""
    at = _skip(text, len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0)
    at = _skip(text, _expect(text, at, "{"))
    if not text.startswith("}", at):
        while True:
            _expect(text, at, '"')
            key, at = _SCANNER.raw_decode(text, at)
            start = _skip(text, _expect(text, _skip(text, at), ":"))
            _, end = _SCANNER.raw_decode(text, start)
            if key == "model":
                yield start, end
            at = _skip(text, end)
            if text.startswith("}", at):
                break
            at = _skip(text, _expect(text, at, ","))
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the object")


def _skip(text: str, at: int) -> int:
    """The place behind white space."""
    match = _WHITE_SPACE.match(text, at)
    return at if match is None else match.end()


def _expect(text: str, at: int, mark: str) -> int:
    """The place behind a mark that must be there."""
    if not text.startswith(mark, at):
        raise ValueError(f"no {mark} at {at}")
    return at + 1


def _zlib(plain: bytes, window_bits: int) -> bytes:
    compressor = zlib.compressobj(1, wbits=window_bits)  # quickly: other requests wait meanwhile
    return compressor.compress(plain) + compressor.flush()


def _gzip(plain: bytes, like: bytes) -> bytes:
    del like
    return _zlib(plain, 16 + zlib.MAX_WBITS)


def _deflate(plain: bytes, like: bytes) -> bytes:
    """In zlib's format or bare, as the body was."""
    has_header = like[0] & 0x0F == zlib.DEFLATED and int.from_bytes(like[:2], "big") % 31 == 0
    return _zlib(plain, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def _brotli(plain: bytes, like: bytes) -> bytes:
    del like
    compress = cast("Callable[..., bytes]", brotli.compress)  # pyright: ignore[reportUnknownMemberType]
    return compress(plain, quality=3)


def _zstd(plain: bytes, like: bytes) -> bytes:
    del like
    return zstandard.ZstdCompressor().compress(plain)


_COMPRESSORS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
