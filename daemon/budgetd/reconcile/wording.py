"""How differences are written. Pure."""

from budgetwire.money import format_usd


def signed(nusd: int) -> str:
    """A difference: ``+$1.50``, ``-$0.30``."""
    return f"+{format_usd(nusd)}" if nusd > 0 else format_usd(nusd)


def percent(nusd: int, of_nusd: int) -> str:
    """A part in per cent of a sum, to a tenth: ``+32.6 %``; a dash of nothing."""
    if of_nusd == 0:
        return "0.0 %" if nusd == 0 else "-"
    tenths = (abs(nusd) * 2000 // abs(of_nusd) + 1) // 2
    sign = "" if tenths == 0 else "+" if nusd > 0 else "-"
    return f"{sign}{tenths // 10:,}.{tenths % 10} %"
