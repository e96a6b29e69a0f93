"""Each cell of the table in docs/alerts.md, and what a clock that is set does to it."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.office import NOON
from budgetd.alerts import lifecycle
from budgetd.alerts.finding import Finding
from budgetd.alerts.lifecycle import Pace
from budgetd.ledger.rows import AlertRow

DOCS = Path(__file__).parents[2] / "docs" / "alerts.md"
PACE = Pace(group=300, repeat=4 * 3600)
LATER = NOON + 3600
FINDING = Finding(rule="refused", severity="warning", message="daily refuses requests", limit="daily")


def table() -> list[tuple[str, str, str, str | None]]:
    """Event, state, what becomes of it, what is told."""
    chapter = DOCS.read_text().split("## Lifecycle")[1]
    rows = [line.strip("| ").split(" | ") for line in re.findall(r"^\|.*\|$", chapter, re.MULTILINE)]
    states = [state.strip() for state in rows[0][-4:]]
    cells = []
    for event, *outcomes in rows[2:9]:
        for state, outcome in zip(states, outcomes, strict=True):
            becomes, _, told = outcome.partition(", told ")
            cells.append((event.strip("`"), state, becomes, told.strip("`") or None))
    return cells


def told_alert(state: str) -> AlertRow:
    """One that the channels know, in a state."""
    alert = lifecycle.told(lifecycle.fire(FINDING, 1, NOON), NOON)
    match state:
        case "snoozed":
            return lifecycle.snooze(alert, LATER)
        case "acknowledged":
            return lifecycle.acknowledge(alert, "ada", "budgettop", NOON)
        case "resolved":
            return lifecycle.told(lifecycle.resolve(alert, "window over", NOON + 1), NOON + 1)
        case _:
            return alert


EVENTS = {
    "it happens again": (lambda alert: lifecycle.again(alert, FINDING, NOON + 600), NOON + 600),
    "it is acknowledged": (lambda alert: lifecycle.acknowledge(alert, "bob", "budgetd", NOON + 9), NOON + 9),
    "it is snoozed": (lambda alert: lifecycle.snooze(alert, LATER), NOON + 9),
    "its snooze ends": (lambda alert: lifecycle.wake(alert, LATER), LATER),
    "repeat_hours` pass": (lambda alert: alert, NOON + 4 * 3600),
    "it is over": (lambda alert: lifecycle.resolve(alert, "window over", NOON + 9), NOON + 9),
    "a higher threshold is passed": (
        lambda alert: lifecycle.resolve(alert, lifecycle.SUPERSEDED, NOON + 9, quietly=True),
        NOON + 9,
    ),
}


def test_the_table_names_every_state_and_event() -> None:
    cells = table()
    assert {state for _, state, _, _ in cells} == set(lifecycle.State.__args__)
    assert {event for event, _, _, _ in cells} == set(EVENTS)
    assert {told for _, _, _, told in cells} - {None} == set(lifecycle.Word.__args__)
    assert len(cells) == len(EVENTS) * 4


@pytest.mark.parametrize(("event", "state", "becomes", "told"), table())
def test_what_becomes_of_an_alert(event: str, state: str, becomes: str, told: str | None) -> None:
    happen, now = EVENTS[event]
    before = told_alert(state)
    if event == "repeat_hours` pass" and state == "snoozed":
        before = lifecycle.snooze(before, now + 1)
    alert = happen(before)
    assert lifecycle.state_of(alert, now) == becomes
    assert lifecycle.word(alert, now, PACE) == told


def test_what_goes_on_is_told_again_only_after_a_while() -> None:
    alert = lifecycle.again(told_alert("firing"), FINDING, NOON + 1)
    assert lifecycle.word(alert, NOON + 299, PACE) is None
    assert lifecycle.word(alert, NOON + 300, PACE) == "updated"
    assert lifecycle.word(lifecycle.told(alert, NOON + 300), NOON + 3000, PACE) is None


def test_what_has_not_been_told_is_over_without_a_word_if_somebody_knew_or_wanted_none() -> None:
    new = lifecycle.fire(FINDING, 1, NOON)
    known = lifecycle.acknowledge(new, "ada", "budgettop", NOON)
    unwanted = lifecycle.snooze(new, LATER)
    for alert in (known, unwanted):
        assert lifecycle.word(lifecycle.resolve(alert, "window over", NOON + 9), NOON + 9, PACE) is None
    assert lifecycle.word(lifecycle.resolve(new, "window over", NOON + 9), NOON + 9, PACE) == "fired"


def test_one_that_fires_anew_is_as_new_but_keeps_its_id_and_count() -> None:
    before = lifecycle.resolve(told_alert("acknowledged"), "limit raised", NOON + 9)
    alert = lifecycle.again(before, FINDING, NOON + 60)
    fresh = lifecycle.fire(FINDING, before.id, NOON + 60)
    assert alert == msgspec.structs.replace(fresh, count=2, window_starts_at=before.window_starts_at)


def test_who_acknowledged_first_stays_on_record() -> None:
    alert = lifecycle.acknowledge(told_alert("acknowledged"), "bob", "budgetd", NOON + 60)
    assert (alert.acknowledged_by, alert.acknowledged_from) == ("ada", "budgettop")


@pytest.mark.parametrize("step", [-1.0, -59.0, -3600.0, -86400.0])
def test_after_the_clock_was_set_back_nothing_is_missed_and_little_is_told_twice(step: float) -> None:
    alert, now, words = told_alert("firing"), NOON, []
    for minute in range(120):
        if minute == 10:
            now += step
        alert = lifecycle.again(alert, FINDING, now)
        word = lifecycle.word(alert, now, PACE)
        if word:
            words.append(now)
            alert = lifecycle.told(alert, now)
        now += 60
    assert 22 <= len(words) <= 25
    assert lifecycle.word(alert, now + 300, PACE) == "updated"
    alert = lifecycle.resolve(lifecycle.told(alert, now), "window over", now - 5)
    assert lifecycle.word(alert, now, PACE) == "resolved"
    assert lifecycle.word(lifecycle.told(alert, now), now, PACE) is None


def test_what_happened_after_the_clock_was_set_back_is_told_once() -> None:
    now = NOON - 3600
    alert = lifecycle.again(told_alert("firing"), FINDING, now)
    assert lifecycle.word(alert, now, PACE) == "updated"
    alert = lifecycle.told(alert, now)
    words = [lifecycle.word(alert, now + 60 * minute, PACE) for minute in range(120)]
    assert set(words) == {None}


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["again", "ack", "snooze", "wake", "over", "wait"]), st.floats(-7200, 7200)
        ),
        max_size=40,
    )
)
def test_whatever_happens_the_count_never_falls_and_word_is_given_once(
    steps: list[tuple[str, float]],
) -> None:
    alert, now, acknowledged = lifecycle.fire(FINDING, 1, NOON), NOON, False
    for step, seconds in steps:
        before, now = alert, now + seconds
        match step:
            case "again":
                alert = lifecycle.again(alert, FINDING, now)
            case "ack":
                alert = lifecycle.acknowledge(alert, "ada", "", now)
            case "snooze":
                alert = lifecycle.snooze(alert, now + 1000)
            case "wake":
                alert = lifecycle.wake(alert, now)
            case "over":
                alert = lifecycle.resolve(alert, "window over", now)
            case _:
                pass
        assert alert.count >= before.count
        acknowledged = alert.acknowledged_at is not None
        word = lifecycle.word(alert, now, PACE)
        if word is not None:
            assert not acknowledged or word == "resolved"
            alert = lifecycle.told(alert, now)
            assert lifecycle.word(alert, now, PACE) is None
