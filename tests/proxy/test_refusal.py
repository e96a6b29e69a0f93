"""What the proxy says in its own name: what makes each client stop and show it (FACTS 1)."""

import json
from typing import Any

import pytest

from budgetd.config import Family
from budgetd.metering import Api
from budgetd.proxy.refusal import REASONS, failure, fit, refusal

MESSAGE = 'The daily limit is reached. "quoted" and ünïcode \n'


def taken_apart(response: bytes) -> tuple[str, dict[str, str], Any]:
    head, _, body = response.partition(b"\r\n\r\n")
    start, *lines = head.decode("ascii").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    assert headers["content-type"] == "application/json"
    assert "retry-after" not in headers
    return start, headers, json.loads(body)


@pytest.mark.parametrize(
    ("api", "family", "status"),
    [
        ("anthropic.messages", "anthropic", 402),
        ("anthropic.messages", "openai", 402),
        (None, "anthropic", 402),
        ("openai.chat", "openai", 402),
        (None, "openai", 402),
        ("openai.responses", "openai", 400),
        ("gemini.generate", "gemini", 400),
        (None, "gemini", 400),
        ("anthropic.messages", "gemini", 402),
        ("openai.chat", "cohere", 402),
        ("openai.images", "openai", 402),
    ],
)
def test_a_refusal_has_the_status_and_shape_that_end_the_clients_attempts(
    api: Api | None, family: Family, status: int
) -> None:
    start, headers, body = taken_apart(refusal(api, family, MESSAGE))
    assert start == f"HTTP/1.1 {status} {REASONS[status]}"
    assert headers["x-should-retry"] == "false"
    assert "connection" not in headers
    error = body["error"]
    assert error["message"] == MESSAGE
    if status == 400 and family == "gemini":
        assert (error["code"], error["status"]) == (400, "FAILED_PRECONDITION")
    elif api == "anthropic.messages" or family == "anthropic":
        assert (body["type"], error["type"]) == ("error", "budget_exceeded")
    else:
        assert (error["type"], error["code"], error["param"]) == ("budget_exceeded", "budget_exceeded", None)


@pytest.mark.parametrize(
    ("api", "family", "status", "kind"),
    [
        ("anthropic.messages", "anthropic", 402, "budgetd_error"),
        ("openai.chat", "openai", 402, "budgetd_error"),
        ("openai.responses", "openai", 400, "budgetd_error"),
        ("gemini.generate", "gemini", 400, "FAILED_PRECONDITION"),
    ],
)
def test_a_fault_of_our_own_ends_the_clients_attempts_too_and_is_not_called_a_budgets(
    api: Api | None, family: Family, status: int, kind: str
) -> None:
    start, headers, body = taken_apart(refusal(api, family, MESSAGE, fault=True))
    assert start == f"HTTP/1.1 {status} {REASONS[status]}"
    assert headers["x-should-retry"] == "false"
    error = body["error"]
    assert (error["message"], error.get("type") or error["status"]) == (MESSAGE, kind)


def test_a_fault_at_bedrock_is_none_of_those_that_its_clients_try_again() -> None:
    _, headers, _ = taken_apart(refusal("bedrock.converse", "bedrock", MESSAGE, fault=True))
    assert headers["x-amzn-errortype"] == "BudgetdException"


@pytest.mark.parametrize(
    ("api", "family", "body", "kind"),
    [
        ("cohere.chat", "cohere", {"message": MESSAGE}, None),
        (None, "cohere", {"message": MESSAGE}, None),
        ("ollama.generate", "ollama", {"error": MESSAGE}, None),
        (None, "ollama", {"error": MESSAGE}, None),
        ("bedrock.invoke", "bedrock", {"message": MESSAGE}, "BudgetExceededException"),
        ("bedrock.converse", "openai", {"message": MESSAGE}, "BudgetExceededException"),
    ],
)
def test_a_refusal_says_no_more_where_the_provider_does_not(
    api: Api | None, family: Family, body: dict[str, str], kind: str | None
) -> None:
    start, headers, said = taken_apart(refusal(api, family, MESSAGE))
    assert start == "HTTP/1.1 402 Payment Required"
    assert headers["x-should-retry"] == "false"
    assert (said, headers.get("x-amzn-errortype")) == (body, kind)


@pytest.mark.parametrize("family", ["cohere", "bedrock"])
@pytest.mark.parametrize(
    ("status", "kind"), [(404, "ValidationException"), (503, "ServiceUnavailableException")]
)
def test_a_failure_says_no_more_where_the_provider_does_not(status: int, kind: str, family: Family) -> None:
    start, headers, body = taken_apart(failure(status, family, MESSAGE, retry=True))
    assert start == f"HTTP/1.1 {status} {REASONS[status]}"
    assert body == {"message": MESSAGE}
    assert headers.get("x-amzn-errortype") == (kind if family == "bedrock" else None)
    _, _, body = taken_apart(failure(status, "ollama", MESSAGE, retry=True))
    assert body == {"error": MESSAGE}


@pytest.mark.parametrize("family", ["anthropic", "openai", "gemini", None])
@pytest.mark.parametrize("status", REASONS)
def test_a_failure_has_the_providers_shape(status: int, family: Family | None) -> None:
    start, headers, body = taken_apart(failure(status, family, MESSAGE, retry=True))
    assert start == f"HTTP/1.1 {status} {REASONS[status]}"
    assert "x-should-retry" not in headers
    assert body["error"]["message"] == MESSAGE
    if family == "gemini":
        assert body["error"]["code"] == status


def test_a_failure_that_will_not_pass_says_so() -> None:
    _, headers, _ = taken_apart(failure(501, "openai", MESSAGE, retry=False, close=True))
    assert headers["x-should-retry"] == "false"
    assert headers["connection"] == "close"


def test_a_refusal_can_close_the_connection() -> None:
    _, headers, _ = taken_apart(refusal(None, "openai", MESSAGE, close=True))
    assert headers["connection"] == "close"


def test_head_gets_the_head_alone() -> None:
    response = failure(502, None, MESSAGE, retry=True)
    head = fit(response, "HEAD")
    assert response.startswith(head)
    assert head.endswith(b"\r\n\r\n")
    assert fit(response, "GET") == response
