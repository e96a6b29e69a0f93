"""What the client of a WebSocket session is told in our own name, in the shape of its provider. Pure."""

import msgspec

from budgetd.metering import Api


def refusal_event(api: Api | None, message: str, event_id: str, *, retry: bool) -> bytes | None:
    """The event that a turn is not let through; None where the provider has none.

    Args:
        api: what the session speaks.
        message: why, for a person.
        event_id: the client's own id of the message that asked.
        retry: the reason is ours and passing.
    """
    kind = "budgetd_error" if retry else "budget_exceeded"
    error = {"type": kind, "code": kind, "message": message, "param": None}
    if api == "openai.realtime":
        error["event_id"] = event_id or None
        return msgspec.json.encode({"type": "error", "event_id": "event_budgetd", "error": error})
    if api == "openai.responses":
        # Clients look for the fields of an error in either of two places.
        status = 503 if retry else 400
        beside = {"code": kind, "message": message, "param": None}
        return msgspec.json.encode({"type": "error", "status": status, "error": error, **beside})
    return None
