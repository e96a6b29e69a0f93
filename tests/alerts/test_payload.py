import json
import re
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.told import alert
from budgetd.alerts import payload
from budgetd.alerts.payload import AlertPart, DaemonPart, Document
from budgetd.ledger.rows import AlertRow
from ledger.rows import T0

DAEMON = DaemonPart("workshop", "1.0")
DOCUMENT = Path(__file__).parents[2] / "docs" / "alerts.md"


def written(row: AlertRow, event: payload.Event = "fired", now: float = T0) -> dict:
    return json.loads(payload.write(row, event, "msg_1", now, DAEMON))


def test_the_document_names_every_field_and_no_other() -> None:
    chapter = DOCUMENT.read_text().partition("## The payload")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([a-z_.]+)`(?:, `([a-z_.]+)`)? \|", chapter, re.MULTILINE)
    fields = [name for name in Document.__struct_fields__ if name not in {"alert", "daemon"}]
    fields += [f"alert.{name}" for name in AlertPart.__struct_fields__]
    fields += [f"daemon.{name}" for name in DaemonPart.__struct_fields__]
    assert sorted(name for row in told for name in row if name) == sorted(fields)


def test_the_example_of_the_document_is_what_is_written() -> None:
    chapter = DOCUMENT.read_text().partition("## The payload")[2]
    example = json.loads(re.findall(r"```json\n(.*?)```", chapter, re.DOTALL)[0])
    row = alert(
        17,
        last_at=T0 + 1.25,
        count=3,
        window_ends_at=T0 + 43_200,
        message="daily passed 80 %: $8.01 of $10.00 spent",
        advice=(
            "To raise it, press e in budgettop or edit daily in budget.toml; g grants more for this window."
        ),
    )
    id = "msg_4f1c9a7e0b6d4c7f9a3e2d1b0c9f8e7d"
    assert json.loads(payload.write(row, "updated", id, T0 + 2, DaemonPart("workshop", "0.1.0"))) == example


def test_every_time_is_there_for_people_and_for_programs() -> None:
    document = written(alert(1, window_ends_at=T0 + 0.25))
    assert document["created_at"] == "2026-11-23T12:00:00.000Z"
    assert document["created_at_epoch"] == T0
    assert document["alert"]["window_ends_at"] == "2026-11-23T12:00:00.250Z"
    assert document["alert"]["resolved_at"] is None
    assert document["alert"]["resolved_at_epoch"] is None


def test_what_does_not_apply_is_null() -> None:
    part = written(alert(1, threshold_pct=0, limit="", rule="config"))["alert"]
    nothing = ("limit", "subject", "threshold_pct", "advice", "resolved_by", "request_id")
    assert [part[name] for name in nothing] == [None] * len(nothing)


def test_the_title_says_what_kind_of_word_it_is() -> None:
    row = alert(1, count=4)
    assert written(row)["title"] == "budgettop on workshop: warning"
    assert written(row, "updated")["title"] == "budgettop on workshop: warning, 4 times"
    assert written(row, "repeated")["title"] == "budgettop on workshop: warning, not acknowledged yet"
    assert written(row, "test")["title"] == "budgettop on workshop: test"


def test_of_an_alert_that_is_over_nobody_is_asked_to_acknowledge_it() -> None:
    document = written(alert(1, resolved_at=T0, resolved_by="limit raised"), "resolved")
    assert document["alert"]["state"] == "resolved"
    assert document["alert"]["acknowledge"] is None
    assert document["text"] == "daily passed 80 %\nOver: limit raised"


def test_a_test_has_the_shape_of_any_other() -> None:
    document = written(payload.sample("ops", T0), "test")
    assert document["event"] == document["alert"]["rule"] == "test"
    assert "ops" in document["text"]
    assert document.keys() == written(alert(1)).keys()
    assert document["alert"].keys() == written(alert(1))["alert"].keys()


texts = st.text(st.characters(exclude_categories=["Cs"]))
times = st.floats(0, 4e9)
alerts = st.builds(
    AlertRow,
    **dict.fromkeys(("rule", "limit", "subject", "message", "advice", "resolved_by"), texts),
    **dict.fromkeys(("window_starts_at", "fired_at", "last_at"), times),
    **{
        name: st.none() | times
        for name in ("window_ends_at", "resolved_at", "acknowledged_at", "snoozed_until")
    },
    id=st.integers(0, 2**53),
    threshold_pct=st.integers(0, 1000),
    severity=st.sampled_from(["info", "warning", "critical"]),
)


@given(alerts, st.sampled_from(["fired", "updated", "repeated", "resolved", "test"]), times)
def test_any_alert_can_be_written_and_read_again(row: AlertRow, event: payload.Event, now: float) -> None:
    body = payload.write(row, event, "msg_1", now, DAEMON)
    document = payload.read(body)
    assert msgspec.json.encode(document).decode() == body
    assert document.alert.message == row.message
    assert document.version == payload.VERSION
