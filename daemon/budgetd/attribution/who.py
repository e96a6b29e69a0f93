"""Who spends: read from the headers of a request, its path, and the session its body names. Pure."""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

MAX_NAME = 200
"""Longest name kept, in characters."""

CLIENTS = (
    (re.compile(r"^claude-cli"), "claude-code"),
    (re.compile(r"^codex"), "codex"),
    (re.compile(r"^GeminiCLI"), "gemini-cli"),
    (re.compile(r"^(Async)?Anthropic/Python"), "anthropic-python"),
    (re.compile(r"^(Async)?OpenAI/Python"), "openai-python"),
    (re.compile(r"^google-genai-sdk"), "google-genai"),
)
"""What the user agents of well-known clients begin with (FACTS 1)."""


SESSIONS = (b"x-budget-session", b"x-claude-code-session-id", b"session-id", b"x-session-id")
"""Where a session is named: by a person, by Claude Code, by Codex, by opencode."""

AGENTS = (b"x-claude-code-agent-id", b"thread-id")
"""Where the agent within a session is named: by Claude Code for its subagents, by Codex for each thread."""

KEY_PROTOCOL = b"openai-insecure-api-key."
"""What a subprotocol begins with that is an API key."""

_KEY_IN_TARGET = re.compile(r"[?&]key=([^&]+)")
"""Where Google takes a key beside the headers."""


_KEY_STARTS = b"sk-"
"""How OpenAI's API keys begin; the token of a ChatGPT login does not."""
_CHATGPT = frozenset(("openai", "chatgpt"))
"""Providers that a ChatGPT login is good for."""


class Who(msgspec.Struct, frozen=True):
    """Who a request is put down to. Empty where nobody says."""

    user: str
    project: str
    session: str
    key: str
    """Fingerprint of the API key: all that is ever kept of it. Tokens of a subscription change every few
    hours, so there it is the fingerprint of the account, if that is known.
    """
    client: str
    subscription: bool
    """The key is a subscription's token, so that the provider does not bill by usage."""
    agent: str = ""
    """The agent within the session, such as a subagent; empty for its main line."""
    token: str = ""
    """Fingerprint of the token, where ``key`` is the account's."""


def identify(
    headers: Mapping[bytes, bytes],
    user: str,
    project: str,
    session: str,
    target: str = "",
    account: str = "",
    provider: str = "",
) -> Who:
    """Who spends.

    Args:
        headers: by lower-case name.
        user: from the path, if it says.
        project: from the path, if it says.
        session: from the body, if it says.
        target: path and query, which may bear the key.
        account: of a Claude subscription, from the body, if it says.
        provider: whom the request goes to.
    """
    get = headers.get
    key = _key(headers, target)
    chatgpt = get(b"chatgpt-account-id", b"") if _is_chatgpt_login(key, provider) else b""
    claude = key.startswith(b"sk-ant-oat")
    # An API key is its own identity whatever the body says: else its limits could be dodged.
    account_id = chatgpt or (account.encode("utf-8", "replace") if claude else b"")
    mark = fingerprint(key) if key else ""
    named = next(filter(None, map(get, SESSIONS)), None)
    agent = next(filter(None, map(get, AGENTS)), None)
    return Who(
        user=_name(get(b"x-budget-user") or user.encode("utf-8", "replace")),
        project=_name(get(b"x-budget-project") or project.encode("utf-8", "replace")),
        session=_name(named or session.encode("utf-8", "replace")),
        key=fingerprint(account_id, "a_") if account_id else mark,
        client=_client(_name(get(b"user-agent"))),
        subscription=claude or bool(chatgpt),
        agent=_name(agent),
        token=mark if account_id else "",
    )


def fingerprint(secret: bytes, prefix: str = "k_") -> str:
    """A short name for an API key, or with the prefix ``a_`` for an account, from which it cannot be had."""
    return prefix + hashlib.sha256(secret).hexdigest()[:6]


def _is_chatgpt_login(key: bytes, provider: str) -> bool:
    """Whether a key can be the token of a ChatGPT login rather than an API key."""
    return bool(key) and not key.startswith(_KEY_STARTS) and provider in _CHATGPT


def _key(headers: Mapping[bytes, bytes], target: str) -> bytes:
    for name in (b"x-api-key", b"x-goog-api-key", b"api-key"):
        if key := headers.get(name):
            return key
    if key := headers.get(b"authorization", b"").partition(b" ")[2].strip():
        return key
    # Where no header can be set, a WebSocket's subprotocol carries it.
    for protocol in headers.get(b"sec-websocket-protocol", b"").split(b","):
        if protocol.strip().startswith(KEY_PROTOCOL):
            return protocol.strip().removeprefix(KEY_PROTOCOL)
    named = _KEY_IN_TARGET.search(target)
    return unquote_to_bytes(named[1].encode("utf-8", "surrogateescape")) if named else b""


@lru_cache(256)
def _client(agent: str) -> str:
    for pattern, name in CLIENTS:
        if pattern.match(agent):
            return name
    return re.split(r"[/ ]", agent, maxsplit=1)[0][:40]


def _name(value: bytes | None) -> str:
    """A header's value as a name to show: printable, of bounded length."""
    if not value:
        return ""
    text = value.decode("utf-8", "replace")[:MAX_NAME]
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())
