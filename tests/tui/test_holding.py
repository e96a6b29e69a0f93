"""Requests that wait for a person: seen at once, heard once, decided with one key; and kills."""

import msgspec
import pytest

from budgetd.control.server import CommandError
from budgettop.app import BudgetTop
from budgetwire.messages import Approve, Block, Grant, Kill, Refuse, Snapshot
from tui import states
from tui.hand import QUERIES


def ids(calls: list) -> list[int]:
    return [call.request_id for call in calls]


async def test_a_held_request_stands_on_top_with_its_need_its_time_and_its_keys(dashboard):
    async with dashboard(states.holding()) as seen:
        at = next(at for at, line in enumerate(seen.lines) if "In flight 4 · 2 HELD" in line)
        first, keys, second, running = seen.lines[at + 1 : at + 5]
        assert " HELD    claude-opus-4-8" in first
        assert "acme-api  main" in first
        assert "needs $0.48  1:52 left" in first
        assert "allow once h ⏎   +$5 f   refuse x   opus / acme-api has $0.00 left" in keys
        assert "needs $0.12  1:58 left" in second
        assert "$0.31 / 0.48" in running
        assert " 2 HELD " in seen.lines[0]
        assert "HOLD 2" in seen.line("opus / acme-api")


async def test_the_time_that_is_left_goes_down(dashboard, monkeypatch):
    from budgettop import text

    async with dashboard(states.holding()) as seen:
        monkeypatch.setattr(text, "wall_clock", lambda: states.NOW + 10)
        await seen.shows("1:42 left")


async def test_h_then_enter_allows_the_held_request_once(dashboard):
    async with dashboard(states.holding()) as seen:
        await seen.press("h")
        await seen.shows("allow once ⏎")
        await seen.press("enter")
        await seen.shows("In flight 5 · 1 HELD")
        assert ids(seen.daemon.of(Approve)) == [7]
        assert "needs $0.12" in seen.text


async def test_h_leads_there_from_any_screen(dashboard):
    async with dashboard(states.holding()) as seen:
        for place in ("2", "4"):
            await seen.press(place)
            await seen.until(lambda: "2 HELD" in seen.lines[0] and "Budgets" not in seen.text)
            await seen.press("h")
            await seen.shows("allow once ⏎")


async def test_enter_elsewhere_allows_nothing(dashboard):
    async with dashboard(states.holding()) as seen:
        await seen.press("enter")
        await seen.shows("daily cap")
        assert not seen.daemon.of(Approve)


@pytest.mark.parametrize(("key", "kind"), [("f", Grant), ("x", Refuse)])
async def test_more_and_refuse_act_from_wherever_the_focus_is(dashboard, key, kind):
    async with dashboard(states.holding()) as seen:
        await seen.press(key)
        await seen.until(lambda: seen.daemon.of(kind))
        (call,) = seen.daemon.of(kind)
        if kind is Grant:
            assert (call.limit, call.subject, call.cents) == ("opus", "acme-api", 500)
            await seen.hides(" HELD ")
        else:
            assert call.request_id == 7
            await seen.shows("In flight 4 · 1 HELD")


async def test_the_selected_held_request_is_the_one_that_is_decided(dashboard):
    async with dashboard(states.holding()) as seen:
        await seen.press("h", "down", "x")
        await seen.shows("1 HELD")
        assert ids(seen.daemon.of(Refuse)) == [8]


async def test_keys_act_on_the_row_that_names_them_while_a_running_one_is_selected(dashboard):
    async with dashboard(states.holding()) as seen:
        await seen.press("h", "end")
        assert "refuse x" in seen.lines[seen.lines.index(seen.line("needs $0.48")) + 1]
        await seen.press("x")
        await seen.shows("1 HELD")
        assert ids(seen.daemon.of(Refuse)) == [7]


async def test_a_request_that_was_decided_meanwhile_is_told(dashboard):
    async with dashboard(states.holding()) as seen:
        seen.daemon.refusal = CommandError("not_found", "Request 7 is not held any more.")
        await seen.press("x")
        await seen.shows("Request 7 is not held any more.")


