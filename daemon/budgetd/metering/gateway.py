"""Errors of gateways: who stands between us and a provider may give up waiting after the request was sent on.

The provider may then have worked, and billed, all the same. Only its own error, in its own shape, tells that
nothing is billed.
"""

from collections.abc import Callable

import msgspec

from budgetd.metering.apis import Api
from budgetd.metering.decoder import Decoder
from budgetd.metering.meter import Meter
from budgetd.metering.text import Text
from budgetd.metering.usage import Reading

GAVE_UP = frozenset((408, 499, 502, 504, 520, 521, 522, 523, 524, 598, 599))
"""Statuses with which a gateway says that it got no answer, or none in time: those of HTTP, of Cloudflare
(520 to 524), and what nginx and other proxies write where they stop waiting (499, 598, 599).
"""


class _Error(msgspec.Struct):
    type: str | None = None
    message: str | None = None
    status: str | None = None


class _Body(msgspec.Struct):
    """The fields of any provider's error."""

    error: _Error | str | None = None
    type: str | None = None
    object: str | None = None
    message: str | None = None
    code: str | None = None


_BODIES = Decoder(_Body)


class Reader:
    """Tells whether the body of an error is in the provider's own shape."""

    text: Text | None = None

    def __init__(self, dialects: frozenset[str], amazon: str) -> None:
        """
        Args:
            dialects: what the provider may answer in.
            amazon: the kind of error that Bedrock names in a header; empty if there is none.
        """
        self._dialects = dialects
        self._own = bool(amazon) and "bedrock" in dialects

    def event(self, document: bytes) -> None:
        """Take one event, or one element of an array."""
        self.whole(document)

    def whole(self, document: bytes) -> None:
        """Take a body."""
        body = _BODIES.decode(document)
        if body is not None:
            self._own = self._own or any(_is_own(dialect, body) for dialect in self._dialects)

    def reading(self) -> Reading:
        """Failed, so that it costs nothing, if the provider itself says so."""
        return Reading(failed=self._own)


def error_meter(
    api: Api | None, dialect: str, content_type: str, content_encoding: str, header: Callable[[bytes], str]
) -> Meter:
    """A meter for the answer of a gateway, or of a provider, with one of these statuses.

    Args:
        api: what was asked for.
        dialect: of the upstream, which may answer an API of another dialect with errors of its own.
        content_type: the header.
        content_encoding: the header.
        header: gives any other header by its lower-case name.
    """
    dialects = frozenset((dialect, api.partition(".")[0] if api else dialect))
    return Meter(Reader(dialects, header(b"x-amzn-errortype")), content_type, content_encoding)


def _is_own(dialect: str, body: _Body) -> bool:
    error = body.error
    match dialect:
        case "anthropic":
            return body.type == "error" and isinstance(error, _Error) and error.type is not None
        case "gemini":
            return isinstance(error, _Error) and error.message is not None and error.status is not None
        case "cohere":
            return body.message is not None
        case "ollama":
            return isinstance(error, str)
        case "openai":  # and whoever speaks like it: Mistral names the object, xAI has the message in `error`
            named = body.object == "error" and body.message is not None
            plain = isinstance(error, str) and body.code is not None
            return named or plain or (isinstance(error, _Error) and error.message is not None)
        case _:
            return False
