"""What the proxy says in its own name, in the error shape of the provider that was asked. Pure.

Status and headers are those that make each client stop and show the message (FACTS 1): never `retry-after`,
always `x-should-retry: false` on a refusal.
"""

from typing import Any

import msgspec

from budgetd.config import Family
from budgetd.metering import Api

REASONS = {
    400: "Bad Request",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def refusal(api: Api | None, family: Family, message: str, *, close: bool = False) -> bytes:
    """The whole response to a request that the budget does not admit."""
    if api == "gemini.generate" or family == "gemini":
        body = _gemini(400, "FAILED_PRECONDITION", message)
        return _response(400, body, retry=False, close=close)
    status = 400 if api == "openai.responses" else 402
    body = _anthropic("budget_exceeded", message)
    if api in {"openai.chat", "openai.responses"} or (api is None and family == "openai"):
        body = _openai("budget_exceeded", message)
    return _response(status, body, retry=False, close=close)


def failure(status: int, family: Family | None, message: str, *, retry: bool, close: bool = False) -> bytes:
    """The whole response where the request could not be forwarded, or not to its end."""
    if family == "gemini":
        body = _gemini(status, "UNAVAILABLE" if status >= 500 else "INVALID_ARGUMENT", message)
    elif family == "openai":
        body = _openai("budgetd_error", message)
    else:
        body = _anthropic("api_error" if status >= 500 else "invalid_request_error", message)
    return _response(status, body, retry=retry, close=close)


def fit(response: bytes, method: str) -> bytes:
    """As much of one of these responses as may answer a request with this method: to HEAD, only the head."""
    return response[: response.index(b"\r\n\r\n") + 4] if method == "HEAD" else response


def _anthropic(kind: str, message: str) -> Any:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _openai(kind: str, message: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _gemini(code: int, status: str, message: str) -> Any:
    return {"error": {"code": code, "message": message, "status": status}}


def _response(status: int, body: Any, *, retry: bool, close: bool) -> bytes:
    content = msgspec.json.encode(body)
    lines = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        "content-type: application/json",
        f"content-length: {len(content)}",
    ]
    if not retry:
        lines.append("x-should-retry: false")
    if close:
        lines.append("connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
