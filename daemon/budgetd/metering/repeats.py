"""Telling a repeated request from a new one by what it says, whatever else of it changed."""

import hashlib

import msgspec


class _Said(msgspec.Struct):
    """What a model is asked, by the names that the dialects have for it; undecoded."""

    messages: msgspec.Raw = msgspec.Raw(b"")
    input: msgspec.Raw = msgspec.Raw(b"")
    contents: msgspec.Raw = msgspec.Raw(b"")
    prompt: msgspec.Raw = msgspec.Raw(b"")
    message: msgspec.Raw = msgspec.Raw(b"")


_SAID = msgspec.json.Decoder(_Said)


def messages_digest(body: bytes) -> str:
    """A digest of what a body asks a model, so that the same question with other settings, such as without
    streaming, has the same one; of the whole body where it cannot be read; empty for none.
    """
    try:
        said = b"".join(map(bytes, msgspec.structs.astuple(_SAID.decode(body))))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = b""
    content = said or body
    return hashlib.sha256(content).hexdigest() if content else ""
