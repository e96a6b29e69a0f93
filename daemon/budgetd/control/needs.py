"""What the control room needs from the rest of the daemon: the state to show, and who does the calls."""

import pwd
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, get_args

from budgetwire.messages import Alert, Burn, Call, Daemon, InFlight, Limit, Spending

Part: TypeAlias = Literal["daemon", "limits", "in_flight", "alerts", "burn", "spending"]
"""A part of the shown state: a method of `Views`, and a field of `Snapshot` and `Update`."""
PARTS: tuple[Part, ...] = get_args(Part)


class Views(Protocol):
    """The state as it is shown, part by part. A part is asked for only when it is sent; it must be quick."""

    def daemon(self) -> Daemon:
        """Return the daemon's own condition."""
        ...

    def limits(self) -> list[Limit]:
        """Return every counter, in the order in which they are shown."""
        ...

    def in_flight(self) -> list[InFlight]:
        """Return the requests that run, oldest first."""
        ...

    def alerts(self) -> list[Alert]:
        """Return the alerts of the present windows and all that wait to be acknowledged, newest first."""
        ...

    def burn(self) -> Burn:
        """Return how fast money goes."""
        ...

    def spending(self) -> Spending:
        """Return where today's money went."""
        ...


@dataclass(frozen=True, slots=True)
class Peer:
    """Who calls: process and user as the kernel says, the name as the client says."""

    pid: int
    uid: int
    name: str

    @property
    def user(self) -> str:
        """The name of the user, or the number of one without."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


Handle: TypeAlias = Callable[[Call, Peer], Awaitable[dict[str, Any]]]
"""Does a call other than `Subscribe` and returns the result of its reply; raises CommandError."""
