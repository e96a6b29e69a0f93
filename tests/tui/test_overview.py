"""What the overview shows, and what its keys do."""

import msgspec
import pytest

from budgetd.control.server import CommandError
from budgetwire.messages import Acknowledge, Pause, Resume
from tui import states


async def test_a_limit_shows_spent_reserved_cap_reset_and_when_it_is_reached(dashboard):
    async with dashboard(states.busy()) as seen:
        assert "$6.42 + 0.61 of $10.00" in seen.line("› daily")
        assert "64 %" in seen.text
        assert "resets 00:00" in seen.text
        assert "at this rate the cap is reached at 19:10" in seen.text
        assert "resets Tue 1 Dec" in seen.text


async def test_what_goes_over_plans_stands_beside_the_money(dashboard):
    async with dashboard(states.busy()) as seen:
        assert "on plans" not in seen.text
        burn = states.busy().burn
        shown = msgspec.structs.replace(burn, today_plan_nusd=states.usd(12.1))
        seen.daemon.show(burn=shown)
        await seen.shows("on plans $12.10")
        assert "today $6.42" in seen.text
        only = msgspec.structs.replace(shown, minutes_nusd=[0] * 60, plan_minutes_nusd=burn.minutes_nusd)
        seen.daemon.show(burn=only)
        await seen.shows("plan: peak")


async def test_overrun_is_not_clamped(dashboard):
    async with dashboard(states.tight()) as seen:
        assert "■ 112 % OVER, refusing" in seen.text
        assert "12 refused" in seen.text
        assert "│▚" in seen.line("› daily")


async def test_each_standing_has_a_word_and_a_sign(dashboard):
    async with dashboard(states.tight()) as seen:
        assert "▲ 85 % past 80 %" in seen.text
        assert "■ 112 % OVER" in seen.text


async def test_the_header_says_who_spends_and_where_to(dashboard):
    async with dashboard(states.busy()) as seen:
        assert "● live" in seen.lines[0]
        assert "claude, codex, gemini → 127.0.0.1:8766" in seen.lines[0]
        assert "Mon 23 Nov 15:04" in seen.lines[0]


