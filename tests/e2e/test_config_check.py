"""`budgetd config-check` on files of any name and format, and budget.json under a running daemon."""

import json
from collections.abc import Iterator

import pytest

from budgetwire.messages import SetLimit
from e2e.running import Home, budgetd

RECIPE = """\
# what this product was made for
budget:
  daily_limit_cents: 1000
  monthly_limit_cents: 20000
  alert_threshold_pct: 80
  alert_webhook: https://monitoring.example.com/budget-alert
  reject_on_exceed: true
  fallback_model_on_exceed: "claude-haiku-4-5"
"""
SAME = """\
[budget]
daily_limit_cents = 1000
monthly_limit_cents = 20000
alert_threshold_pct = 80
alert_webhook = "https://monitoring.example.com/budget-alert"
reject_on_exceed = true
fallback_model_on_exceed = "claude-haiku-4-5"
"""


@pytest.fixture
def home() -> Iterator[Home]:
    with Home({"anthropic": "http://127.0.0.1:9"}) as home:
        yield home


def check(home: Home, name: str, text: str) -> tuple[int, str, str]:
    """The exit code and what is said of a file of this name."""
    path = home.path / name
    path.write_text(text)
    done = budgetd(home.path, "config-check", str(path))
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", ["team-budget.toml", "config-of-the-team.toml", "limits"])
def test_a_budget_is_known_by_its_keys_whatever_its_name(home: Home, name: str) -> None:
    assert check(home, name, "[budget]\ndaily_limit_cents = 5\n") == (0, f"{home.path / name}: fine\n", "")
    code, _, said = check(home, name, "[bugdet]\ndaily_limit_cents = 5\n")
    assert (code, "did you mean `budget`?" in said) == (1, True)


@pytest.mark.parametrize("name", ["my-budget-proxy.toml", "other.toml"])
def test_a_configuration_is_known_by_its_keys_whatever_its_name(home: Home, name: str) -> None:
    code, _, said = check(home, name, "[proxy]\nlisen = '127.0.0.1:0'\n")
    assert (code, "did you mean `listen`?" in said) == (1, True)


def test_a_file_in_its_place_is_what_its_place_says(home: Home) -> None:
    done = budgetd(home.path, "config-check", str(home.places.config))
    assert (done.returncode, done.stderr) == (0, "")
    code, _, said = check(home, "config.toml", "[budget]\ndaily_limit_cents = 5\n")
    assert code == 1
    assert "`budget`: unknown key" in said


@pytest.mark.parametrize("name", ["limits.json", "limits"])
def test_json_with_the_same_keys_is_read(home: Home, name: str) -> None:
    text = '{"budget": {"daily_limit_cents": 5}}'
    assert check(home, name, text) == (0, f"{home.path / name}: fine\n", "")
    code, _, said = check(home, name, text.replace("cents", "cent"))
    assert (code, said.startswith(f"budgetd: {home.path / name}, line 1: `budget.daily_limit_cent`: ")) == (
        1,
        True,
    )


@pytest.mark.parametrize("name", ["recipe.yaml", "recipe.yml", "budget.toml", "recipe"])
def test_of_yaml_the_toml_that_means_the_same_is_printed(home: Home, name: str) -> None:
    code, printed, said = check(home, name, RECIPE)
    assert (code, printed) == (1, SAME)
    assert said == (
        f"budgetd: {home.path / name}: YAML is not read. What is printed is the same as TOML;"
        f" save it as {home.places.budget}.\n"
    )
    assert check(home, "copy.toml", printed)[0] == 0


def test_a_mistake_in_yaml_is_told(home: Home) -> None:
    assert "line 2: not valid YAML: " in check(home, "a.yaml", "budget:\n\tx: 1\n")[2]
    assert "did you mean `daily_limit_cents`?" in check(home, "a.yaml", "budget: {daily_limit_cent: 5}\n")[2]
    assert "holds no settings" in check(home, "a.yaml", "- 1\n")[2]
    assert check(home, "a.yaml", "budget: &it\n  again: *it\n")[0] == 1


def test_a_configuration_in_json_is_printed_as_toml(home: Home) -> None:
    code, printed, said = check(home, "a.json", '{"proxy": {"drain_seconds": 5}}')
    assert (code, printed) == (1, "[proxy]\ndrain_seconds = 5\n")
    assert said.endswith(f"save it as {home.places.config}.\n")


def test_limits_and_fallbacks_without_effect_are_warnings(home: Home) -> None:
    limit = {"name": "opus", "window": "day", "limit_cents": 5, "match": {"model": "claude-opsu-*"}}
    budget = {"daily_limit_cents": 5, "fallback_model_on_exceed": "claude-haku-4-5"}
    code, printed, said = check(home, "a.json", json.dumps({"budget": budget, "limits": [limit]}))
    assert (code, printed) == (0, f"{home.path / 'a.json'}: fine\n")
    of_fallback, of_limit = said.splitlines()
    assert (
        "fallback_model 'claude-haku-4-5' is no model that is known; did you mean claude-haiku-"
        in of_fallback
    )
    assert (
        "limit 'opus': no model that is known matches 'claude-opsu-*'; did you mean claude-opus-" in of_limit
    )


def test_a_daemon_reads_watches_and_edits_budget_json(home: Home) -> None:
    path = home.path / "budget.json"
    path.write_text(json.dumps({"budget": {"monthly_limit_cents": 9, "daily_limit_cents": 5}}, indent=3))
    assert budgetd(home.path, "config-check").stdout.endswith(f"{path}: fine\n")
    home.start()
    caps = {limit.name: limit.limit_nusd for limit in home.state().limits}
    assert caps == {"daily": 50_000_000, "monthly": 90_000_000}

    home.call(lambda id: SetLimit(id=id, limit="daily", limit_cents=6))
    assert (
        path.read_text()
        == '{\n   "budget": {\n      "monthly_limit_cents": 9,\n      "daily_limit_cents": 6\n   }\n}'
    )

    path.write_text(path.read_text().replace(" 9", " 8"))
    home.wait_for(lambda state: {limit.limit_nusd for limit in state.limits} == {60_000_000, 80_000_000})

    home.places.budget.write_text("[budget]\n")
    state = home.wait_for(lambda state: state.daemon.config_error)
    assert f"{home.places.budget} and {path} are both there" in state.daemon.config_error
    assert len(state.limits) == 2, "those of before stay in force"
    home.places.budget.unlink()
    home.wait_for(lambda state: not state.daemon.config_error)


def test_two_budgets_stop_the_start_with_both_names(home: Home) -> None:
    other = home.places.budget.with_suffix(".json")
    other.write_text("{}")
    home.places.budget.write_text("")
    for command in ("serve", "config-check"):
        done = budgetd(home.path, command)
        assert done.returncode == 1
        assert f"{home.places.budget} and {other} are both there" in done.stderr
