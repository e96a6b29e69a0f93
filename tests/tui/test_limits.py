"""Limits of the long form: in the Budgets panel, and on the screen of their own."""

import msgspec
import pytest

from budgetd.control.server import CommandError
from budgettop import counter, text
from budgettop.widgets.amount_editor import AmountEditor
from budgetwire.messages import Grant, Pause, QueryAudit, Resume, SetLimit, UndoLimit
from tui import states


async def test_a_counter_is_named_with_its_subject_and_says_what_it_does_when_full(dashboard):
    async with dashboard(states.holding(), size=(160, 45)) as seen:
        assert "$4.61 + 0.39 of $5.00" in seen.line("opus / acme-api")
        below = {name: seen.lines[seen.lines.index(seen.line(name)) + 1] for name in ("agents", "scraper")}
        assert "strict · in any 5 h" in below["agents"]
        assert "of $3.00 + 2.00 granted" in seen.line("agents")
        assert "in all · falls back to claude-haiku-4-5" in below["scraper"]
        assert "DOWNGRADE" in seen.line("scraper")
        assert "PAUSED" in seen.line("research")
        assert "resets 00:00 · holds" in seen.text


async def test_what_was_granted_counts_to_the_cap(dashboard):
    over = states.limit("daily", 5, 5.5, granted_nusd=states.usd(2))
    async with dashboard(msgspec.structs.replace(states.busy(), limits=[over])) as seen:
        assert "of $5.00 + 2.00 granted" in seen.line("daily")
        assert "▲ 78 %" not in seen.text
        assert "78 %" in seen.text


async def test_a_name_that_looks_like_markup_is_shown_as_it_is(dashboard):
    odd = states.opus("[/b] [red]x", 1)
    async with dashboard(msgspec.structs.replace(states.busy(), limits=[odd]), size=(160, 45)) as seen:
        await seen.press("4")
        await seen.until(lambda: seen.text.count("opus / [/b] [red]x") == 1)
        await seen.press("e")
        await seen.shows("opus cap of each project")


async def test_counters_of_one_limit_are_told_apart_where_there_is_little_room(dashboard):
    async with dashboard(states.many(), size=(60, 20)) as seen:
        await seen.press("4")
        await seen.shows("研究-02")


async def test_many_counters_scroll_and_the_selection_keeps_its_counter(dashboard):
    async with dashboard(states.many(), size=(80, 24)) as seen:
        assert "Budgets 60" in seen.text
        await seen.press(*["down"] * 9)
        await seen.shows("› opus / 研究-07")
        limits = list(reversed(seen.daemon.state.limits))
        seen.daemon.show(limits=[states.limit("another", 1, 0.5), *limits])
        await seen.shows("Budgets 61")
        await seen.shows("› opus / 研究-07")
        await seen.press("end")
        await seen.shows("› daily")
        await seen.press("home")
        await seen.shows("› another")
        await seen.press("pagedown")
        assert "› opus / project-53" in seen.text


async def test_the_counter_and_not_only_the_limit_is_selected(dashboard):
    async with dashboard(states.many(), size=(80, 24)) as seen:
        await seen.press(*["down"] * 4, "g")
        await seen.shows("grant opus / 研究-02")
        await seen.press("enter")
        await seen.until(lambda: seen.daemon.of(Grant))
        (call,) = seen.daemon.of(Grant)
        assert (call.limit, call.subject, call.cents) == ("opus", "研究-02", 500)
        await seen.until(lambda: not seen.app.screen.query(AmountEditor))


