"""JSON into structs that hold only what is read: strictly typed at first, field by field where that fails.

Providers, gateways and proxies send counts as strings, floats, nulls and worse. The strict decoder is the
fast one and right nearly always; when it refuses a document, every field that makes sense is kept, and only
the strange ones fall back to their defaults.
"""

import json
import math
from decimal import Decimal
from typing import Annotated, Generic, TypeAlias, TypeVar, cast

import msgspec
from msgspec import inspect

MOST = 10**12
"""No count is taken for more than this, so that a cost made from it still fits 64 bits."""

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
"""A number of tokens, requests or choices."""

NAME_LENGTH = 200
"""Longer names (of models, responses, sessions) are cut to this."""

T = TypeVar("T", bound=msgspec.Struct)


class Decoder(Generic[T]):
    """Decodes documents into `struct`; every field of it needs a default."""

    def __init__(self, struct: type[T]) -> None:
        self._struct = struct
        self._strict = msgspec.json.Decoder(struct)
        self._kind = inspect.type_info(struct)

    def decode(self, document: bytes) -> T | None:
        """The struct, or None if `document` is not a JSON object."""
        try:
            return self._strict.decode(document)
        except (ValueError, ArithmeticError, RecursionError):  # msgspec raises more than its own errors
            return self._lenient(document)

    def _lenient(self, document: bytes) -> T | None:
        if not document.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return None
        try:
            fitted = _fit(json.loads(document.decode("utf-8-sig", "replace")), self._kind)
        except (ValueError, RecursionError):
            return None
        return fitted if isinstance(fitted, self._struct) else None


def _fit(value: object, kind: inspect.Type) -> object:
    """`value` made into `kind`, or None where that makes no sense."""
    match kind:
        case inspect.StructType():
            return _fit_struct(value, kind)
        case inspect.ListType(item_type=item):
            return _fit_list(value, item)
        case inspect.UnionType(types=kinds):
            fitted = (_fit(value, each) for each in kinds)
            return next((each for each in fitted if each is not None), None)
        case inspect.IntType():
            return count(value)
        case inspect.DecimalType():
            return _decimal(value)
        case inspect.StrType():
            return _text(value)
        case inspect.BoolType():
            return value if isinstance(value, bool) else None
        case inspect.DictType():
            return cast("dict[str, object]", value) if isinstance(value, dict) else None
        case inspect.RawType():
            return msgspec.Raw(json.dumps(value).encode())
        case inspect.AnyType() | inspect.CustomType():
            return value
        case _:
            return None


def _fit_struct(value: object, kind: inspect.StructType) -> object:
    if not isinstance(value, dict):
        return None
    given = cast("dict[str, object]", value)
    fitted = {
        field.name: _fit(given[field.encode_name], field.type)
        for field in kind.fields
        if field.encode_name in given
    }
    return kind.cls(**{name: each for name, each in fitted.items() if each is not None})


def _fit_list(value: object, item: inspect.Type) -> list[object] | None:
    if not isinstance(value, list):
        return None
    fitted = (_fit(each, item) for each in cast("list[object]", value))
    return [each for each in fitted if each is not None]


def count(value: object) -> int | None:
    """A number, or the text of one, as a count; None where that makes no sense ("inf" is a word)."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
        if math.isinf(value):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return math.ceil(min(value, MOST))


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return Decimal(str(value))
    except ArithmeticError:
        return None


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    # An unpaired surrogate cannot be encoded again, neither for the ledger nor for the wire.
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def size(text: str | None) -> int:
    """The UTF-8 bytes of a text."""
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode())


def name(text: str | None) -> str:
    """A name of bounded length."""
    return (text or "")[:NAME_LENGTH]
