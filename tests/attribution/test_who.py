"""Who a request is put down to. Pure."""

import pytest

from budgetd.attribution.who import MAX_NAME, Who, fingerprint, identify


def who(user: str = "", project: str = "", session: str = "", **headers: bytes) -> Who:
    raw = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return identify(raw, user, project, session)


def test_nobody_says_anything() -> None:
    assert who() == Who(user="", project="", session="", key="", client="", subscription=False)


def test_headers_win_over_path_and_body() -> None:
    said = who(
        "path-user",
        "path-project",
        "body-session",
        x_budget_user=b"alice",
        x_budget_project=b"notes",
        x_budget_session=b"s1",
        x_claude_code_session_id=b"s2",
        session_id=b"s3",
    )
    assert (said.user, said.project, said.session) == ("alice", "notes", "s1")


def test_path_and_body_count_where_no_header_says() -> None:
    said = who("path-user", "path-project", "body-session")
    assert (said.user, said.project, said.session) == ("path-user", "path-project", "body-session")


def test_the_clients_own_session_headers_are_known() -> None:
    assert who(x_claude_code_session_id=b"c", session_id=b"s").session == "c"
    assert who(session_id=b"s").session == "s"


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": b"sk-1"},
        {"x_goog_api_key": b"sk-1"},
        {"api_key": b"sk-1"},
        {"authorization": b"Bearer sk-1"},
        {"authorization": b"bearer  sk-1 "},
    ],
)
def test_a_key_has_one_fingerprint_wherever_it_stands(headers: dict[str, bytes]) -> None:
    assert who(**headers).key == fingerprint(b"sk-1")


@pytest.mark.parametrize(
    "target", ["/v1beta/models/m:generateContent?key=sk-1", "/ws/x?alt=sse&key=sk%2D1&a=b"]
)
def test_a_key_in_the_query_counts_where_no_header_has_one(target: str) -> None:
    assert identify({}, "", "", "", target).key == fingerprint(b"sk-1")
    assert identify({b"x-goog-api-key": b"sk-2"}, "", "", "", target).key == fingerprint(b"sk-2")
    assert identify({}, "", "", "", "/key=sk-1?monkey=sk-1&key=").key == ""
    assert identify({}, "", "", "", "/?key=\udcff").key == fingerprint(b"\xff")


def test_a_fingerprint_is_short_and_tells_nothing() -> None:
    mark = fingerprint(b"sk-ant-secret")
    assert len(mark) == 8
    assert mark.startswith("k_")
    assert fingerprint(b"sk-ant-secret2") != mark


def test_a_subscriptions_token_is_told_from_a_key() -> None:
    assert who(authorization=b"Bearer sk-ant-oat01-x").subscription
    assert not who(x_api_key=b"sk-ant-api03-x").subscription


OAT = b"Bearer sk-ant-oat01-x"


def account_of(account: bytes) -> str:
    return fingerprint(account, "a_")


def test_a_subscriptions_account_is_its_identity_however_often_its_token_changes() -> None:
    first, second = (
        identify({b"authorization": token}, "", "", "", account="acc-1") for token in (OAT, OAT + b"2")
    )
    assert first.key == second.key == account_of(b"acc-1")
    assert (first.token, second.token) == (fingerprint(OAT[7:]), fingerprint(OAT[7:] + b"2"))
    assert first.key.startswith("a_")
    assert "acc-1" not in repr(first)


def test_a_subscription_that_names_no_account_goes_by_its_token() -> None:
    said = identify({b"authorization": OAT}, "", "", "")
    assert (said.key, said.token, said.subscription) == (fingerprint(OAT[7:]), "", True)


def test_an_api_key_stays_its_own_identity_whatever_account_is_written_in_the_body() -> None:
    said = identify({b"x-api-key": b"sk-ant-api03-x"}, "", "", "", account="acc-1", provider="anthropic")
    assert (said.key, said.token, said.subscription) == (fingerprint(b"sk-ant-api03-x"), "", False)


@pytest.mark.parametrize("provider", ["openai", "chatgpt"])
def test_a_chatgpt_login_is_a_subscription_and_goes_by_its_account(provider: str) -> None:
    headers = {b"authorization": b"Bearer eyJhbGciOi.x.y", b"chatgpt-account-id": b"acc-2"}
    said = identify(headers, "", "", "", provider=provider)
    assert (said.key, said.subscription) == (account_of(b"acc-2"), True)
    assert said.token == fingerprint(b"eyJhbGciOi.x.y")


@pytest.mark.parametrize(
    ("key", "provider"),
    [(b"sk-proj-x", "openai"), (b"gsk_x", "groq"), (b"eyJ.x.y", "azure"), (b"", "openai")],
)
def test_a_header_makes_no_subscription_of_an_api_key(key: bytes, provider: str) -> None:
    headers = {b"authorization": b"Bearer " + key, b"chatgpt-account-id": b"acc-2"}
    said = identify(headers, "", "", "", provider=provider)
    assert (said.key, said.subscription) == (fingerprint(key) if key else "", False)


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        (b"claude-cli/2.1.3 (external, cli)", "claude-code"),
        (b"codex_cli_rs/0.169.0 (Linux)", "codex"),
        (b"GeminiCLI/0.61.0/gemini-3-pro (linux; x64)", "gemini-cli"),
        (b"Anthropic/Python 2.12.0", "anthropic-python"),
        (b"AsyncAnthropic/Python 2.12.0", "anthropic-python"),
        (b"OpenAI/Python 3.54.0", "openai-python"),
        (b"AsyncOpenAI/Python 3.54.0", "openai-python"),
        (b"google-genai-sdk/3.4.0 gl-python/3.12", "google-genai"),
        (b"curl/8.5.0", "curl"),
        (b"python-httpx", "python-httpx"),
        (b"x" * 100, "x" * 40),
        (b"", ""),
    ],
)
def test_clients_are_known_by_their_user_agent(agent: bytes, client: str) -> None:
    assert who(user_agent=agent).client == client


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9", "caf\ufffd"),
        (b"a\x1b[31mb\tc", "a[31mbc"),
        (b"x" * 1000, "x" * MAX_NAME),
        (b"", ""),
    ],
)
def test_names_are_made_fit_to_be_shown(value: bytes, name: str) -> None:
    assert who(x_budget_user=value).user == name


def test_names_from_the_path_are_made_fit_too() -> None:
    said = who("a\x1b[31m\nb" * 100, "p\u202e\x00", "s\x07\x1b")
    assert said.user.isprintable()
    assert len(said.user) <= MAX_NAME
    assert said.project.isprintable()
    assert said.session.isprintable()
