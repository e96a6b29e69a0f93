"""What a screen is given to show: the state last heard of, and how the link to the daemon stands."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from budgettop import text
from budgetwire.messages import Block, InFlight, Snapshot

Stand = Literal["connecting", "live", "lost", "refused"]
"""refused: the daemon speaks another version; nothing more is tried."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything the widgets draw from."""

    stand: Stand = "connecting"
    snapshot: Snapshot | None = None
    listen: str = ""
    reason: str = ""
    """Why the link is not live; a sentence."""
    retry_at: float | None = None
    unused: bool = False
    """No request was ever seen by this daemon."""
    notifies: bool = False
    """Alerts are shown on the daemon's desktop without having been told to; only asked where it is unused."""
    now: float = 0.0

    @property
    def zone(self) -> tzinfo | None:
        """The zone that times are shown in."""
        return text.zone(self.snapshot.daemon.timezone) if self.snapshot else None

    @property
    def state_at(self) -> float:
        """The time that the state is of: it stands still while there is no link."""
        return self.now if self.stand == "live" or not self.snapshot else self.snapshot.at

    @property
    def paused_at(self) -> float | None:
        """Since when everything that costs is refused; None if it is not."""
        return self.snapshot.daemon.paused_at if self.snapshot else None

    @property
    def waiting_alerts(self) -> bool:
        """Whether an alert waits to be acknowledged."""
        alerts = self.snapshot.alerts if self.snapshot else []
        return any(alert.acknowledged_at is None and alert.resolved_at is None for alert in alerts)

    @property
    def held(self) -> list[InFlight]:
        """The requests that wait for a decision, the one with the least time left first."""
        held = [request for request in self._in_flight if request.phase == "held"]
        return sorted(held, key=lambda request: (request.held_until or 0.0, request.id))

    @property
    def running(self) -> list[InFlight]:
        """The requests that were let through and are not over, oldest first."""
        running = [request for request in self._in_flight if request.phase != "held"]
        return sorted(running, key=lambda request: (request.started_at, request.id))

    @property
    def blocks(self) -> list[Block]:
        """The killed requests whose repeats are refused, oldest first; those that still end are among the
        running ones.
        """
        blocks = self.snapshot.daemon.blocks if self.snapshot else []
        return [block for block in blocks if all(each.id != block.request_id for each in self._in_flight)]

    @property
    def _in_flight(self) -> list[InFlight]:
        return self.snapshot.in_flight if self.snapshot else []
