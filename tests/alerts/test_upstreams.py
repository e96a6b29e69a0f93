"""Upstreams that fail: when that is news, how it is counted, and when it is over."""

import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from alerts.office import Office
from budgetd.alerts.upstreams import CALM_SECONDS, FEW

REFUSED = "cannot be reached: no connection to 127.0.0.1:9: Connection refused"
BROKEN = "does not answer properly: the connection broke off before it answered"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncGenerator[Office]:
    office = Office(tmp_path)
    yield office
    await office.close()


def fail(office: Office, count: int = 1, what: str = REFUSED, *, reached: bool = False) -> None:
    for _ in range(count):
        office.desk.upstreams.failed("anthropic", what, reached=reached)


async def test_one_that_cannot_be_reached_is_told_once_however_often_it_is_tried(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    fail(office, 7)
    alert = office.alert
    assert (alert.rule, alert.severity, alert.subject, alert.count) == ("upstream", "warning", "anthropic", 7)
    assert alert.message == f"anthropic {REFUSED}; 7 requests failed"
    office.pass_time(3600)
    assert office.told == ["fired upstream"]
    assert [record.message for record in caplog.records] == [f"anthropic {REFUSED}; 1 request failed"]


async def test_it_is_over_once_it_answers(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fail(office, 2)
    office.pass_time(60)
    assert office.shown == [("upstream", 0, "firing")]
    office.desk.upstreams.answered("anthropic")
    assert office.alert.resolved_by == "it answers again"
    assert office.told == ["fired upstream", "resolved upstream"]
    assert caplog.records[-1].message == "anthropic answers again; 2 requests failed"
    fail(office)
    assert [alert.count for alert in office.rows()] == [2, 1]


async def test_a_break_now_and_then_is_no_news_but_several_in_a_row_are(office: Office) -> None:
    for _ in range(3):
        fail(office, FEW - 1, BROKEN, reached=True)
        office.desk.upstreams.answered("anthropic")
    assert office.shown == []
    fail(office, FEW, BROKEN, reached=True)
    assert office.alert.message == f"anthropic {BROKEN}; {FEW} requests failed"
    assert office.alert.count == FEW
    fail(office, 1, "answers 503", reached=True)
    assert office.alert.message == f"anthropic answers 503; {FEW + 1} requests failed"
    assert office.alert.count == FEW + 1


async def test_one_that_answers_every_other_time_has_one_alert(office: Office) -> None:
    for _ in range(20):
        fail(office)
        office.desk.upstreams.answered("anthropic")
        office.pass_time(1)
    assert (office.alert.count, office.told) == (20, ["fired upstream"])
    office.pass_time(CALM_SECONDS)
    assert office.shown == [("upstream", 0, "resolved")]


async def test_time_alone_does_not_make_it_answer(office: Office) -> None:
    fail(office)
    office.desk.upstreams.answered("anthropic")
    fail(office)
    office.pass_time(86400)
    assert office.shown == [("upstream", 0, "firing")]


async def test_each_upstream_has_an_alert_of_its_own(office: Office) -> None:
    fail(office)
    office.desk.upstreams.failed("openai", REFUSED, reached=False)
    office.pass_time(60)
    office.desk.upstreams.answered("openai")
    assert [alert.subject for alert in office.desk.board.open_of("upstream")] == ["anthropic"]


async def test_after_a_restart_it_goes_on_where_it_was(office: Office) -> None:
    fail(office, 2)
    office.ledger.flush()
    office.restart()
    office.tick()
    assert office.shown == [("upstream", 0, "firing")]
    fail(office)
    assert office.alert.message.endswith("; 3 requests failed")
    office.pass_time(60)
    office.desk.upstreams.answered("anthropic")
    assert office.shown == [("upstream", 0, "resolved")]


async def test_of_one_that_is_taken_out_of_the_configuration_it_is_over(office: Office) -> None:
    fail(office)
    office.desk.upstreams.keep(["anthropic", "openai"])
    assert office.shown == [("upstream", 0, "firing")]
    office.desk.upstreams.keep(["openai"])
    assert office.alert.resolved_by == "there is no such upstream any more"


async def test_what_it_said_is_one_line_of_the_log_and_of_the_alert(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    fail(office, 1, "cannot be reached: the proxy said\r\n2026-11-29 INFO all is well\x1b[2J" + "x" * 500)
    for line in (office.alert.message, caplog.records[0].message):
        assert line.isprintable()
        assert len(line) < 300
