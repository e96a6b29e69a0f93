"""Everything that can go wrong on the wire. Each message is a sentence for a person."""


class WireError(Exception):
    """Root of what this package raises."""


class Malformed(WireError):  # noqa: N818
    """The bytes that came in are not a message, or exceed a bound. The stream cannot be read any further."""


class Unreachable(WireError):  # noqa: N818
    """There is no daemon to talk to: not running, not ours, gone, or silent."""


class NoSocket(Unreachable):
    """Nothing listens at the socket: no daemon runs there, or its socket was removed."""


class VersionMismatch(WireError):  # noqa: N818
    """The two sides speak protocols that differ in the major number; the message says which to upgrade."""


class CallError(WireError):
    """The daemon refused a call or failed to do it; nothing was half applied.

    Args:
        code: see `budgetwire.messages.Error`.
        message: a sentence for a person.
        field: the field of the call that is to blame, if one is.
    """

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
