"""Nanodollars, the one unit of money here: how people write them and how they are shown."""

import re

NUSD_PER_USD = 1_000_000_000
"""Nanodollars in a dollar."""
NUSD_PER_CENT = 10_000_000
"""Nanodollars in a cent."""

MAX_USD = 1_000_000_000
"""The largest amount taken from a person; its nanodollars fit in 64 bits with room to add."""

_AMOUNT = re.compile(r"\$?\s*(?P<whole>\d{1,3}(?:,\d{3})+|\d*)(?:\.(?P<part>\d*))?", re.ASCII)


def cents_to_nusd(cents: int) -> int:
    """Return the nanodollars of an amount in cents."""
    return cents * NUSD_PER_CENT


def format_usd(nusd: int) -> str:
    """Write an amount with the digits that matter: ``$0.0042``, ``$4.20``, ``$71.30``, ``$1,204``.

    From $1,000 whole dollars; from 10 cents whole cents; below that two significant digits, but no zeros
    after the cents. Amounts are rounded half up.
    """
    sign, nusd = ("-", -nusd) if nusd < 0 else ("", nusd)
    cents = _round(nusd, NUSD_PER_CENT) // NUSD_PER_CENT
    if cents >= 1_000_00:
        return f"{sign}${_round(nusd, NUSD_PER_USD) // NUSD_PER_USD:,}"
    if nusd >= 10 * NUSD_PER_CENT or nusd == 0:
        return f"{sign}${cents // 100}.{cents % 100:02}"
    digits = f"{_round(nusd, 10 ** max(len(str(nusd)) - 2, 0)):09}".rstrip("0")
    return f"{sign}$0.{digits:0<2}"


def exact_usd(nusd: int) -> str:
    """Write an amount in dollars for a program: exact, with a point, without a sign or needless zeros."""
    return _exact(nusd, 9)


def exact_cents(nusd: int) -> str:
    """Write an amount in cents for a program, exactly: ``0.3125``."""
    return _exact(nusd, 7)


def parse_usd(text: str) -> int:
    """Read an amount in dollars (``4.20``, ``$4.20``, ``1,204``) as nanodollars.

    Raises:
        ValueError: with a sentence for the person who typed it.
    """
    amount = text.strip()
    if amount.startswith(("-", "$-")):
        raise ValueError("An amount cannot be below zero.")
    match = _AMOUNT.fullmatch(amount)
    whole, part = (match["whole"], match["part"] or "") if match else ("", "")
    if not whole and not part:
        raise ValueError(f"{_quote(text)} is not an amount in dollars; write it like 4.20 or 1,204.50.")
    if len(part) > 9:
        raise ValueError("An amount has at most nine digits after the point.")
    whole = whole.replace(",", "").lstrip("0") or "0"
    nusd = int(part.ljust(9, "0")) if len(whole) > 10 else int(whole + part.ljust(9, "0"))
    if len(whole) > 10 or nusd > MAX_USD * NUSD_PER_USD:
        raise ValueError(f"An amount is at most ${MAX_USD:,}.")
    return nusd


def _exact(nusd: int, places: int) -> str:
    sign, digits = "-" if nusd < 0 else "", f"{abs(nusd):0{places + 1}}"
    part = digits[-places:].rstrip("0")
    return f"{sign}{digits[:-places]}" + (f".{part}" if part else "")


def _round(nusd: int, unit: int) -> int:
    return (nusd + unit // 2) // unit * unit


def _quote(text: str) -> str:
    return repr(text if len(text) <= 20 else text[:20] + "…")