async def test_keys_that_decide_are_dead_while_nothing_is_held(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.app.screen.query_one("#in-flight").focus()
        await seen.press("enter", "f", "x", "h")
        assert all(isinstance(call, QUERIES) for call in seen.daemon.calls)
        assert " held" not in seen.lines[-1]
        seen.daemon.show(in_flight=[states.held(7)])
        await seen.until(lambda: "h held" in seen.lines[-1])


async def test_the_bell_rings_once_for_each_request_and_a_toast_says_what_to_press(dashboard, monkeypatch):
    rung: list[int] = []
    monkeypatch.setattr(BudgetTop, "bell", lambda app: rung.append(1))
    async with dashboard(states.busy()) as seen:
        seen.daemon.show(in_flight=[states.held(7), *states.busy().in_flight])
        await seen.shows("is held by opus / acme-api:")
        await seen.shows("h goes there: ⏎ allows once")
        assert len(rung) == 1
        seen.daemon.show(in_flight=[states.held(7, reserved_nusd=states.usd(0.5)), states.held(8)])
        await seen.shows("2 HELD")
        assert len(rung) == 2
        seen.daemon.show(in_flight=[states.held(8)])
        await seen.shows("1 HELD")
        seen.daemon.show(burn=states.empty().burn)
        await seen.shows("$0.00/h")
        assert len(rung) == 2


async def test_names_of_held_requests_cannot_write_on_the_terminal(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.show(in_flight=[states.held(7, model="[b]\x1b[31m", project="研究", held_subject="研究")])
        await seen.shows("[b]·[31m for 研究 is held by opus / 研究")


async def test_a_held_request_of_a_counter_with_a_wide_name_keeps_the_columns(dashboard):
    state = states.holding()
    wide = states.held(7, project="研究チーム", held_subject="研究チーム")
    limits = [*state.limits, states.opus("研究チーム", 4.9, 0.1)]
    state = msgspec.structs.replace(state, in_flight=[wide, states.held(8)], limits=limits)
    async with dashboard(state, size=(160, 45)) as seen:
        from rich.cells import cell_len

        rows = [line for line in seen.lines if "needs $0.48" in line]
        assert len({cell_len(row[: row.index("needs")]) for row in rows}) == 1
        assert "opus / 研究チーム has $0.00 left of $5.00" in seen.text
        await seen.press("f")
        await seen.until(lambda: seen.daemon.of(Grant))
        assert seen.daemon.of(Grant)[0].subject == "研究チーム"


async def test_a_request_is_killed_by_the_second_k(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("k")
        await seen.shows("kill it?  k kills · esc keeps")
        assert "claude-opus-4-8" in seen.line("kill it?")
        assert not seen.daemon.of(Kill)
        await seen.press("k")
        await seen.shows("In flight 2")
        assert ids(seen.daemon.of(Kill)) == [1]
        assert "kill it?" not in seen.text


async def test_anything_else_keeps_the_request(dashboard):
    async with dashboard(states.busy()) as seen:
        for key in ("escape", "down", "tab"):
            await seen.press("k")
            await seen.shows("kill it?")
            await seen.press(key)
            await seen.hides("kill it?")
        assert not seen.daemon.of(Kill)


async def test_a_confirmation_never_falls_upon_another_request(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("k")
        await seen.shows("kill it?")
        seen.daemon.show(in_flight=states.busy().in_flight[1:])
        await seen.shows("In flight 2")
        await seen.press("k")
        await seen.shows("kill it?")
        assert "gpt-5.4" in seen.line("kill it?")
        assert not seen.daemon.of(Kill)


async def test_a_held_request_is_refused_rather_than_killed(dashboard):
    async with dashboard(states.holding()) as seen:
        await seen.press("h")
        assert "k kill" not in seen.lines[-1]
        await seen.press("k")
        assert "kill it?" not in seen.text


async def test_the_selection_stays_with_its_request(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.app.screen.query_one("#in-flight").focus()
        await seen.press("down")
        seen.daemon.show(in_flight=[states.held(7), *states.busy().in_flight])
        await seen.shows("1 HELD")
        assert "gpt-5.4" in next(line for line in seen.lines if "› ↓" in line)


async def test_a_downgraded_request_names_both_models(dashboard):
    async with dashboard(states.holding()) as seen:
        assert "haiku-4-5 ← opus-4-8" in seen.text
        seen.daemon.show(in_flight=[states.in_flight(1, model="gpt-5.4", asked_model="claude-opus-4-8")])
        await seen.shows("gpt-5.4 ← claude-opus-4-8")


def killed(request_id: int, **more: object) -> Block:
    facts = {"user": "maria", "project": "acme-api", "session": "main", "client": "claude-code"}
    return Block(
        request_id=request_id,
        by="maria (budgettop)",
        at=states.NOW - 13,
        until=states.NOW + 47,
        upstream="anthropic",
        model="claude-opus-4-8",
        **(facts | more),
    )


def blocking(*blocks: Block) -> Snapshot:
    state = states.holding()
    return msgspec.structs.replace(state, daemon=msgspec.structs.replace(state.daemon, blocks=list(blocks)))


async def test_a_killed_request_stays_until_its_repeats_are_let_through(dashboard):
    async with dashboard(blocking(killed(40))) as seen:
        line = seen.line(" KILLED ")
        assert "claude-opus-4-8  acme-api" in line
        assert "repeats refused 0:47" in line
        await seen.press("h", "down", "down")
        await seen.until(lambda: "go on ⏎" in seen.line(" KILLED "))
        await seen.press("f", "x", "k")
        await seen.press("enter")
        await seen.until(lambda: seen.daemon.of(Approve))
        assert ids(seen.daemon.of(Approve)) == [40]
        assert not seen.daemon.of(Kill)


async def test_a_killed_request_that_still_ends_has_one_row(dashboard):
    async with dashboard(blocking(killed(states.holding().in_flight[0].id))) as seen:
        assert " KILLED " not in seen.text
