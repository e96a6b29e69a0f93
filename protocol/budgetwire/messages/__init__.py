"""Every message that crosses the socket, as typed structs: calls, answers, and the state that is shown.

A message is a msgpack map whose key ``type`` names its struct. Money is integer nanodollars (``…_nusd``),
times are UTC epoch seconds. Framing lives in `codec`, connections in `client`; the document for people who
write their own client is ``protocol/README.md``, and a test keeps the two in step.
"""

from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from budgetwire.messages.alerts import (
    Acknowledge,
    AcknowledgeReply,
    Channel,
    Delivery,
    QueryAlerts,
    QueryAlertsReply,
    QueryChannels,
    QueryChannelsReply,
    QueryDeliveries,
    QueryDeliveriesReply,
    Redeliver,
    RedeliverReply,
    SendTest,
    SendTestReply,
    Snooze,
    SnoozeReply,
    TestOutcome,
)
from budgetwire.messages.base import (
    Call,
    Message,
    State,
)
from budgetwire.messages.calls import (
    Approve,
    Change,
    EstimateError,
    ForgetLimits,
    Grant,
    Kill,
    Pause,
    QueryAudit,
    QueryAuditReply,
    QueryEstimates,
    QueryEstimatesReply,
    QueryRequests,
    QueryRequestsReply,
    Refuse,
    Release,
    ReleaseReply,
    Resume,
    SetLimit,
    Subscribe,
    UndoLimit,
    UndoLimitReply,
)
from budgetwire.messages.costs import (
    ApplyCorrections,
    ApplyCorrectionsReply,
    Correction,
    Cost,
    QueryCost,
    ReportDrift,
    UndoCorrections,
)
from budgetwire.messages.state import (
    Alert,
    Block,
    Burn,
    Daemon,
    InFlight,
    Limit,
    Request,
    Spend,
    Spending,
)

__all__ = [
    "VERSION",
    "Acknowledge",
    "AcknowledgeReply",
    "Alert",
    "ApplyCorrections",
    "ApplyCorrectionsReply",
    "Approve",
    "Block",
    "Burn",
    "Call",
    "Change",
    "Channel",
    "Correction",
    "Cost",
    "Daemon",
    "Delivery",
    "Error",
    "EstimateError",
    "ForgetLimits",
    "FromClient",
    "FromDaemon",
    "Grant",
    "Hello",
    "InFlight",
    "Kill",
    "Limit",
    "Message",
    "Pause",
    "QueryAlerts",
    "QueryAlertsReply",
    "QueryAudit",
    "QueryAuditReply",
    "QueryChannels",
    "QueryChannelsReply",
    "QueryCost",
    "QueryDeliveries",
    "QueryDeliveriesReply",
    "QueryEstimates",
    "QueryEstimatesReply",
    "QueryRequests",
    "QueryRequestsReply",
    "Redeliver",
    "RedeliverReply",
    "Refuse",
    "Release",
    "ReleaseReply",
    "Reply",
    "ReportDrift",
    "Request",
    "Resume",
    "SendTest",
    "SendTestReply",
    "SetLimit",
    "Snapshot",
    "Snooze",
    "SnoozeReply",
    "Spend",
    "Spending",
    "State",
    "Subscribe",
    "TestOutcome",
    "UndoCorrections",
    "UndoLimit",
    "UndoLimitReply",
    "Update",
    "Welcome",
    "merge",
]

VERSION = "1.2"
"""Version of this protocol; sides whose major numbers differ do not talk."""


class Hello(Message, frozen=True, tag="hello"):
    """The first message on a connection."""

    version: str
    name: str


class Welcome(Message, frozen=True, tag="welcome"):
    """The answer to `Hello`."""

    version: str
    daemon: str
    pid: int
    started_at: float
    listen: str


class Reply(Message, frozen=True, tag="reply"):
    """A call succeeded; ``result`` is a map whose shape the call names, empty if it names none."""

    id: int
    result: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


class Error(Message, frozen=True, tag="error"):
    """A call failed, or (without id) the connection did and is closed. Nothing was half applied."""

    code: str
    """bad_message, version, not_found, invalid, conflict or failed."""
    message: str
    id: int | None = None
    field: str = ""


class Snapshot(Message, frozen=True, tag="snapshot"):
    """The whole state."""

    seq: int
    at: float
    daemon: Daemon
    limits: list[Limit]
    in_flight: list[InFlight]
    alerts: list[Alert]
    burn: Burn
    spending: Spending


class Update(Message, frozen=True, tag="update"):
    """The parts of the state that changed since the last message, each whole; at most 20 a second."""

    seq: int
    at: float
    daemon: Daemon | UnsetType = UNSET
    limits: list[Limit] | UnsetType = UNSET
    in_flight: list[InFlight] | UnsetType = UNSET
    alerts: list[Alert] | UnsetType = UNSET
    burn: Burn | UnsetType = UNSET
    spending: Spending | UnsetType = UNSET


FromClient: TypeAlias = (
    Hello
    | Subscribe
    | SetLimit
    | UndoLimit
    | ForgetLimits
    | Grant
    | Release
    | Acknowledge
    | Pause
    | Resume
    | Approve
    | Refuse
    | Kill
    | QueryRequests
    | QueryAudit
    | QueryEstimates
    | Snooze
    | QueryAlerts
    | QueryDeliveries
    | QueryChannels
    | SendTest
    | Redeliver
    | QueryCost
    | ApplyCorrections
    | UndoCorrections
    | ReportDrift
)
FromDaemon: TypeAlias = Welcome | Reply | Error | Snapshot | Update


def merge(state: Snapshot, update: Update) -> Snapshot:
    """Return the state after an update: its parts replace those they name."""
    parts = {
        name: value for name in update.__struct_fields__ if (value := getattr(update, name)) is not UNSET
    }
    return msgspec.structs.replace(state, **parts)
