"""Calls about alerts and the channels they are sent to, and what is answered."""

from typing import Literal

from budgetwire.messages.base import Call, State
from budgetwire.messages.state import Alert


class Acknowledge(Call, frozen=True, tag="acknowledge"):
    """Acknowledge alerts by id; None acknowledges all. Replies `AcknowledgeReply`."""

    alert_ids: list[int] | None


class AcknowledgeReply(State, frozen=True):
    """How many alerts were acknowledged by this call (those that already were do not count)."""

    acknowledged: int


class Snooze(Call, frozen=True, tag="snooze"):
    """Say no more of alerts until a time; None in place of ids means every alert that fires. Replies
    `SnoozeReply`. An alert that is snoozed is not acknowledged: it fires again then, if it is not over.
    """

    alert_ids: list[int] | None
    until: float


class SnoozeReply(State, frozen=True):
    """How many alerts are snoozed by this call."""

    snoozed: int


class QueryAlerts(Call, frozen=True, tag="query_alerts"):
    """Alerts on record, newest first, also those that are over. Replies `QueryAlertsReply`."""

    count: int = 100
    """At most this many, 1 to 1,000."""
    before_id: int | None = None
    """Only alerts with a smaller id."""
    rule: str | None = None
    limit: str | None = None
    state: Literal["firing", "snoozed", "acknowledged", "resolved"] | None = None


class QueryAlertsReply(State, frozen=True):
    """The alerts, and whether older ones match too."""

    alerts: list[Alert]
    more: bool


class QueryDeliveries(Call, frozen=True, tag="query_deliveries"):
    """What was sent of alerts, newest first, at most 1,000; None: of all. Replies `QueryDeliveriesReply`."""

    alert_id: int | None = None


class Delivery(State, frozen=True):
    """One message to one channel."""

    id: int
    alert_id: int | None
    """None for a test."""
    channel: str
    event: Literal["fired", "updated", "repeated", "resolved", "test"]
    message_id: str
    """The same at each attempt, so that a receiver can drop duplicates."""
    created_at: float
    due_at: float
    """When the next attempt is due, of one that is pending."""
    attempts: int
    state: Literal["pending", "delivered", "dead"]
    delivered_at: float | None
    error: str
    """Why the last attempt failed."""


class QueryDeliveriesReply(State, frozen=True):
    """The messages."""

    deliveries: list[Delivery]


class QueryChannels(Call, frozen=True, tag="query_channels"):
    """The channels that alerts are sent to. Replies `QueryChannelsReply`."""


class Channel(State, frozen=True):
    """One channel and how it does."""

    name: str
    kind: Literal["webhook", "desktop", "apprise", "exec"]
    target: str
    """Where it leads, without what is secret: scheme and host, or a program's name."""
    severity: Literal["info", "warning", "critical"]
    """It is sent alerts from this severity up."""
    disabled_at: float | None = None
    disabled_reason: str = ""
    pending: int = 0
    dead: int = 0
    """Messages that were given up on; they can be sent again."""
    delivered_at: float | None = None
    """When a message arrived last."""
    error: str = ""
    """Why the last attempt failed; empty since one succeeded."""
    by_default: bool = False
    """Nobody configured it. That nothing arrives there is in `disabled_reason`, and no failure."""


class QueryChannelsReply(State, frozen=True):
    """The channels in the order of the file."""

    channels: list[Channel]


class SendTest(Call, frozen=True, tag="send_test"):
    """Send a test to one channel, or to all, now, and wait for what happens. Replies `SendTestReply`."""

    channel: str | None = None


class TestOutcome(State, frozen=True):
    """What became of one test."""

    channel: str
    delivered: bool
    detail: str
    """What the channel answered, or why it failed and what to do."""


class SendTestReply(State, frozen=True):
    """One for each channel."""

    tests: list[TestOutcome]


class Redeliver(Call, frozen=True, tag="redeliver"):
    """Send messages again that were given up on: those of one channel or all, and enable it again. Replies
    `RedeliverReply`.
    """

    channel: str | None = None


class RedeliverReply(State, frozen=True):
    """How many messages will be sent again."""

    deliveries: int
