"""Messages as msgpack maps on a byte stream: how they are written, and how they are read within bounds.

No sockets here; `Decoder` is fed with bytes as they come.
"""

import re
from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar, cast

import msgpack
import msgspec

from budgetwire.errors import Malformed
from budgetwire.messages import VERSION, FromClient, FromDaemon, Message

MAX_CALL_BYTES = 1024 * 1024
"""Longest message that a daemon takes."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Longest message that a client takes."""
MAX_DEPTH = 32
"""How deep maps and arrays may lie in each other, the message itself included."""
MAX_ARRAY = 1024
"""Most elements of an array that a daemon takes: room for them is made before they come."""
MAX_MAP = 256
"""Most keys of a map."""

_FEED_BYTES = 64 * 1024
_TOO_DEEP = f"A message nests deeper than {MAX_DEPTH} maps and arrays."
_msgpack = cast(Any, msgpack)  # it has no types

M = TypeVar("M", bound=Message)


class Unfit(NamedTuple):
    """A call that could be read, but is of an unknown type or has a field missing or of a wrong type.

    The stream is intact: answer with an `Error` of this id and read on. So a newer client may ask an older
    daemon for what it does not know yet.
    """

    id: int
    message: str
    field: str


def encode(message: Message) -> bytes:
    """Return the bytes of a message. Raises TypeError for a value that msgpack cannot hold."""
    return msgspec.msgpack.encode(message)


class Decoder(Generic[M]):
    """Reads the messages of one direction, in pieces of any size. Made by `for_daemon` or `for_client`."""

    def __init__(self, kind: object, max_bytes: int, max_array: int) -> None:
        self._kind = kind
        self._max_bytes = max_bytes
        self._fed = 0
        self._done = 0
        self._unpacker = _msgpack.Unpacker(
            max_buffer_size=max_bytes + 2 * _FEED_BYTES,
            max_array_len=max_array,
            max_map_len=MAX_MAP,
            ext_hook=_refuse_extension,
        )

    def feed(self, data: bytes) -> Iterator[M | Unfit]:
        """Take the next bytes and yield the messages they complete; consume the iterator to its end.

        Raises:
            Malformed: after the good messages before it. Nothing can be read any more then.
        """
        for start in range(0, len(data), _FEED_BYTES):
            piece = data[start : start + _FEED_BYTES]
            self._fed += len(piece)
            self._unpacker.feed(piece)
            while (value := self._next()) is not None:
                yield self._typed(value)

    def _next(self) -> dict[str, object] | None:
        try:
            value = self._unpacker.unpack()
        except _msgpack.OutOfData:
            self._check_length(self._fed)
            return None
        except _msgpack.StackError:
            raise Malformed(_TOO_DEEP) from None
        except (ValueError, _msgpack.UnpackException) as error:
            why = str(error) or "they start with a byte that it does not use"
            raise Malformed(f"These bytes are not msgpack within this protocol's bounds: {why}.") from None
        end = self._unpacker.tell()
        self._check_length(end)
        self._done = end
        if not isinstance(value, dict):
            raise Malformed("A message is a msgpack map that has a key 'type'.")
        return cast("dict[str, object]", value)

    def _check_length(self, end: int) -> None:
        if end - self._done > self._max_bytes:
            raise Malformed(f"A message is longer than {self._max_bytes:,} bytes.")

    def _typed(self, value: dict[str, object]) -> M | Unfit:
        if _deeper_than(MAX_DEPTH, value):
            raise Malformed(_TOO_DEEP)
        try:
            return cast(M, msgspec.convert(value, cast(Any, self._kind)))
        except msgspec.ValidationError as error:
            return _unfit(value, str(error))


def for_daemon() -> Decoder[FromClient]:
    """Make the decoder of what a daemon takes."""
    return Decoder[FromClient](FromClient, MAX_CALL_BYTES, MAX_ARRAY)


def for_client() -> Decoder[FromDaemon]:
    """Make the decoder of what a client takes."""
    return Decoder[FromDaemon](FromDaemon, MAX_ANSWER_BYTES, 1024 * 1024)


def _unfit(value: dict[str, object], why: str) -> Unfit:
    kind, call_id = value.get("type"), value.get("id")
    if not isinstance(kind, str):
        raise Malformed("A message is a msgpack map whose key 'type' is the name of the message.")
    if why.endswith("at `$.type`"):
        message, field = f"Protocol {VERSION} has no message {kind[:40]!r} here.", "type"
    else:
        message, field = f"The message {kind!r} does not fit. {why}.", _field(why)
    if not isinstance(call_id, int) or isinstance(call_id, bool):
        raise Malformed(message)
    return Unfit(call_id, message, field)


def _field(why: str) -> str:
    match = re.search(r"at `\$\.(\w+)|field `(\w+)`", why)
    return (match[1] or match[2]) if match else ""


def _deeper_than(depth: int, value: object) -> bool:
    if isinstance(value, dict):
        inner = cast("dict[object, object]", value).values()
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    else:
        return False
    return depth == 0 or any(_deeper_than(depth - 1, one) for one in inner)


def _refuse_extension(code: int, _data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code}")
