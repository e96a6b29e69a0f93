"""The long form of budget.toml when it is wrong: at the start one clear line, while running an alert."""

from collections.abc import Iterator

import pytest

from e2e.running import Home, budgetd

LIMIT = '[[limits]]\nname = "mine"\nwindow = "day"\nlimit_cents = 5\n'
DOWNGRADE = 'on_exceed = "downgrade"\nfallback_model = "claude-haiku-4-5"\n'

WRONG = {
    "two limits with one name": (LIMIT + LIMIT, 6, ["mine"]),
    "a name of the short form": (
        "[budget]\ndaily_limit_cents = 5\n" + LIMIT.replace("mine", "daily"),
        4,
        ["daily"],
    ),
    "a rolling window of zero": (LIMIT.replace("day", "0h"), 3, ["zero"]),
    "a window that is not one": (LIMIT.replace("day", "daily"), 3, ["day"]),
    "a fallback of another dialect": (
        LIMIT + 'match = { model = "gpt-*" }\n' + DOWNGRADE,
        7,
        ["claude-haiku-4-5"],
    ),
    "a fallback of another provider": (
        LIMIT + 'match = { provider = "openai" }\n' + DOWNGRADE,
        7,
        ["claude-haiku-4-5"],
    ),
    "a downgrade to nothing": (LIMIT + 'on_exceed = "downgrade"\n', None, ["fallback_model"]),
    "a dimension that is not one": (LIMIT + 'match = { modell = "gpt-*" }\n', 5, ["model"]),
    "an outcome that is not one": (LIMIT + 'on_exceed = "hodl"\n', 5, ["on_exceed", "hodl"]),
    "a guarantee that is not one": (LIMIT + 'guarantee = "strikt"\n', 5, ["guarantee", "strikt"]),
    "a negative cap": (LIMIT.replace("5", "-5"), 4, ["limit_cents"]),
    "a hold of negative length": (LIMIT + 'on_exceed = "hold"\nhold_seconds = -1\n', 6, ["hold_seconds"]),
}


@pytest.fixture
def home() -> Iterator[Home]:
    with Home({"anthropic": "http://127.0.0.1:9"}) as home:
        yield home


def is_clear(said: str, home: Home, line: int | None, words: list[str]) -> None:
    """One line that names the file, its line and what is wrong there."""
    assert said.startswith(f"{home.places.budget}, line ")
    if line is not None:
        assert said.startswith(f"{home.places.budget}, line {line}: ")
    for word in words:
        assert word in said


@pytest.mark.parametrize("what", WRONG)
def test_at_the_start_it_is_named_with_its_line(home: Home, what: str) -> None:
    text, line, words = WRONG[what]
    home.places.budget.write_text(text)
    done = budgetd(home.path, "config-check", str(home.places.budget))
    assert (done.returncode, done.stdout) == (1, "")
    (said,) = done.stderr.splitlines()
    is_clear(said.removeprefix("budgetd: "), home, line, words)


def test_the_daemon_does_not_start_with_it(home: Home) -> None:
    text, line, words = WRONG["two limits with one name"]
    home.places.budget.write_text(text)
    done = budgetd(home.path, "serve")
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    is_clear(said.removeprefix("budgetd: "), home, line, words)


def test_while_running_the_last_good_one_stays_in_force(home: Home) -> None:
    home.places.budget.write_text(LIMIT)
    home.start()
    said = ""
    for what in ("two limits with one name", "a rolling window of zero", "a fallback of another dialect"):
        text, line, words = WRONG[what]
        home.places.budget.write_text(text)
        before = said
        state = home.wait_for(lambda state, before=before: state.daemon.config_error not in {"", before})
        said = state.daemon.config_error
        is_clear(said, home, line, words)
        assert [limit.name for limit in state.limits] == ["mine"]
    assert {alert.rule for alert in home.state().alerts} == {"config"}