async def test_a_grant_is_typed_in_its_place_and_its_meaning_is_said(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("g")
        await seen.shows("$10.00 becomes $15.00 until 00:00.")
        await seen.type("2.50")
        await seen.shows("$10.00 becomes $12.50 until 00:00.")
        await seen.press("enter")
        await seen.shows("of $10.00 + 2.50 granted")
        (call,) = seen.daemon.of(Grant)
        assert (call.limit, call.subject, call.cents) == ("daily", "", 250)


async def test_what_is_no_grant_is_never_sent(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("g")
        for typed, sentence in (("0", "more than nothing"), ("-1", "below zero")):
            await seen.press("ctrl+u")
            await seen.type(typed)
            await seen.shows(sentence)
            await seen.press("enter")
            await seen.shows(sentence)
        assert not seen.daemon.of(Grant)


async def test_capital_p_pauses_and_resumes_the_selected_limit_alone(dashboard):
    async with dashboard(states.busy()) as seen:
        assert "P pause limit" in seen.lines[-1]
        await seen.press("down", "P")
        await seen.until(lambda: "PAUSED" in seen.line("monthly"))
        assert "PAUSED" not in seen.lines[0]
        await seen.until(lambda: "P resume limit" in seen.lines[-1])
        await seen.press("P")
        await seen.until(lambda: "PAUSED" not in seen.line("monthly"))
        assert [call.limit for call in (*seen.daemon.of(Pause), *seen.daemon.of(Resume))] == ["monthly"] * 2


async def test_u_undoes_the_last_thing_that_was_done_and_says_what_that_was(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("down", "u")
        await seen.shows("The cap of daily is $10.00 again; it was $20.00.")
        assert [(call.limit, call.allow_raise) for call in seen.daemon.of(UndoLimit)] == [(None, False)]
        seen.daemon.refusal = CommandError("not_found", "No change is on record.")
        await seen.press("u")
        await seen.shows("No change is on record.")


async def test_what_raises_a_cap_is_undone_at_the_second_press(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.refusal = CommandError("conflict", "That would raise the cap.", "allow_raise")
        await seen.press("u")
        await seen.shows("That would raise the cap. Press u again to do it.")
        await seen.press("u")
        await seen.until(lambda: len(seen.daemon.of(UndoLimit)) == 2)
        await seen.shows("The cap of daily is $10.00 again")
        await seen.press("u")
        await seen.until(lambda: len(seen.daemon.of(UndoLimit)) == 3)
        assert [call.allow_raise for call in seen.daemon.of(UndoLimit)] == [False, True, False]


async def test_keys_that_need_a_limit_are_hidden_where_there_is_none(dashboard):
    async with dashboard(states.empty()) as seen:
        assert "e edit" in seen.lines[-1]
        for word in ("grant", "pause limit", "resume limit", "kill", "held"):
            assert word not in seen.lines[-1]
        await seen.press("g", "P", "k")
        assert not seen.app.screen.query(AmountEditor)
        assert not seen.daemon.of(Pause)


async def test_the_cap_of_a_limit_that_counts_per_subject_is_edited_for_all(dashboard):
    async with dashboard(states.holding()) as seen:
        await seen.press("down", "down", "e")
        await seen.shows("opus cap of each project")
        await seen.type("8")
        await seen.press("enter")
        await seen.until(lambda: "of $8.00" in seen.line("opus / acme-web"))
        assert [(call.limit, call.limit_cents) for call in seen.daemon.of(SetLimit)] == [("opus", 800)]


async def test_the_screen_of_limits_has_every_counter_with_all_it_is_about(dashboard):
    async with dashboard(states.holding(), size=(160, 45)) as seen:
        await seen.press("4")
        await seen.shows("Limits · 7 counters · ▲ 2 near")
        row = next(line for line in seen.lines if "opus" in line and "acme-api" in line)
        for word in ("day", "▲ 92 %", "$4.61", "$0.39", "$0.00", "$5.00", "hold", "HOLD 2", "expected"):
            assert word in row, word
        await seen.press("down", "down", "down", "down")
        await seen.shows("$3.00 + 2.00 granted")
        for word in (
            "any 5 h",
            "$2.20  44 %",
            "$0.25",
            "$0.40 kept for unknown ends",
            "$2.05",
            "client = claude,codex",
            "strict: worst",
        ):
            assert word in seen.text, word
        await seen.press("down")
        for word in ("total: it never ends", "downgrade to claude-haiku-4-5", "project = scraper"):
            await seen.shows(word)


async def test_the_newest_changes_are_listed_and_followed(dashboard, monkeypatch):
    async with dashboard(states.holding(), changes=states.changes()) as seen:
        await seen.press("4")
        await seen.shows("set limit  daily  $8.00 → $10.00")
        assert "ada" in seen.line("approve")
        assert "研究チーム  none → $5.00" in seen.text
        assert "notes  $7.00 → none" in seen.text
        assert "research  running → paused" in seen.text
        seen.daemon.changes.insert(0, states.change(0, "resume", "research"))
        monkeypatch.setattr(text, "wall_clock", lambda: states.NOW + 2)
        await seen.press("end", "P")
        await seen.shows("resume")
        assert len(seen.daemon.of(QueryAudit)) == 2


async def test_a_snooze_shows_among_the_changes(dashboard, monkeypatch):
    async with dashboard(states.busy()) as seen:
        await seen.press("4")
        await seen.shows("Nobody has changed anything yet.")
        seen.daemon.changes = [states.change(0, "snooze", "alert 2")]
        monkeypatch.setattr(text, "wall_clock", lambda: states.NOW + 2)
        seen.daemon._answer([2], state="snoozed", snoozed_until=states.NOW + 60)
        await seen.shows("snooze  alert 2")


async def test_the_changes_are_looked_up_at_most_once_a_second_however_much_goes_on(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("4")
        await seen.shows("Nobody has changed anything yet.")
        for id in range(10, 20):
            seen.daemon.show(in_flight=[states.in_flight(id)])
            await seen.until(lambda: seen.app.view.snapshot.in_flight[0].id == id)  # noqa: B023
        assert len(seen.daemon.of(QueryAudit)) == 1


async def test_nothing_changed_yet_is_said(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("4")
        await seen.shows("Nobody has changed anything yet.")


async def test_limits_are_steered_on_their_screen_too(dashboard):
    steps = (("e", "7", SetLimit, 1), ("g", "1", Grant, 1), ("enter", "8", SetLimit, 2))
    async with dashboard(states.holding(), size=(80, 24)) as seen:
        await seen.press("4", "down", "down")
        for key, typed, kind, count in steps:
            await seen.press(key)
            await seen.until(lambda: seen.app.screen.query(AmountEditor))
            await seen.type(typed)
            await seen.press("enter")
            await seen.until(lambda kind=kind, count=count: len(seen.daemon.of(kind)) == count)
            assert seen.daemon.of(kind)[-1].limit == "opus"
            await seen.until(lambda: not seen.app.screen.query(AmountEditor))
            assert seen.app.focused.id == "limits"


async def test_limits_can_be_set_on_their_screen_where_none_are(dashboard):
    async with dashboard(states.empty()) as seen:
        await seen.press("4")
        await seen.shows("monthly      no limit · e sets one")
        await seen.press("down", "e")
        await seen.type("9")
        await seen.press("enter")
        await seen.shows("$9.00")
        assert seen.daemon.of(SetLimit)[0].limit == "monthly"


async def test_many_counters_scroll_below_their_titles(dashboard):
    async with dashboard(states.many(), size=(80, 24)) as seen:
        await seen.press("4", *["down"] * 9)
        await seen.until(lambda: "› opus" in seen.text and "研究-07" in seen.line("› opus"))
        assert "subject" in seen.lines[2]
        await seen.press("end")
        await seen.until(lambda: "研究-57" in seen.line("› opus"))
        await seen.pilot.click(offset=(10, 4))
        await seen.until(lambda: "project-54" in seen.line("› opus"))
        await seen.press("home")
        await seen.shows("› daily")


@pytest.mark.parametrize(
    ("width", "written"),
    [(40, "opus per project / acme-api"), (20, "opus per… / acme-api"), (14, "opus… / acme-api")],
)
def test_a_label_is_cut_before_its_subject(width, written):
    assert counter.label("opus per project", "acme-api", width).startswith(written[:width])


@pytest.mark.parametrize(
    ("window", "written"),
    [("day", "day"), ("total", "total"), ("5h", "5 h"), ("1d", "1 day"), ("7d", "7 days")],
)
def test_windows_are_written_as_people_say_them(window, written):
    assert counter.window(states.limit("any", 1, 0, window=window)) == written


def test_headroom_is_not_left():
    assert counter.left(states.limit("any", 5, 1, 1, headroom_nusd=states.usd(0.5))) == states.usd(2.5)
