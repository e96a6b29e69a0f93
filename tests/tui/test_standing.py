"""Before the link, without it, and back again; and before the first request."""

import msgspec
from textual.pilot import Pilot

from budgettop.app import BudgetTop
from budgetwire.messages import Channel
from tui import hand, states
from tui.hand import hand_made
from tui.seen import Seen


async def test_a_lost_link_keeps_its_place_dims_and_says_how_old_the_figures_are(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.press("down")
        await seen.daemon.stop()
        await seen.shows("○ no connection")
        assert "old, from" in seen.lines[1]
        assert "Trying again" in seen.lines[1]
        assert "› monthly" in seen.text
        assert "$6.42" in seen.text
        assert seen.app.screen.query_one("#body").styles.opacity == 0.5
        assert not {"edit", "pause", "ack"} & set(seen.lines[-1].split())


async def test_a_link_comes_back_by_itself(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.daemon.stop()
        await seen.shows("○ no connection")
        seen.daemon.show(limits=[states.limit("daily", 10, 7.77)])
        await seen.daemon.start()
        await seen.shows("● live")
        await seen.shows("$7.77 of $10.00")
        await seen.shows("budgetd is back.")
        assert "Trying again" not in seen.text
        assert seen.app.screen.query_one("#body").styles.opacity == 1.0


async def test_losing_the_link_is_one_toast_however_often_it_is_tried(dashboard):
    async with dashboard(states.busy()) as seen:
        await seen.daemon.stop()
        await seen.shows("is lost.")
        await seen.pilot.pause(1.0)
        assert len(seen.app._notifications) == 1


async def stands(app: BudgetTop, pilot: Pilot[None], stand: str) -> bool:
    """Whether it comes to stand so within some seconds."""
    for _ in range(300):
        if app.view.stand == stand:
            return True
        await pilot.pause(0.02)
    return False


async def test_a_daemon_that_is_not_there_yet_is_waited_for(path):
    app = BudgetTop(path)
    async with app.run_test(size=(120, 34)) as pilot:
        assert await stands(app, pilot, "lost")
        assert "budgetd start" in app.view.reason
        async with hand_made(path, states.busy()):
            assert await stands(app, pilot, "live")


async def test_another_version_is_said_and_not_tried_again(path, monkeypatch):
    monkeypatch.setattr(hand, "VERSION", "2.0")
    async with hand_made(path, states.busy()):
        app = BudgetTop(path)
        async with app.run_test(size=(120, 34)) as pilot:
            assert await stands(app, pilot, "refused")
            assert "The client is older" in app.view.reason


async def test_the_empty_state_says_what_to_paste(dashboard):
    state = states.empty()
    listening = msgspec.structs.replace(state, daemon=states.daemon(listen="127.0.0.1:9999"))
    async with dashboard(listening, size=(80, 24)) as seen:
        for line in (
            "export ANTHROPIC_BASE_URL=http://127.0.0.1:9999 ",
            "export ENABLE_TOOL_SEARCH=true ",
            "export CLAUDE_CODE_GATEWAY_HINT_HEADERS=1 ",
            "codex -c openai_base_url=http://127.0.0.1:9999/v1 ",
            "codex -c openai_base_url=http://127.0.0.1:9999/chatgpt ",
            "export GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:9999 ",
            "gemini --skip-trust ",
            '{"security":{"auth":{"selectedType":"gemini-api-key"}}} ',
            "export OPENAI_BASE_URL=http://127.0.0.1:9999/v1 ",
        ):
            assert line in seen.text, seen.text


async def test_the_empty_state_says_that_notifications_come_by_default(dashboard, path):
    said = "Alerts are shown on this desktop; off with [alerts] desktop = false in config.toml."
    by_default = Channel("desktop", "desktop", "this desktop", "warning", by_default=True)
    missing = msgspec.structs.replace(by_default, disabled_reason="no notification service")
    configured = msgspec.structs.replace(by_default, by_default=False)
    for channel, is_said in ((by_default, True), (missing, False), (configured, False)):
        async with hand_made(path, states.empty()) as daemon:
            daemon.channels = [channel]
            app = BudgetTop(path)
            async with app.run_test(size=(120, 34)) as pilot:
                assert await stands(app, pilot, "live")
                seen = Seen(app, pilot, daemon)
                await seen.shows("Nothing seen yet")
                assert (said in seen.text) == is_said


async def test_the_first_request_ends_the_empty_state(dashboard):
    async with dashboard(states.empty()) as seen:
        assert "Nothing seen yet" in seen.text
        seen.daemon.show(in_flight=[states.in_flight(1)])
        await seen.shows("In flight 1")
        assert "Nothing seen yet" not in seen.text


async def test_a_quiet_month_is_no_empty_state(dashboard):
    async with dashboard(states.empty(), requests=[states.request(1)]) as seen:
        assert "Nothing seen yet" not in seen.text
        assert "Nothing spent today." in seen.text
