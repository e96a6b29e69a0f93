"""The Burn panel: how fast money goes, and what it adds up to."""

from rich.cells import cell_len
from typing_extensions import override

from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Piece, Row, cells
from budgettop.widgets.spark import spark
from budgetwire.messages import Burn
from budgetwire.money import format_usd


class BurnPanel(Drawn):
    """Rate, the last hour, today, yesterday, month and month end; in one line where there must be."""

    def __init__(self) -> None:
        super().__init__(id="burn")
        self.border_title = "Burn · last 60 min"
        self._view = View()

    def show(self, view: View) -> None:
        """Take what is to be shown."""
        self._view = view
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        if not self._view.snapshot:
            return [[("…", "faint")]]
        burn = self._view.snapshot.burn
        if height <= 2:
            return _line(burn, width)
        sums = _sums(burn, width)
        tall = height - 1 - len(sums)
        if tall < 1:
            return [_rate(burn, width, width - 14), *sums][:height]
        chart: list[Row] = [[(line, "bar")] for line in spark(_minutes(burn), width, tall)]
        return [_rate(burn, width, 0), *chart, *sums]


def _minutes(burn: Burn) -> list[int]:
    """What is drawn: money; where there was none, what went over plans."""
    return burn.minutes_nusd if any(burn.minutes_nusd) else burn.plan_minutes_nusd or burn.minutes_nusd


def _rate(burn: Burn, width: int, chart_width: int) -> Row:
    rate = f"{format_usd(burn.nusd_per_hour)}/h"
    row: Row = [(rate, "strong")]
    if chart_width > 0:
        chart = min(chart_width, width - cell_len(rate) - 2)
        return [*row, ("  ", ""), *((line, "bar") for line in spark(_minutes(burn), chart, 1))]
    peak = f"peak {format_usd(max(_minutes(burn), default=0))}/min"
    if not any(burn.minutes_nusd) and any(burn.plan_minutes_nusd):
        peak = f"plan: {peak}"
    gap = width - cell_len(rate) - cell_len(peak)
    return [*row, (" " * gap, ""), (peak, "faint")] if gap > 1 else row


def _pairs(burn: Burn) -> list[list[Piece]]:
    month_end = "" if burn.month_forecast_nusd is None else f"≈ {format_usd(burn.month_forecast_nusd)}"
    plan: list[list[Piece]] = [[("on plans ", "faint"), (format_usd(burn.today_plan_nusd), "")]]
    pairs: list[list[Piece]] = [
        [("today ", "faint"), (format_usd(burn.today_nusd), "strong")],
        *(plan if burn.today_plan_nusd else []),
        [("yesterday ", "faint"), (format_usd(burn.yesterday_nusd), "")],
        [("month ", "faint"), (format_usd(burn.month_nusd), "strong")],
    ]
    if month_end:
        pairs.append([("end ", "faint"), (month_end, "")])
    return pairs


def _sums(burn: Burn, width: int) -> list[Row]:
    """Two pairs a line where they fit, the second in a column of its own."""
    pairs = _pairs(burn)
    left = max(cells(pair) for pair in pairs[::2])
    if left + 2 + max(cells(pair) for pair in pairs[1::2]) > width:
        return list(pairs)
    rows: list[Row] = []
    for at in range(0, len(pairs), 2):
        row = list(pairs[at])
        if at + 1 < len(pairs):
            row += [(" " * (left + 2 - cells(row)), ""), *pairs[at + 1]]
        rows.append(row)
    return rows


def _line(burn: Burn, width: int) -> list[Row]:
    row: Row = [(f"{format_usd(burn.nusd_per_hour)}/h", "strong")]
    sums: Row = []
    for pair in _pairs(burn):
        if cells(row) + cells(sums) + cells(pair) + 2 <= width - 8:
            sums += [("  ", ""), *pair]
    chart = width - cells(row) - cells(sums) - 1
    return [[*row, (" ", ""), *((line, "bar") for line in spark(_minutes(burn), chart, 1)), *sums]]
