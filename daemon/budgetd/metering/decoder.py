"""JSON into structs that hold only what is read: strictly typed at first, field by field where that fails.

Providers, gateways and proxies send counts as strings, floats, nulls and worse. The strict decoder is the
fast one and right nearly always; when it refuses a document, every field that makes sense is kept, and only
the strange ones fall back to their defaults. Of a request it matters which those are: an API may accept what
makes no sense here, so a strange field is unknown, not absent.
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

_UNREADABLE = (ValueError, ArithmeticError, RecursionError)
"""What msgspec raises, beside its own errors, where it does not decode."""


class Strange:
    """The fields of a document that hold what makes no sense there, each as ``outer.inner``."""

    def __init__(self) -> None:
        self._fields: set[str] = set()

    def add(self, field: str) -> None:
        """A field; "" for the document itself."""
        self._fields.add(field)

    def within(self, *fields: str) -> bool:
        """Whether one of these, what it stands in, or anything in it makes no sense."""
        return any(
            f"{field}.".startswith(f"{other}.") or other.startswith(f"{field}.")
            for field in fields
            for other in self._fields
        )


class Decoder(Generic[T]):
    """Decodes documents into `struct`; every field of it needs a default."""

    def __init__(self, struct: type[T]) -> None:
        self._struct = struct
        self._strict = msgspec.json.Decoder(struct)
        self._kind = inspect.type_info(struct)
        self._names = [field.encode_name for field in cast("inspect.StructType", self._kind).fields]
        self._members = msgspec.json.Decoder(_as_raw(self._names))

    def decode(self, document: bytes) -> T | None:
        """The struct, or None if `document` is not a JSON object."""
        try:
            return self._strict.decode(document)
        except _UNREADABLE:
            return self._lenient(document, Strange())

    def read(self, document: bytes) -> tuple[T, Strange] | None:
        """As `decode`, with the fields that make no sense."""
        strange = Strange()
        try:
            return self._strict.decode(document), strange
        except _UNREADABLE:
            struct = self._lenient(document, strange)
        return None if struct is None else (struct, strange)

    def _lenient(self, document: bytes, strange: Strange) -> T | None:
        if not document.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return None
        try:
            fitted = _fit(self._load(document), self._kind, strange, "")
        except (ValueError, RecursionError):
            return None
        return fitted if isinstance(fitted, self._struct) else None

    def _load(self, document: bytes) -> object:
        """The document, or of a sound one only the fields that are wanted: the others may be long."""
        try:
            members = self._members.decode(document)
        except _UNREADABLE:
            return _load(document)
        given = zip(self._names, map(bytes, msgspec.structs.astuple(members)), strict=True)
        return {name: _load(raw) for name, raw in given if raw}


def _as_raw(names: list[str]) -> type[msgspec.Struct]:
    """A struct of members of these names, whatever they are."""
    absent = msgspec.Raw()
    fields = [
        (f"member_{place}", msgspec.Raw, msgspec.field(default=absent, name=name))
        for place, name in enumerate(names)
    ]
    return msgspec.defstruct("Members", fields)


def _load(document: bytes) -> object:
    return json.loads(document.decode("utf-8-sig", "replace"))


def _fit(value: object, kind: inspect.Type, strange: Strange, at: str) -> object:
    """`value` made into `kind`, or None where that makes no sense. What is null is absent."""
    match kind:
        case inspect.StructType():
            return _fit_struct(value, kind, strange, at)
        case inspect.ListType(item_type=item):
            return _fit_list(value, item, strange, at)
        case inspect.UnionType(types=kinds):
            fitted = (_fit(value, each, strange, at) for each in kinds)
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


def _fit_struct(value: object, kind: inspect.StructType, strange: Strange, at: str) -> object:
    if not isinstance(value, dict):
        return None
    given = cast("dict[str, object]", value)
    fitted: dict[str, object] = {}
    for field in kind.fields:
        inner = given.get(field.encode_name)
        if inner is None:
            continue
        inside = f"{at}.{field.name}" if at else field.name
        each = _fit(inner, field.type, strange, inside)
        if each is None:
            strange.add(inside)
        else:
            fitted[field.name] = each
    return kind.cls(**fitted)


def _fit_list(value: object, item: inspect.Type, strange: Strange, at: str) -> list[object] | None:
    if not isinstance(value, list):
        return None
    fitted = [_fit(each, item, strange, at) for each in cast("list[object]", value)]
    if None in fitted:
        strange.add(at)
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
