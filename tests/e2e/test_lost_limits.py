"""A budget file that loses its limits opens no cap: not while the daemon runs, not over a restart."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from budgetwire.messages import Alert, Snapshot
from e2e.ask import ask
from e2e.background import Background
from e2e.provider import Provider
from e2e.running import Home, budgetd
from e2e.upstream import Keeping

SHUT = "[budget]\ndaily_limit_cents = 0\n"
TWO = f"{SHUT}monthly_limit_cents = 500\n"


@pytest.fixture
def home(background: Background) -> Iterator[Home]:
    """A daemon that runs, under a cap of nothing."""
    with (
        background.inside(Keeping(Provider())) as upstream,
        Home({"anthropic": upstream.url}, budget=TWO).running() as home,
    ):
        yield home


def firing(state: Snapshot, rule: str) -> list[Alert]:
    return [alert for alert in state.alerts if alert.rule == rule and alert.state == "firing"]


def names(state: Snapshot) -> set[str]:
    return {limit.name for limit in state.limits}


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_text("")


def strip(path: Path) -> None:
    path.write_text("[budget]\nalert_threshold_pct = 80\n")


LOSSES = [remove, empty, strip]


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("restarted", [False, True], ids=["while it runs", "while it is stopped"])
def test_the_limits_stay_and_an_alert_says_so_until_the_file_is_back(
    background: Background, home: Home, lose: Callable[[Path], None], restarted: bool
) -> None:
    assert background.run(ask(home, 10)).status == 402
    if restarted:
        home.stop()
    lose(home.places.budget)
    if restarted:
        home.start()
    state = home.wait_for(lambda state: firing(state, "config") and state.daemon.config_error)
    (alert,) = firing(state, "config")
    assert alert.severity == "critical"
    assert alert.message.startswith(str(home.places.budget))
    for way in ("enabled = false", "budgetd limits set NAME none", "budgetd limits forget"):
        assert way in alert.advice
        assert way in state.daemon.config_error
    assert names(state) == {"daily", "monthly"}
    assert firing(state, "refused")
    assert background.run(ask(home, 10)).status == 402
    home.places.budget.write_text(TWO)
    state = home.wait_for(lambda state: not state.daemon.config_error and not firing(state, "config"))
    assert names(state) == {"daily", "monthly"}
    assert firing(state, "refused")


def test_a_limit_that_an_edit_takes_out_is_out_and_named(background: Background, home: Home) -> None:
    home.places.budget.write_text("[budget]\nmonthly_limit_cents = 500\n")
    state = home.wait_for(lambda state: firing(state, "limit_removed"))
    (alert,) = firing(state, "limit_removed")
    assert alert.message == "the limit daily was removed from budget.toml; its cap was $0.00 a day"
    assert names(state) == {"monthly"}
    assert background.run(ask(home, 10)).status == 200
    home.places.budget.write_text(TWO)
    home.wait_for(lambda state: not firing(state, "limit_removed") and len(names(state)) == 2)


def test_a_limit_that_was_taken_out_while_the_daemon_was_stopped_is_named_too(home: Home) -> None:
    home.stop()
    home.places.budget.write_text("[budget]\nmonthly_limit_cents = 500\n")
    home.start()
    (alert,) = firing(home.state(), "limit_removed")
    assert "the limit daily was removed" in alert.message


def test_limits_that_are_switched_off_are_off_and_one_alert_says_so(home: Home) -> None:
    home.places.budget.write_text(TWO.replace("[budget]", "[budget]\nenabled = false"))
    state = home.wait_for(lambda state: firing(state, "limit_removed"))
    assert (names(state), firing(state, "config")) == (set(), [])
    (alert,) = firing(state, "limit_removed")
    assert "enabled = false" in alert.message
    assert "daily, monthly" in alert.message
    home.stop()
    home.start()
    assert names(home.state()) == set()
    home.places.budget.write_text(TWO)
    home.wait_for(lambda state: names(state) and not firing(state, "limit_removed"))


def test_removing_the_last_limit_by_a_command_is_on_purpose(home: Home) -> None:
    for name in ("daily", "monthly"):
        assert budgetd(home.path, "limits", "set", name, "none").returncode == 0
    for _ in range(2):
        state = home.state()
        assert (names(state), state.daemon.config_error) == (set(), "")
        assert not firing(state, "config")
        assert not firing(state, "limit_removed")
        home.stop()
        home.start()


def test_forgetting_lets_go_of_what_the_file_has_lost(background: Background, home: Home) -> None:
    refused = budgetd(home.path, "limits", "forget")
    assert (refused.returncode, "remove them there" in refused.stderr) == (1, True)
    home.places.budget.unlink()
    home.wait_for(lambda state: firing(state, "config"))
    done = budgetd(home.path, "limits", "forget")
    assert (done.returncode, done.stdout) == (0, "Forgotten: no limit is in force.\n")
    state = home.wait_for(lambda state: not firing(state, "config"))
    assert (names(state), state.daemon.config_error) == (set(), "")
    assert "forget limits" in budgetd(home.path, "audit").stdout
    home.stop()
    home.start()
    assert names(home.state()) == set()
    assert background.run(ask(home, 10)).status == 200


def test_an_edit_by_a_command_brings_a_lost_file_back(home: Home) -> None:
    home.places.budget.unlink()
    home.wait_for(lambda state: firing(state, "config"))
    assert budgetd(home.path, "limits", "set", "daily", "3").returncode == 0
    state = home.wait_for(lambda state: not firing(state, "config"))
    assert {limit.name: limit.limit_nusd for limit in state.limits} == {
        "daily": 3_000_000_000,
        "monthly": 5_000_000_000,
    }
    assert "daily_limit_cents = 300" in home.places.budget.read_text()


def test_a_configuration_that_is_gone_leaves_the_one_before_in_force(
    background: Background, home: Home
) -> None:
    home.places.config.unlink()
    state = home.wait_for(lambda state: firing(state, "config"))
    assert state.daemon.config_error == f"{home.places.config} is gone or empty."
    assert background.run(ask(home, 10)).status == 402


def test_the_ledger_keeps_no_token_of_the_file(home: Home) -> None:
    token = "secret-token"
    text = f'# {token}\n{TWO}alert_webhook = "https://127.0.0.1:9/{token}"\nalert_threshold_pct = 77\n'
    home.places.budget.write_text(text)
    home.wait_for(lambda state: any(77 in limit.thresholds_pct for limit in state.limits))
    with sqlite3.connect(home.places.ledger) as db:
        ((kept,),) = db.execute("select value from meta where key = 'budget_text'").fetchall()
    assert "alert_threshold_pct = 77" in kept
    files = [path for path in home.path.iterdir() if path.is_file() and path != home.places.budget]
    assert [path for path in files if token.encode() in path.read_bytes()] == []


def test_what_is_remembered_and_cannot_be_read_matters_only_where_the_file_has_no_limits(home: Home) -> None:
    def spoil() -> None:
        with sqlite3.connect(home.places.ledger) as db:
            db.execute("update meta set value = '[budget]\nof_another_version = 1' where key = 'budget_text'")

    home.stop()
    spoil()
    home.start()
    assert names(home.state()) == {"daily", "monthly"}
    home.stop()
    spoil()
    home.places.budget.unlink()
    done = budgetd(home.path, "serve")
    assert (done.returncode, done.stdout) == (1, "")
    assert "those that were in force cannot be read any more" in done.stderr
