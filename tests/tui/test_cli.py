"""The command, without a terminal to draw on where none is needed."""

import os
import pty
import subprocess
import sys

import pytest
from click.testing import CliRunner

from budgettop import cli

BUDGETTOP = [sys.executable, "-c", "from budgettop.cli import main; main()"]


def on_a_terminal(
    *arguments: str, command: list[str] = BUDGETTOP, **environ: str
) -> subprocess.CompletedProcess[str]:
    ours, theirs = pty.openpty()
    try:
        return subprocess.run(
            [*command, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            env={**os.environ, **environ},
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)


def test_help_has_examples_and_exit_codes():
    result = CliRunner().invoke(cli.main, ["--help"])
    assert result.exit_code == 0
    for word in ("--demo", "--socket", "--no-start", "--theme", "Examples:", "3 daemon not reachable"):
        assert word in result.output


def test_help_loads_no_textual():
    code = "import sys, budgettop.cli; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_wrong_usage_exits_with_two():
    assert CliRunner().invoke(cli.main, ["--theme", "mauve"]).exit_code == 2


def test_without_a_terminal_it_says_what_is_meant_for_scripts():
    result = CliRunner().invoke(cli.main, [])
    assert result.exit_code == 1
    assert "budgetd status" in result.output


@pytest.mark.parametrize("arguments", [["--no-start"], ["--socket", "/nonexistent/d.sock"]])
def test_no_daemon_and_none_to_be_started_exits_with_three(tmp_path, arguments):
    result = on_a_terminal(*arguments, BUDGETD_HOME=str(tmp_path))
    assert result.returncode == 3
    assert "budgetd start" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_daemon_that_cannot_start_says_why_and_exits_with_one(tmp_path):
    budgetd = tmp_path / "bin" / "budgetd"
    budgetd.parent.mkdir()
    budgetd.write_text("#!/bin/sh\necho 'budgetd: port 8766 is taken.' >&2\nexit 1\n")
    budgetd.chmod(0o755)
    python = str(budgetd.with_name("python"))
    code = f"import sys; sys.executable = {python!r}; from budgettop.cli import main; main()"
    result = on_a_terminal(command=[sys.executable, "-c", code], BUDGETD_HOME=str(tmp_path / "home"))
    assert result.returncode == 1
    assert result.stderr.strip() == "budgetd: port 8766 is taken."


def test_demo_is_run_with_its_theme(monkeypatch):
    import budgettop.demo

    ran: list[str | None] = []
    monkeypatch.setattr(budgettop.demo, "run_demo", lambda theme: ran.append(theme) or 0, raising=False)
    monkeypatch.setattr(cli, "_on_a_terminal", lambda: True)
    assert CliRunner().invoke(cli.main, ["--demo", "--theme", "day"]).exit_code == 0
    assert ran == ["day"]
