"""Requests that wait for a person: one alert for each counter, as long as anything waits."""

import msgspec

from budgetd.alerts.finding import Finding
from budgetd.alerts.register import Register
from budgetd.alerts.rules.limits import held
from budgetd.budget.counters import Window

Group = tuple[str, str, float]


class Waiting(msgspec.Struct, eq=False):
    """The requests that one counter holds, by id, the longest waiting first, with what each needs."""

    window: Window
    requests: dict[int, int | None]

    def finding(self) -> Finding:
        """What there is to say of them."""
        id, amount = next(iter(self.requests.items()))
        return held(self.window, amount, len(self.requests), id)


class Holding:
    """Who waits, and the alerts about it."""

    def __init__(self, register: Register) -> None:
        """Nobody waits; what waited when an earlier daemon ended does not any more."""
        self._register = register
        self._groups: dict[Group, Waiting] = {}
        self._alerts: dict[Group, int] = {}
        for alert in register.board.open_of("held"):
            register.end(alert, "budgetd was started anew")

    def held(self, request_id: int, window: Window, amount_nusd: int | None) -> None:
        """One more."""
        group = (window.limit.name, window.subject, window.starts_at if window.ends_at is not None else 0.0)
        waiting = self._groups.setdefault(group, Waiting(window, {}))
        waiting.requests[request_id] = amount_nusd
        alert = self._register.fire(waiting.finding())
        if alert is not None:
            self._alerts[group] = alert.id

    def decided(self, request_id: int, how: str) -> None:
        """One less."""
        for group, waiting in list(self._groups.items()):
            if request_id not in waiting.requests:
                continue
            del waiting.requests[request_id]
            alert = self._register.board.get(self._alerts.get(group, 0))
            if waiting.requests:
                if alert is not None:
                    self._register.restate(alert, waiting.finding())
                continue
            del self._groups[group]
            self._alerts.pop(group, None)
            if alert is not None:
                self._register.end(alert, how)
