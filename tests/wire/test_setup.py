"""What points clients at the daemon is the same in the README, in `budgetd env` and on the screen."""

import subprocess
from pathlib import Path

import pytest

from budgetwire import setup

BASE = "http://127.0.0.1:8766"
README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.parametrize(
    "line",
    [
        *(setup.exports(BASE, name) for name in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL")),
        setup.exports(BASE, "GOOGLE_GEMINI_BASE_URL"),
        setup.exports(BASE, "ENABLE_TOOL_SEARCH", "CLAUDE_CODE_GATEWAY_HINT_HEADERS"),
        setup.CODEX.format(BASE),
        setup.CODEX_CHATGPT.format(BASE),
    ],
)
def test_the_readme_has_each_line_to_paste(line: str) -> None:
    assert f"\n{line}\n" in README


def test_the_readme_has_what_a_fresh_gemini_cli_needs() -> None:
    assert setup.GEMINI_SETTINGS in README


def test_a_shell_takes_the_line_as_it_is() -> None:
    line = setup.exports("http://127.0.0.1:1")
    said = subprocess.run(
        ["sh", "-c", f"{line}; env"], env={}, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {f"{name}={value}" for name, value in setup.environment("http://127.0.0.1:1").items()} <= {*said}
