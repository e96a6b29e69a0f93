"""The table of recent requests."""

from budgettop import text
from budgettop.screens import requests as screen
from budgetwire.messages import QueryRequests
from tui import states


def rows(count: int) -> list:
    return [states.request(id) for id in range(1, count + 1)]


async def test_the_newest_requests_are_listed_with_the_details_of_the_selected_one(dashboard):
    requests = [*rows(2), states.request(3, model_billed="gpt-5.4", basis="estimated", key="k_777")]
    async with dashboard(states.busy(), requests=requests) as seen:
        await seen.press("2")
        await seen.shows("gpt-5.4")
        first = next(line for line in seen.lines if "gpt-5.4" in line)
        assert "~$0.31" in first
        await seen.shows("k_777")
        await seen.press("down")
        await seen.shows("k_3f9a0c")
        assert "41,200 tokens (38,000 cached, 900 written)" in seen.text


async def test_new_requests_appear_and_the_selection_stays(dashboard, monkeypatch):
    async with dashboard(states.busy(), requests=rows(5)) as seen:
        await seen.press("2")
        await seen.shows("Request 5")
        await seen.press("down")
        await seen.shows("Request 4")
        seen.daemon.requests.append(states.request(6))
        monkeypatch.setattr(text, "wall_clock", lambda: states.NOW + 5)
        seen.daemon.show(in_flight=[])
        await seen.shows("newest 6")
        assert "Request 4" in seen.text


async def test_older_requests_are_fetched_and_kept(dashboard):
    async with dashboard(states.busy(), requests=rows(450)) as seen:
        await seen.press("2")
        await seen.shows("newest 200")
        await seen.press("o")
        await seen.shows("newest 400")
        await seen.press("o")
        await seen.shows("newest 450")
        assert "older" not in seen.lines[-1]
        assert [call.before_id for call in seen.daemon.of(QueryRequests)][-2:] == [251, 51]


async def test_where_more_came_in_than_a_page_no_row_is_missing_in_between(dashboard, monkeypatch):
    async with dashboard(states.busy(), requests=rows(5)) as seen:
        await seen.press("2")
        await seen.shows("newest 5")
        seen.daemon.requests = rows(450)
        monkeypatch.setattr(text, "wall_clock", lambda: states.NOW + 5)
        seen.daemon.show(in_flight=[])
        await seen.shows("newest 200")
        await seen.press("o")
        await seen.shows("newest 400")
        await seen.press("o")
        await seen.shows("newest 450")


async def test_rows_are_bounded_as_requests_come_in_but_not_below_what_was_asked_for(dashboard, monkeypatch):
    monkeypatch.setattr(screen, "MOST", 150)
    async with dashboard(states.busy(), requests=rows(400)) as seen:
        await seen.press("2")
        await seen.shows("newest 150")
        await seen.press("o")
        await seen.shows("newest 350")
        seen.daemon.requests.append(states.request(401))
        monkeypatch.setattr(text, "wall_clock", lambda: states.NOW + 5)
        seen.daemon.show(in_flight=[])
        await seen.shows("Request 401")
        assert "newest 350" in seen.text


async def test_a_clock_that_is_set_back_does_not_stop_the_list(dashboard, monkeypatch):
    async with dashboard(states.busy(), requests=rows(5)) as seen:
        await seen.press("2")
        await seen.shows("newest 5")
        seen.daemon.requests.append(states.request(6))
        monkeypatch.setattr(text, "wall_clock", lambda: states.NOW - 3600)
        seen.daemon.show(in_flight=[])
        await seen.shows("newest 6")


async def test_a_refusal_can_be_told_from_an_answer(dashboard):
    refused = states.request(1, status=402, outcome="refused", cost_nusd=0, basis="")
    async with dashboard(states.busy(), requests=[refused]) as seen:
        await seen.press("2")
        await seen.shows("✗ refused 402")


async def test_an_empty_ledger_is_said(dashboard):
    async with dashboard(states.busy(), requests=[]) as seen:
        await seen.press("2")
        await seen.shows("No request yet.")
        await seen.press("1")
        await seen.shows("Budgets")


async def test_the_details_say_what_was_expected_and_by_how_much_that_was_wrong(dashboard):
    less, more = states.request(2), states.request(1, cost_nusd=states.usd(0.5), worst_nusd=None)
    async with dashboard(states.busy(), requests=[less, more]) as seen:
        await seen.press("2")
        await seen.shows("expected   $0.40  cost 22 % less")
        assert "worst case $4.80" in seen.text
        await seen.press("down")
        await seen.shows("expected   $0.40  cost 25 % more")
        assert "worst case no bound" in seen.text


async def test_a_killed_request_can_be_told_from_an_answer(dashboard):
    async with dashboard(states.busy(), requests=[states.request(1, outcome="killed")]) as seen:
        await seen.press("2")
        await seen.shows("✗ killed")
