"""What goes wrong in the control room. Each message is a sentence for a person."""

from budgetd.errors import BudgetdError, StartError


class ControlError(StartError):
    """The socket cannot be opened where it should be."""


class AlreadyRunning(ControlError):  # noqa: N818
    """Another daemon owns the socket."""


class CommandError(BudgetdError):
    """A call is refused or failed, and nothing was half applied; it becomes the `Error` that answers it.

    Args:
        code: not_found, invalid, conflict or failed.
        message: a sentence for a person.
        field: the field of the call that is to blame, if one is.
    """

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
