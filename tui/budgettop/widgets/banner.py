"""The lines under the header that appear only when something is not as it should be."""

from typing_extensions import override

from budgettop import text
from budgettop.view import View
from budgettop.widgets.drawn import Drawn, Row


class Banner(Drawn):
    """A lost link, a pause, a ledger or a configuration in trouble: a line or two each."""

    def __init__(self) -> None:
        super().__init__(id="banner")
        self._view = View()

    def show(self, view: View) -> None:
        """Take what is to be shown."""
        self._view = view
        self.display = bool(self.draw(200, 0))
        self.redraw()

    @override
    def draw(self, width: int, height: int) -> list[Row]:
        view = self._view
        rows: list[Row] = []
        if view.stand in ("lost", "refused"):
            rows += [[(text.fit(f" ○ {line}", width), "near")] for line in _lost(view, width - 4)]
        if view.paused_at is not None and view.snapshot:
            by = view.snapshot.daemon.paused_by
            since = text.when(view.paused_at, view.now, view.zone)
            who = f" by {by}" if by else ""
            line = f" ‖ Paused since {since}{who}: what can cost is refused. space resumes."
            rows.append([(text.fit(line, width), "paused")])
        daemon = view.snapshot.daemon if view.snapshot else None
        if daemon and daemon.stopping_until is not None and view.stand == "live":
            until = text.clock(daemon.stopping_until, view.zone, seconds=True)
            rows += _warning(
                f"budgetd is stopping: requests that still run may go on until {until}.", "near", width
            )
        if daemon and daemon.ledger_error:
            rows += _warning(f"What can cost is refused: {daemon.ledger_error}", "over", width)
        if daemon and daemon.config_error:
            rows += _warning(f"Configuration not in force: {daemon.config_error}", "near", width)
        return rows


def _warning(sentence: str, style: str, width: int) -> list[Row]:
    return [[(f" ▲ {line}", style)] for line in text.wrap(sentence, width - 4)]


def _lost(view: View, width: int) -> list[str]:
    reason = view.reason.rstrip(".")
    if view.stand == "refused":
        return text.wrap(f"{reason}.", width)
    figures = ""
    if view.snapshot:
        old = text.span(view.now - view.snapshot.at)
        figures = f"Figures are {old} old, from {text.clock(view.snapshot.at, view.zone, seconds=True)}."
    wait = max(0, round((view.retry_at or view.now) - view.now))
    again = f"Trying again in {wait} s." if wait else "Trying again."
    return [f"{figures} {again}".strip(), *text.wrap(f"{reason}.", width)]
