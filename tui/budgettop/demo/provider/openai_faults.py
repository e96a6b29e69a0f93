"""What OpenAI's two dialects share: headers, and the shape of a failure."""

import msgspec

from budgettop.demo.provider.answer import Answer
from budgettop.demo.provider.dialect import Fault


def openai_headers(answer: Answer) -> dict[str, str]:
    """Return the request id and what is left of the rate limit."""
    return {
        "x-request-id": f"req_{answer.id.lower()}",
        "openai-processing-ms": str(int(answer.first_token_seconds * 1000)),
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9994",
    }


def openai_fault(fault: Fault, model: str) -> tuple[int, bytes]:
    """Return status and body of a failure."""
    status, kind, code, message = {
        "rate_limited": (429, "tokens", "rate_limit_exceeded", f"Rate limit reached for {model}."),
        "overloaded": (503, "server_error", None, "The server is overloaded. Please try again later."),
    }[fault]  # fmt: skip
    error = {"message": message, "type": kind, "param": None, "code": code}
    return status, msgspec.json.encode({"error": error})
