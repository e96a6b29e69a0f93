"""The base of the screens on which a person answers: alerts, and requests that are held."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from budgettop import text
from budgettop.alerting import tomorrow
from budgettop.screens.room import Room
from budgetwire.messages import Acknowledge, Approve, Grant, InFlight, Refuse, Snooze

MORE_CENTS = 500
"""What one key grants to the limit that holds a request."""
SNOOZE_SECONDS = 3600.0


class Answering(Room):
    """Acknowledge and snooze; allow, grant and refuse; whatever list these are selected in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "allow_more", "+$5", id="allow-more", show=False),
        Binding("x", "refuse", "refuse", id="refuse", show=False),
        Binding("a", "acknowledge", "ack", id="acknowledge"),
        Binding("A", "app.acknowledge_all", "ack all", id="acknowledge-all", show=False),
        Binding("s", "snooze", "snooze", id="snooze"),
        Binding("S", "snooze_till_tomorrow", "till tomorrow", id="snooze-tomorrow", show=False),
    ]

    def to_decide(self) -> InFlight | None:
        """Return the held request that keys decide upon."""
        raise NotImplementedError

    def to_allow(self) -> int | None:
        """Return the request that enter lets through."""
        request = self.to_decide()
        return request and request.id

    def to_answer(self) -> int | None:
        """Return the alert that keys answer."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that would do nothing."""
        if not self.built:
            return True
        live = self.top.view.stand == "live"
        if action == "allow":
            return live and self.to_allow() is not None
        if action in ("allow_more", "refuse"):
            return live and self.to_decide() is not None
        if action in ("acknowledge", "snooze", "snooze_till_tomorrow"):
            return live and self.to_answer() is not None
        return super().check_action(action, parameters)

    def action_allow(self) -> None:
        """Let the held request through, this once, or the repeats of the killed one go on."""
        request_id = self.to_allow()
        if request_id is not None:
            self.top.ask(lambda call: Approve(id=call, request_id=request_id))

    def action_allow_more(self) -> None:
        """Grant the limit that holds the request so much on top that it fits, and others after it."""
        if request := self.to_decide():
            name, subject = request.held_by, request.held_subject
            self.top.ask(lambda call: Grant(id=call, limit=name, subject=subject, cents=MORE_CENTS))

    def action_refuse(self) -> None:
        """Refuse the held request."""
        if request := self.to_decide():
            self.top.ask(lambda call: Refuse(id=call, request_id=request.id))

    def action_acknowledge(self) -> None:
        """Acknowledge the alert for good."""
        alert_id = self.to_answer()
        if alert_id is not None:
            self.top.ask(lambda call: Acknowledge(id=call, alert_ids=[alert_id]))

    def action_snooze(self) -> None:
        """Hear no more of the alert for an hour."""
        self._snooze(text.wall_clock() + SNOOZE_SECONDS)

    def action_snooze_till_tomorrow(self) -> None:
        """Hear no more of the alert until tomorrow morning."""
        self._snooze(tomorrow(text.wall_clock(), self.top.view.zone))

    def _snooze(self, until: float) -> None:
        alert_id = self.to_answer()
        if alert_id is not None:
            when = text.date_and_time(until, self.top.view.zone)
            self.top.ask(
                lambda call: Snooze(id=call, alert_ids=[alert_id], until=until),
                f"Snoozed until {when}; if it is not over by then, it fires again.",
            )
