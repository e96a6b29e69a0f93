"""What reading any JSON invoice has in common."""

from typing import TypeVar

import msgspec

from budgetd.reconcile.errors import ReconcileError

T = TypeVar("T")


def decode(content: bytes, shape: type[T], whose: str) -> T:
    """JSON as the shape it should have. Raises ReconcileError that says where it has not."""
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.ValidationError as error:
        raise ReconcileError(
            f"{whose} did not send an invoice in the shape that is known: {error}. Nothing was compared."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ReconcileError(f"{whose}: what came is cut short or not JSON; try again.") from None


def not_a_time(whose: str) -> ReconcileError:
    """The error of a bucket whose day cannot be told."""
    return ReconcileError(f"{whose} sent a bucket whose day cannot be read. Nothing was compared.")
