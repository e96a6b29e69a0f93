"""The dashboard fits every size it is meant for, and says so where it does not."""

import pytest
from rich.cells import cell_len

from tui import states

SIZES = [(60, 16), (80, 24), (100, 30), (120, 34), (160, 45), (200, 60)]
STATES = {"tight": states.tight, "empty": states.empty, "holding": states.holding}


def outside(seen) -> list[object]:
    """Widgets that stick out of the screen, or out of the panel that holds them sideways."""
    screen = seen.app.screen.region
    found: list[object] = []
    for widget in seen.app.screen.query("*"):
        if not widget.region or not widget.display:
            continue
        holder = widget.parent.region if widget.parent is not None else screen
        if not holder:  # a toast, which floats
            continue
        if widget.region.x < holder.x or widget.region.right > holder.right:
            found.append((widget, widget.region, holder))
        if widget.parent.id == "body" and not screen.contains_region(widget.region):
            found.append((widget, widget.region, screen))
        if widget.is_scrollable and widget.max_scroll_x:
            found.append((widget, "scrolls sideways"))
    return found


@pytest.mark.parametrize("state", STATES)
async def test_nothing_sticks_out_at_any_size(dashboard, state):
    async with dashboard(STATES[state](), requests=[states.request(id) for id in range(20)]) as seen:
        for width, height in SIZES:
            await seen.pilot.resize_terminal(width, height)
            await seen.pilot.pause()
            assert outside(seen) == []
            assert [cell_len(line) for line in seen.lines] == [width] * height


@pytest.mark.parametrize(("place", "word"), [("2", "claude-opus"), ("4", "set limit")])
async def test_nothing_sticks_out_of_the_other_screens(dashboard, place, word):
    rows = [states.request(id) for id in range(20)]
    async with dashboard(states.holding(), requests=rows, changes=states.changes()) as seen:
        await seen.press(place)
        await seen.shows(word)
        for width, height in SIZES:
            await seen.pilot.resize_terminal(width, height)
            await seen.pilot.pause()
            assert outside(seen) == []


async def test_nothing_sticks_out_of_the_help(dashboard):
    async with dashboard(states.empty()) as seen:
        await seen.press("question_mark")
        await seen.shows("Keys")
        for width, height in SIZES:
            await seen.pilot.resize_terminal(width, height)
            await seen.pilot.pause()
            assert outside(seen) == []


async def test_the_essentials_are_there_at_every_size(dashboard):
    async with dashboard(states.busy()) as seen:
        for width, height in SIZES[1:]:
            await seen.pilot.resize_terminal(width, height)
            await seen.pilot.pause()
            for word in ("$6.42 + 0.61 of $10.00", "$71.30 + 0.61 of $200.00", "64 %", "at 19:10", "$1.84/h"):
                assert word in seen.text, (width, word)
            for word in ("claude-opus-4-8", "gpt-5.4", "gemini-3-pro", "$0.31 / 0.48", "Alerts 2 new"):
                assert word in seen.text, (width, word)
            for word in ("edit", "pause", "help", "quit"):
                assert word in seen.lines[-1], (width, word)


@pytest.mark.parametrize("size", [(59, 24), (80, 15), (10, 5)], ids=str)
async def test_a_window_that_is_too_small_is_told_so(dashboard, size):
    async with dashboard(states.busy(), size=size) as seen:
        assert "needs" in seen.text
        await seen.pilot.resize_terminal(120, 34)
        await seen.shows("In flight 3")
        assert "needs 60" not in seen.text


async def test_everything_in_a_full_panel_can_be_reached(dashboard):
    async with dashboard(states.tight(), size=(80, 24)) as seen:
        await seen.press("down", "down", "down")
        await seen.shows("› notes")
        seen.app.screen.query_one("#in-flight").focus()
        await seen.press("end")
        await seen.shows("0:37")
        seen.app.screen.query_one("#alerts").focus()
        await seen.press(*["down"] * 28)
        await seen.shows("› ▲ monthly passed 29 %")


async def test_the_editor_can_be_seen_when_the_panel_is_full(dashboard):
    async with dashboard(states.tight(), size=(80, 24)) as seen:
        await seen.press("down", "down", "down", "e")
        await seen.shows("notes cap")
        await seen.shows("of this cap")
