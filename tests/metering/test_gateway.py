"""Whose an error with a gateway's status is: the provider's own, or that of somebody in between."""

import gzip
import json

import pytest

from budgetd.metering.apis import Api
from budgetd.metering.gateway import error_meter

ANTHROPIC = {"type": "error", "error": {"type": "api_error", "message": "no"}}
OPENAI = {"error": {"message": "no", "type": "server_error", "param": None, "code": None}}
OPENROUTER = {"error": {"code": 502, "message": "Provider returned error"}}
MISTRAL = {"object": "error", "message": "no", "type": "internal", "code": "3000"}
GEMINI = {"error": {"code": 504, "message": "no", "status": "DEADLINE_EXCEEDED"}}
MESSAGE = {"message": "Endpoint request timed out"}

OWN = [
    ("anthropic.messages", "anthropic", ANTHROPIC),
    ("openai.chat", "openai", OPENAI),
    ("openai.chat", "openai", OPENROUTER),
    ("openai.chat", "openai", MISTRAL),
    ("openai.chat", "openai", {"code": "internal", "error": "no"}),
    ("gemini.generate", "gemini", GEMINI),
    ("gemini.generate", "gemini", [GEMINI]),
    ("cohere.chat", "cohere", MESSAGE),
    ("anthropic.messages", "gemini", [GEMINI]),
    ("anthropic.messages", "openai", OPENROUTER),
    (None, "openai", OPENAI),
]
NOT_OWN = [
    ("anthropic.messages", "anthropic", OPENAI),
    ("anthropic.messages", "anthropic", MESSAGE),
    ("openai.chat", "openai", MESSAGE),
    ("openai.chat", "openai", {"status": 502, "error": "Bad Gateway", "path": "/"}),
    ("openai.chat", "openai", {"success": False, "error": [{"code": 2001, "message": "no"}]}),
    ("gemini.generate", "gemini", OPENROUTER),
    ("bedrock.converse", "bedrock", MESSAGE),
    (None, "openai", {"detail": "no"}),
]


def is_own(api: Api | None, dialect: str, body: bytes, coding: str = "", amazon: str = "") -> bool:
    headers = {b"x-amzn-errortype": amazon}
    meter = error_meter(api, dialect, "", coding, lambda name: headers.get(name, ""))
    for place in range(0, len(body), 7):
        meter.feed(body[place : place + 7])
    return meter.finish().failed


@pytest.mark.parametrize(("api", "dialect", "body"), OWN)
def test_a_providers_own_error_says_that_nothing_is_billed(api: Api | None, dialect: str, body) -> None:
    plain = json.dumps(body).encode()
    assert is_own(api, dialect, plain)
    assert is_own(api, dialect, gzip.compress(plain), "gzip")
    assert not is_own(api, dialect, plain[: len(plain) // 2])


@pytest.mark.parametrize(("api", "dialect", "body"), NOT_OWN)
def test_any_other_json_is_somebody_elses(api: Api | None, dialect: str, body) -> None:
    assert not is_own(api, dialect, json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>504</html>", b"upstream request timeout", b'"no"', b"{", b"[]", b"\x00" * 40, b"null"],
)
def test_a_page_or_nothing_is_somebody_elses(body: bytes) -> None:
    assert not is_own("anthropic.messages", "anthropic", body)


def test_bedrock_names_its_errors_in_a_header() -> None:
    body = json.dumps(MESSAGE).encode()
    assert is_own("bedrock.converse", "bedrock", body, amazon="ModelTimeoutException")
    assert not is_own("openai.chat", "openai", body, amazon="ModelTimeoutException")
