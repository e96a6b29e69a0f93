"""Limits are edited in their place, and change only when the daemon says so."""

import pytest

from budgetd.control.server import CommandError
from budgettop.widgets.limit_editor import LimitEditor
from budgetwire.messages import SetLimit
from tui import states
from tui.hand import QUERIES


async def test_a_new_cap_is_asked_for_and_shown_once_the_daemon_has_it(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.gate.clear()
        await seen.press("e")
        await seen.type("12.50")
        await seen.press("enter")
        await seen.until(lambda: seen.daemon.of(SetLimit))
        assert "of $10.00" in seen.line("› daily")
        assert "Asking budgetd" in seen.text
        seen.daemon.gate.set()
        await seen.shows("of $12.50")
        await seen.until(lambda: not seen.app.screen.query(LimitEditor))
        (call,) = seen.daemon.of(SetLimit)
        assert (call.limit, call.limit_cents) == ("daily", 1250)


async def test_the_selected_limit_is_the_one_that_is_edited(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("down", "e")
        await seen.type("250")
        await seen.press("enter")
        await seen.shows("of $250.00")
        assert seen.daemon.of(SetLimit)[0].limit == "monthly"


async def test_a_click_selects_a_limit(dashboard):
    async with dashboard(states.busy()) as seen:
        y = next(y for y, line in enumerate(seen.lines) if "monthly" in line)
        await seen.pilot.click(offset=(20, y))
        await seen.shows("› monthly")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("abc", "not an amount in dollars"),
        ("1.2.3", "not an amount in dollars"),
        ("-5", "cannot be below zero"),
        ("1.005", "whole cents"),
        ("99999999999", "at most"),
    ],
)
async def test_what_is_no_cap_is_refused_with_a_sentence_and_never_sent(dashboard, typed, sentence):
    async with dashboard(states.busy()) as seen:
        await seen.press("e")
        await seen.type(typed)
        await seen.shows(sentence)
        await seen.press("enter")
        await seen.shows(sentence)
        assert not seen.daemon.of(SetLimit)
        assert seen.app.screen.query(LimitEditor)


async def test_what_a_cap_would_mean_is_said_while_it_is_typed(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("e")
        await seen.type("20")
        await seen.shows("$6.42 is spent: 32 % of this cap.")
        await seen.press("backspace")
        await seen.shows("already spent")


@pytest.mark.parametrize("keys", [["escape"], ["ctrl+u", "enter"]])
async def test_escape_and_nothing_cancel(dashboard, keys):
    async with dashboard(states.busy()) as seen:
        await seen.press("e", *keys)
        await seen.until(lambda: not seen.app.screen.query(LimitEditor))
        assert not seen.daemon.of(SetLimit)
        assert seen.app.focused is not None
        assert seen.app.focused.id == "budgets"


async def test_the_daemons_refusal_is_shown_where_the_amount_was_typed(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.refusal = CommandError("conflict", "budget.toml changed meanwhile: look at it.")
        await seen.press("e")
        await seen.type("12")
        await seen.press("enter")
        await seen.shows("✗ budget.toml changed meanwhile")
        assert "of $10.00" in seen.line("› daily")
        await seen.press("enter")
        await seen.shows("of $12.00")


async def test_a_limit_is_removed_only_after_a_second_word(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("e", "ctrl+r")
        await seen.shows("Remove the daily cap of $10.00?")
        await seen.press("escape")
        await seen.shows("The limit stays.")
        await seen.press("ctrl+r", "enter")
        await seen.shows("no limit · e sets one")
        assert [call.limit_cents for call in seen.daemon.of(SetLimit)] == [None]


@pytest.mark.parametrize(("move", "name"), [([], "daily"), (["down"], "monthly")])
async def test_limits_can_be_set_where_none_are(dashboard, move, name):
    async with dashboard(states.empty()) as seen:
        await seen.press(*move, "e")
        await seen.type("5")
        await seen.press("enter")
        await seen.shows("$0.00 of $5.00")
        assert seen.daemon.of(SetLimit)[0].limit == name


async def test_letters_typed_into_the_editor_are_no_commands(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("e", "space", "q", "a", "2")
        await seen.pilot.pause(0.05)
        assert all(isinstance(call, QUERIES) for call in seen.daemon.calls)
        assert seen.app.is_running


async def test_the_editor_outlives_new_states(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("e")
        await seen.type("7")
        seen.daemon.show(limits=[states.limit("another", 1, 0.5), *seen.daemon.state.limits])
        await seen.shows("another")
        await seen.type("5")
        await seen.press("enter")
        await seen.shows("of $75.00")
