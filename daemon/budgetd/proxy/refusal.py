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
    405: "Method Not Allowed",
    413: "Content Too Large",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

_REFUSED = {"gemini": "FAILED_PRECONDITION", "bedrock": "BudgetExceededException"}
_FAULT = {"gemini": "FAILED_PRECONDITION", "bedrock": "BudgetdException"}
_FAILED = {
    "anthropic": ("invalid_request_error", "api_error"),
    "gemini": ("INVALID_ARGUMENT", "UNAVAILABLE"),
    "bedrock": ("ValidationException", "ServiceUnavailableException"),
}
"""What each calls a fault of the client, and one of the server."""


def refusal(
    api: Api | None, family: Family, message: str, *, fault: bool = False, close: bool = False
) -> bytes:
    """The whole response to a request that the budget does not admit. ``fault``: it is budgetd that cannot.
    That has the status of a refusal too: agents ask up to thirty times again after a 503, without a word.
    """
    shape = family if api is None else api.partition(".")[0]
    status = 400 if shape == "gemini" or api == "openai.responses" else 402
    kind = _FAULT.get(shape, "budgetd_error") if fault else _REFUSED.get(shape, "budget_exceeded")
    return _response(shape, status, kind, message, retry=False, close=close)


def failure(status: int, family: Family | None, message: str, *, retry: bool, close: bool = False) -> bytes:
    """The whole response where the request could not be forwarded, or not to its end."""
    shape = family or "anthropic"
    kind = _FAILED[shape][status >= 500] if shape in _FAILED else "budgetd_error"
    return _response(shape, status, kind, message, retry=retry, close=close)


def fit(response: bytes, method: str) -> bytes:
    """As much of one of these responses as may answer a request with this method: to HEAD, only the head."""
    return response[: response.index(b"\r\n\r\n") + 4] if method == "HEAD" else response


def _body(shape: str, status: int, kind: str, message: str) -> Any:
    match shape:
        case "anthropic":
            return {"type": "error", "error": {"type": kind, "message": message}}
        case "openai":
            return {"error": {"message": message, "type": kind, "param": None, "code": kind}}
        case "gemini":
            return {"error": {"code": status, "message": message, "status": kind}}
        case "ollama":
            return {"error": message}
        case _:  # Cohere's, and Bedrock's, which says the kind in a header
            return {"message": message}


def _response(shape: str, status: int, kind: str, message: str, *, retry: bool, close: bool) -> bytes:
    content = msgspec.json.encode(_body(shape, status, kind, message))
    lines = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        "content-type: application/json",
        f"content-length: {len(content)}",
    ]
    if shape == "bedrock":
        lines.append(f"x-amzn-errortype: {kind}")
    if not retry:
        lines.append("x-should-retry: false")
    if status == 405:
        lines.append("allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
    if close:
        lines.append("connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
