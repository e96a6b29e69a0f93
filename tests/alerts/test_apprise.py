import logging
import subprocess
import sys
from pathlib import Path

import pytest

from alerts.receiver import PATH, TOKEN, receiver, silence, status
from alerts.told import alert
from budgetd.alerts import payload
from budgetd.alerts.channels import apprise as apprise_channel
from budgetd.alerts.channels.apprise import Apprise
from budgetd.alerts.channels.channel import Channel, Delivered, Failed, Message, Retry
from budgetd.alerts.target import Kept
from ledger.rows import T0

DAEMON = payload.DaemonPart("workshop", "1.0")


def channel(url: str, timeout_seconds: float = 20) -> Channel:
    return Apprise(Kept("url", url), timeout_seconds)


def message(event: payload.Event = "fired", **more: object) -> Message:
    return Message("msg_1", payload.write(alert(17, **more), event, "msg_1", T0, DAEMON))


def json_url(url: str) -> str:
    """What apprise calls a JSON endpoint over plain HTTP."""
    return url.replace("http://", "json://")


async def test_apprise_sends_what_a_person_is_to_read() -> None:
    async with receiver() as there:
        verdict = await channel(json_url(there.url)).deliver(message(advice="Raise it."), T0)
    assert verdict == Delivered("accepted")
    (post,) = there.posts
    assert post.path.rstrip("/") == PATH
    assert post.document["title"] == "budgettop on workshop: warning"
    assert post.document["message"].split("\n") == [
        "daily passed 80 %",
        "Raise it.",
        "Acknowledge: budgetd ack 17",
    ]
    assert post.document["type"] == "warning"


@pytest.mark.parametrize(
    ("event", "severity", "kind"),
    [("fired", "info", "info"), ("fired", "critical", "failure"), ("resolved", "critical", "success")],
)
async def test_severities_are_called_what_apprise_calls_them(
    event: payload.Event, severity: str, kind: str
) -> None:
    async with receiver() as there:
        await channel(json_url(there.url)).deliver(message(event, severity=severity), T0)
    assert there.posts[0].document["type"] == kind


async def test_what_the_service_answers_decides_whether_it_is_tried_again() -> None:
    for code, verdict in (
        (500, Retry("the service answered 500")),
        (429, Retry("the service answered 429")),
        (403, Failed("the service answered 403")),
    ):
        async with receiver(status(code)) as there:
            assert await channel(json_url(there.url)).deliver(message(), T0) == verdict
    assert await channel(json_url(there.url)).deliver(message(), T0) == Retry(
        "the service could not be reached"
    )


async def test_a_service_that_does_not_answer_in_time_is_tried_again() -> None:
    async with receiver(silence) as there:
        verdict = await channel(json_url(there.url), timeout_seconds=2).deliver(message(), T0)
    assert verdict in {Retry("did not answer within 2 s"), Retry("the service could not be reached")}


async def test_a_url_that_apprise_cannot_use_is_told_without_it() -> None:
    for url in (f"nonsense://{TOKEN}", f"slack://{TOKEN}"):
        verdict = await channel(url).deliver(message(), T0)
        assert isinstance(verdict, Failed)
        assert "cannot use its url" in verdict.reason
        assert TOKEN not in verdict.reason


async def test_apprise_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "apprise.py").write_text("raise ModuleNotFoundError('apprise')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    verdict = await channel("json://localhost").deliver(message(), T0)
    assert verdict == Failed(f"apprise is not installed: {sys.executable} -m pip install apprise")


async def test_a_file_in_the_working_directory_does_not_take_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "apprise.py").write_text("raise SystemExit(0)")
    monkeypatch.chdir(tmp_path)
    async with receiver() as there:
        assert await channel(json_url(there.url)).deliver(message(), T0) == Delivered("accepted")
    assert len(there.posts) == 1


async def test_a_child_that_stumbles_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        apprise_channel, "COMMAND", (sys.executable, "-c", f"raise RuntimeError('json://{TOKEN}')")
    )
    assert await channel("json://localhost").deliver(message(), T0) == Retry("apprise stumbled (exit code 1)")


def test_only_the_service_is_shown() -> None:
    """In many urls of apprise's the place of the host is a token's."""
    for url in (f"slack://{TOKEN}/b/c", f"tgram://{TOKEN}/1", f"mailto://me:{TOKEN}@example.com"):
        assert channel(url).target == f"{url.partition(':')[0]}://…"
    assert Apprise(Kept("url", env="NOT_SET"), 1).target == "url not found"


async def test_neither_apprise_nor_its_log_is_in_the_daemon(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiver(status(500)) as there:
        await channel(json_url(there.url)).deliver(message(), T0)
    assert TOKEN not in caplog.text
    code = f"import sys, {apprise_channel.__name__}; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
