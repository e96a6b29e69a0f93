"""What a client gets in our own name where its request did not go through as it asked. Pure.

Each is a whole response. ``close``: the connection cannot carry another request.
"""

from collections.abc import Iterable

from budgetd.proxy.pool import ConnectError
from budgetd.proxy.refusal import failure, refusal
from budgetd.proxy.routes import Route
from budgetd.proxy.till import Turned

SILENCE_SECONDS = 1200.0
"""How long an upstream may say nothing at all before it is taken for dead: twice the SDKs' own time-out."""

KILLED = "This request was killed by its owner after it had been sent. What it used until then is counted."


def no_route(target: str, names: Iterable[str], *, close: bool) -> bytes:
    """Its path leads to none of the upstreams of these names."""
    path = target.partition("?")[0][:200]
    if "/v1/v1/" in path:
        message = f"The path {path} has /v1 twice: take /v1 off the end of the client's base URL."
        return failure(404, None, message, retry=False, close=close)
    message = (
        f"budgetd knows no provider for {path}. Use a provider's own paths (/v1/messages, "
        f"/v1/chat/completions, /v1beta/…) or /NAME/… with one of: {', '.join(sorted(names))}."
    )
    return failure(404, None, message, retry=False, close=close)


def no_websocket(route: Route) -> bytes:
    """It asks for a WebSocket session where none is understood."""
    message = (
        f"budgetd cannot meter a WebSocket session at {route.path[:200]}, so it does not let it through."
        " It knows /v1/realtime, /v1/responses and Gemini's BidiGenerateContent."
    )
    return failure(501, route.upstream.dialect, message, retry=False, close=True)


def websocket_declined(route: Route, why: Exception) -> bytes:
    """The upstream answered the handshake, but not as it has to."""
    message = f"{route.upstream.name} did not accept a WebSocket session: {why}."
    return failure(502, route.upstream.dialect, message, retry=True, close=True)


def turned_away(route: Route, turned: Turned, *, close: bool) -> bytes:
    """The till did not let it in."""
    fault = turned.reason != "budget"
    return refusal(route.api, route.upstream.dialect, turned.message, fault=fault, close=close)


def not_replaced(route: Route, model: str, *, close: bool) -> bytes:
    """It was to be downgraded to a model, which its body did not allow."""
    message = f"budgetd could not put {model} into this request, so it was not sent."
    return refusal(route.api, route.upstream.dialect, message, close=close)


def not_reached(route: Route, error: ConnectError) -> bytes:
    """There is no connection to be had to its upstream."""
    message = f"budgetd could not reach {route.upstream.name}: {error}. The request was not sent."
    return failure(504 if error.timed_out else 502, route.upstream.dialect, message, retry=True)


def not_answered(route: Route, problem: str | None) -> bytes:
    """It was sent, and the upstream broke off before anything came back; None: it was silent."""
    name = route.upstream.name
    if problem is None:
        what = f"{name} has not answered for {SILENCE_SECONDS / 60:.0f} minutes; budgetd gave up on it."
    else:
        what = f"{name} did not answer properly: {problem}."
    message = f"{what} The request was sent once; whether it was processed is not known."
    return failure(504 if problem is None else 502, route.upstream.dialect, message, retry=True)


def stopping(route: Route) -> bytes:
    """It came, or could be sent, only after budgetd had been told to stop."""
    message = "budgetd is being stopped. The request was not sent."
    return failure(503, route.upstream.dialect, message, retry=True, close=True)


def stopped(route: Route) -> bytes:
    """It was sent, and budgetd stopped before anything came back."""
    message = (
        f"budgetd was stopped before {route.upstream.name} answered. The request was sent once;"
        " whether it was processed is not known."
    )
    return failure(503, route.upstream.dialect, message, retry=True, close=True)


def killed(route: Route, *, close: bool) -> bytes:
    """Its owner cut it before anything came back."""
    return refusal(route.api, route.upstream.dialect, KILLED, close=close)
