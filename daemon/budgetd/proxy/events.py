"""What the client of a WebSocket session is told in our own name, in the shape of its provider. Pure."""

import msgspec

from budgetd.metering import Api
from budgetd.proxy.till import Turned


def refusal_event(api: Api | None, turned: Turned, event_id: str) -> bytes | None:
    """The event that a turn is not let through; None where the provider has none.

    Args:
        api: what the session speaks.
        turned: why.
        event_id: the client's own id of the message that asked.
    """
    kind = "budget_exceeded" if turned.reason == "budget" else "budgetd_error"
    error = {"type": kind, "code": kind, "message": turned.message, "param": None}
    if api == "openai.realtime":
        error["event_id"] = event_id or None
        return msgspec.json.encode({"type": "error", "event_id": "event_budgetd", "error": error})
    if api == "openai.responses":
        # Clients look for the fields of an error in either of two places.
        status = 503 if turned.reason == "stopping" else 400
        beside = {"code": kind, "message": turned.message, "param": None}
        return msgspec.json.encode({"type": "error", "status": status, "error": error, **beside})
    return None
