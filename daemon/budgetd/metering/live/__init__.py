"""Sessions over WebSocket: which messages ask for a response, which begin one, which end one. One file a
dialect.
"""

from budgetd.metering.apis import Api
from budgetd.metering.live.gemini import GeminiLive
from budgetd.metering.live.openai_realtime import Realtime
from budgetd.metering.live.openai_responses import Responses
from budgetd.metering.live.turn import Live, Turn

__all__ = ["Live", "Turn", "live"]


def live(api: Api, target: str) -> Live:
    """A new session of an API that is spoken over WebSocket; ``target`` is that of its handshake."""
    if api == "openai.realtime":
        return Realtime(target)
    return GeminiLive() if api == "gemini.live" else Responses()
