"""Messages of every kind, made from their own types."""

from typing import cast, get_args

import msgspec
from hypothesis import strategies as st

from budgetwire import messages
from budgetwire.messages import FromClient, FromDaemon, Message

_SCALARS = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "str": st.text(max_size=20),
    "bool": st.booleans(),
    "None": st.none(),
}


def _values(kind: msgspec.inspect.Type) -> st.SearchStrategy:
    match kind:
        case msgspec.inspect.IntType():
            return _SCALARS["int"]
        case msgspec.inspect.FloatType():
            return _SCALARS["float"]
        case msgspec.inspect.StrType():
            return _SCALARS["str"]
        case msgspec.inspect.BoolType():
            return _SCALARS["bool"]
        case msgspec.inspect.NoneType():
            return _SCALARS["None"]
        case msgspec.inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case msgspec.inspect.ListType(item_type=item):
            return st.lists(_values(item), max_size=3)
        case msgspec.inspect.AnyType():
            return st.one_of(*_SCALARS.values())
        case msgspec.inspect.DictType(value_type=inner):
            return st.dictionaries(st.text(max_size=5), _values(inner), max_size=3)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of(*map(_values, types))
        case msgspec.inspect.StructType(cls=cls):
            return structs(cls)
        case _:
            raise NotImplementedError(kind)


def structs(cls: type[msgspec.Struct]) -> st.SearchStrategy:
    """Instances of a struct; fields that need not be sent are sometimes left out."""
    required, optional = {}, {}
    described = cast(msgspec.inspect.StructType, msgspec.inspect.type_info(cls))
    for field in described.fields:
        (required if field.required else optional)[field.name] = field.type
    return st.fixed_dictionaries(
        {name: _values(kind) for name, kind in required.items()},
        optional={name: _values(kind) for name, kind in optional.items()},
    ).map(lambda values: cls(**values))


def kinds(union: object) -> tuple[type[Message], ...]:
    """The structs of `FromClient` or `FromDaemon`."""
    return get_args(union)


calls = st.one_of(*(st.deferred(lambda cls=cls: structs(cls)) for cls in kinds(FromClient)))
answers = st.one_of(*(st.deferred(lambda cls=cls: structs(cls)) for cls in kinds(FromDaemon)))

SHOWN = [
    cls
    for cls in vars(messages).values()
    if isinstance(cls, type) and issubclass(cls, messages.State) and cls is not messages.State
]
"""The structs that lie inside messages."""
