"""What is refused because it would repeat a request that was killed. Pure: `now` is passed in.

Agents ask again within a second of a kill, often without streaming, and would pay for all of it once more.
"""

from collections.abc import Iterator

import msgspec

from budgetd.budget.limits import Subject

BLOCK_SECONDS = 60.0
"""How long a repeat is refused; a person can let it go on before."""


class Origin(msgspec.Struct, frozen=True):
    """Where a request comes from, as far as it tells a repeat from another one's request."""

    session: str
    agent: str
    """The agent within the session; empty for its main line, or where nobody says."""
    key: str
    project: str = ""
    model: str = ""
    messages: str = ""
    """A digest of what the request says; only that tells a repeat where there is no session."""

    @staticmethod
    def of(subject: Subject, model: str, agent: str, messages: str) -> "Origin":
        """A session's requests are all alike; one without a session is like itself only."""
        if subject.session:
            return Origin(subject.session, agent, subject.key)
        return Origin("", "", subject.key, subject.project, model, messages)

    @property
    def is_known(self) -> bool:
        """Whether a repeat could be told at all."""
        return bool(self.session or self.messages)


class Block(msgspec.Struct, frozen=True):
    """A killed request whose repeats are refused."""

    request_id: int
    subject: Subject
    origin: Origin
    by: str
    """Who killed it, for a person."""
    at: float
    until: float


class Blocks:
    """The killed requests whose repeats are refused now, the oldest first."""

    def __init__(self) -> None:
        self._by_origin: dict[Origin, Block] = {}

    def __bool__(self) -> bool:
        return bool(self._by_origin)

    def __iter__(self) -> Iterator[Block]:
        return iter(list(self._by_origin.values()))

    def add(self, request_id: int, subject: Subject, origin: Origin, by: str, now: float) -> None:
        """Refuse what repeats a request that is killed now."""
        if origin.is_known:
            block = Block(request_id, subject, origin, by, now, now + BLOCK_SECONDS)
            self._by_origin[origin] = block

    def find(self, origin: Origin, now: float) -> Block | None:
        """Why a request is refused; None where it repeats no killed one."""
        block = self._by_origin.get(origin)
        return block if block is not None and block.at <= now < block.until else None

    def get(self, request_id: int) -> Block | None:
        """The block that the kill of a request began."""
        return next((block for block in self if block.request_id == request_id), None)

    def lift(self, request_id: int) -> bool:
        """Let the repeats of a killed request go on; False if they are not refused."""
        block = self.get(request_id)
        if block is None:
            return False
        del self._by_origin[block.origin]
        return True

    def expire(self, now: float) -> bool:
        """Forget what is over, also after a clock step backwards; True if there was any."""
        over = [block for block in self if self.find(block.origin, now) is None]
        for block in over:
            del self._by_origin[block.origin]
        return bool(over)
