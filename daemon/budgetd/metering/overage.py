"""What an answer to a Claude subscription says of its paid extra usage. Pure."""

import re
from collections.abc import Callable, Iterable

import msgspec

_IN_USE = b"anthropic-ratelimit-unified-overage-in-use"
_STATUS = b"anthropic-ratelimit-unified-status"
_WINDOW = re.compile(
    rb"anthropic-ratelimit-unified-(\d+[hd](?:_\w+)?)-(utilization|reset|status)", re.IGNORECASE
)

_FRACTION_MOST = 2.0
"""A utilization is a fraction; one above this is in per cent."""


class Overage(msgspec.Struct, frozen=True):
    """Whether an answer was billed as paid extra usage, at the prices of the API."""

    in_use: bool
    until: float | None = None
    """When the plan pays again, UTC epoch seconds: the last of its windows that are used up begins anew. None
    where the answer does not say.
    """


def read_overage(
    status: int, get: Callable[[bytes], str], headers: Iterable[tuple[bytes, bytes]]
) -> Overage | None:
    """What an answer says; None if it says nothing.

    Args:
        status: of the answer.
        get: gives a header by its lower-case name; empty if there is none.
        headers: all of them.
    """
    said = get(_IN_USE).strip().lower()
    if said != "true":
        # Without a word of it, an answer that tells of the plan's windows was paid by the plan.
        return Overage(in_use=False) if said or (get(_STATUS) and status < 400) else None
    windows: dict[bytes, dict[bytes, str]] = {}
    for name, value in headers:
        if found := _WINDOW.fullmatch(name):
            windows.setdefault(found[1].lower(), {})[found[2].lower()] = value.decode("latin-1").strip()
    resets = [_number(window.get(b"reset", "")) for window in windows.values() if _is_used_up(window)]
    return Overage(in_use=True, until=max(resets) if resets and all(resets) else None)


def _is_used_up(window: dict[bytes, str]) -> bool:
    used = _number(window.get(b"utilization", ""))
    return window.get(b"status") == "rejected" or (used / 100 if used > _FRACTION_MOST else used) >= 1


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,12}(\.\d{1,20})?", text) else 0.0
