"""What every message is made from."""

import msgspec


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """Base of everything that is shown: plain maps, unknown fields ignored so that minor versions can add."""


class Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """Base of everything that is sent as a message of its own."""


class Call(Message, frozen=True):
    """A message that is answered by one `Reply` or `Error` of the same id."""

    id: int
