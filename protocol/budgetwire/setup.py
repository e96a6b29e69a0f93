"""What points each client at a daemon, as both programs and the README tell it.

Tried with Claude Code 2.1, Codex 0.171, Gemini CLI 0.61 and opencode 1.18.
"""

import shlex

ENVIRONMENT = {
    "ANTHROPIC_BASE_URL": "{}",
    "OPENAI_BASE_URL": "{}/v1",
    "GOOGLE_GEMINI_BASE_URL": "{}",
    # Behind a base URL of its own Claude Code sends every MCP tool with each turn unless this is set.
    "ENABLE_TOOL_SEARCH": "true",
    # It then says which requests are a subagent's or a compaction.
    "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
}
"""The variables that clients read; {} is the daemon's address."""

CLAUDE_CODE = ("ANTHROPIC_BASE_URL", "ENABLE_TOOL_SEARCH", "CLAUDE_CODE_GATEWAY_HINT_HEADERS")

CODEX = "codex -c openai_base_url={}/v1"
"""With an API key, over HTTP and WebSocket."""

CODEX_CHATGPT = "codex -c openai_base_url={}/chatgpt"
"""With a ChatGPT login, which asks another host for the same API."""

GEMINI_SETTINGS = '{"security":{"auth":{"selectedType":"gemini-api-key"}}}'
"""What ~/.gemini/settings.json needs for an API key; without it a fresh Gemini CLI sends nothing."""


def environment(base: str) -> dict[str, str]:
    """The variables for a daemon at ``base``, such as http://127.0.0.1:8766."""
    return {name: value.format(base) for name, value in ENVIRONMENT.items()}


def exports(base: str, *names: str) -> str:
    """A line for a shell that sets these variables, or all of them."""
    settings = environment(base)
    pairs = (f"{name}={shlex.quote(settings[name])}" for name in names or settings)
    return f"export {' '.join(pairs)}"