async def test_costs_move_while_they_stream(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.show(in_flight=[states.in_flight(1, output_tokens=9_000, cost_nusd=states.usd(0.44))])
        await seen.shows("$0.44 / 0.48")
        assert "↓ 9.0k" in seen.text
        assert "In flight 1" in seen.text


async def test_space_pauses_and_resumes(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("space")
        await seen.shows("‖ PAUSED")
        assert "Paused since 15:04" in seen.lines[1]
        assert "space resume" in seen.lines[-1]
        await seen.press("space")
        await seen.hides("PAUSED")
        assert [type(call) for call in seen.daemon.calls[-2:]] == [Pause, Resume]


async def test_a_call_that_fails_is_told(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.daemon.refusal = CommandError("failed", "The disk is full.")
        await seen.press("space")
        await seen.shows("The disk is full.")
        assert "PAUSED" not in seen.lines[0]


async def test_a_acknowledges_one_alert_after_the_other_and_then_goes_away(dashboard):
    async with dashboard(states.busy()) as seen:
        assert "Alerts 2 new" in seen.text
        await seen.press("a")
        await seen.shows("Alerts 1 new")
        await seen.press("a")
        await seen.hides(" new ─")
        assert [call.alert_ids for call in seen.daemon.of(Acknowledge)] == [[2], [44]]
        assert " ack" not in seen.lines[-1]
        await seen.press("a")
        assert len(seen.daemon.of(Acknowledge)) == 2


async def test_the_selected_alert_is_the_one_that_is_acknowledged(dashboard):
    async with dashboard(states.busy()) as seen:
        seen.app.screen.query_one("#alerts").focus()
        await seen.press("down", "a")
        await seen.shows("Alerts 1 new")
        assert seen.daemon.of(Acknowledge)[0].alert_ids == [44]


async def test_capital_a_acknowledges_all(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("A")
        await seen.hides(" new ─")
        assert seen.daemon.of(Acknowledge)[0].alert_ids is None


async def test_the_selection_stays_with_its_alert_when_newer_ones_come(dashboard):
    async with dashboard(states.busy()) as seen:
        newer = states.alert(1, "something newer")
        seen.daemon.show(alerts=[newer, *seen.daemon.state.alerts])
        await seen.shows("something newer")
        assert "› ▲ daily" in seen.line("daily passed")


async def test_p_cuts_todays_spending_up_in_another_way(dashboard):
    async with dashboard(states.busy()) as seen:
        assert "71 %" in seen.line("acme-api    $4.61")
        for subject in ("claude-opus-4-8", "grace", "fix-login"):
            await seen.press("p")
            assert subject in "\n".join(seen.lines[-6:-1])


async def test_a_wide_screen_shows_all_cuts_and_so_no_key_for_the_next(dashboard):
    async with dashboard(states.busy(), size=(200, 60)) as seen:
        assert all(f"by {cut}" in seen.text for cut in ("project", "model", "user", "session"))
        assert "by…" not in seen.lines[-1]


async def test_a_configuration_that_is_not_in_force_is_said(dashboard):
    state = states.busy()
    broken = states.daemon(config_error="budget.toml, line 3: unknown key daly_limit_cents")
    async with dashboard(msgspec.structs.replace(state, daemon=broken)) as seen:
        assert "Configuration not in force: budget.toml, line 3" in seen.text


async def test_a_ledger_that_cannot_be_written_is_said(dashboard):
    state = states.busy()
    broken = states.daemon(ledger_error="budget.toml, line 3: unknown key daly_limit_cents")
    async with dashboard(msgspec.structs.replace(state, daemon=broken)) as seen:
        assert "What can cost is refused: budget.toml, line 3" in seen.text


async def test_a_daemon_that_is_stopping_is_said_with_its_time(dashboard):
    state = states.busy()
    stopping = states.daemon(stopping_until=states.NOW + 30)
    async with dashboard(msgspec.structs.replace(state, daemon=stopping)) as seen:
        assert "budgetd is stopping: requests that still run may go on until 15:04:42." in seen.text


async def test_names_that_hold_escape_codes_are_shown_harmlessly(dashboard):
    nasty = states.in_flight(1, model="\x1b[31mred\x07", project="a\nb")
    async with dashboard(msgspec.structs.replace(states.busy(), in_flight=[nasty])) as seen:
        assert "·[31mred·" in seen.text
        assert "a·b" in seen.text


async def test_wide_characters_keep_the_columns_aligned(dashboard):
    async with dashboard(states.tight(), size=(160, 45)) as seen:
        from rich.cells import cell_len

        rows = [line for line in seen.lines if " / 0.30" in line]
        assert any("中文模型" in row for row in rows)
        assert len({cell_len(row[: row.index(" / 0.30")]) for row in rows}) == 1
        gauges = [line for line in seen.lines if " + 0." in line]
        assert any("研究チーム" in line for line in gauges)
        assert len({cell_len(line[: line.index("█")]) for line in gauges}) == 1


@pytest.mark.parametrize("key", ["question_mark", "ctrl+p"])
async def test_help_and_palette_open_and_close(dashboard, key):
    async with dashboard(states.busy()) as seen:
        await seen.press(key)
        await seen.until(lambda: len(seen.app.screen_stack) == 2)
        await seen.shows("refuse" if key == "question_mark" else "Refuse everything")
        await seen.press("escape")
        await seen.until(lambda: len(seen.app.screen_stack) == 1)


async def test_the_palette_does_what_the_keys_do(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("ctrl+p")
        await seen.type("pause")
        await seen.shows("Refuse everything")
        await seen.press("enter")
        await seen.shows("‖ PAUSED")


async def test_the_keys_at_the_bottom_can_be_clicked(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.pilot.click(offset=(seen.lines[-1].index("pause"), 33))
        await seen.shows("‖ PAUSED")


async def test_q_quits(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("q")
        await seen.until(lambda: not seen.app.is_running or seen.app._exit)
