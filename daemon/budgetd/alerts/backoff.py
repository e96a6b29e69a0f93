"""When a message that did not arrive is tried again. Pure."""

from email.utils import parsedate_to_datetime

MINUTE, HOUR = 60.0, 3600.0

DELAYS = (0.0, 5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR)
"""The most seconds that each attempt waits; there are as many attempts."""

ATTEMPTS = len(DELAYS)

SECOND_ROUND_SECONDS = 72 * HOUR
"""How long what was given up on for lack of an answer may get a second round of attempts: once its channel
takes another message.
"""

LONGEST = 12 * HOUR
"""No message is put off for longer, whatever its receiver asks for."""


def delay_after(attempts: int, chance: float, asked: float | None = None) -> float | None:
    """Seconds until the next attempt after so many have failed; None: that was the last of its round.

    Args:
        attempts: that were made, at least one; those of a second round come on top.
        chance: from [0, 1), by which the delay is spread over its whole range, so that many messages that
            failed together do not come again together.
        asked: seconds that the receiver asked to be left alone.
    """
    number = attempts % ATTEMPTS
    if number == 0:
        return None
    return min(max(DELAYS[number] * chance, asked or 0.0), LONGEST)


def retry_after(header: str, now: float) -> float | None:
    """The seconds that a ``Retry-After`` asks for, as a number or a date; None if it says nothing."""
    header = header.strip()
    if header.isascii() and header.isdigit():
        return min(float(header), LONGEST)
    try:
        at = parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(at - now, 0.0), LONGEST)
