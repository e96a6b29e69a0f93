"""The commands that steer and show, against a real control server that answers by a script."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest

from budgetd import cli
from budgetd.control.server import CommandError, Peer
from budgetwire.messages import (
    Alert,
    Approve,
    Call,
    Change,
    EstimateError,
    ForgetLimits,
    Grant,
    InFlight,
    Kill,
    Limit,
    Pause,
    QueryAudit,
    QueryAuditReply,
    QueryEstimates,
    QueryEstimatesReply,
    Refuse,
    Release,
    Resume,
    SetLimit,
    UndoLimit,
)
from budgetwire.places import find_places
from control.fakes import FakeViews, limit, serving
from e2e.background import Background

USD = 1_000_000_000


Answer: TypeAlias = dict[str, Any] | CommandError


class Script:
    """Keeps the calls, and answers each kind by a result or an error."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: dict[type[Call], Answer | Callable[[Any], Answer]] = {}

    async def __call__(self, call: Call, peer: Peer) -> dict[str, Any]:
        self.calls.append(msgspec.structs.replace(call, id=0))
        answer = self.answers.get(type(call), {})
        if callable(answer):
            answer = answer(call)
        if isinstance(answer, CommandError):
            raise answer
        return answer


class Views(FakeViews):
    """With counters and held requests that can be set."""

    def __init__(self) -> None:
        super().__init__()
        self.counters: list[Limit] = [limit()]
        self.requests: list[InFlight] = []
        self.fired: list[Alert] = []

    def limits(self) -> list[Limit]:
        return self.counters

    def in_flight(self) -> list[InFlight]:
        return self.requests

    def alerts(self) -> list[Alert]:
        return self.fired


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def views() -> Views:
    return Views()


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("h")
    (home / "config.toml").write_text('timezone = "Etc/GMT-1"\n')
    monkeypatch.setenv("BUDGETD_HOME", str(home))
    return home


@pytest.fixture
def run(home: Path, script: Script, views: Views, monkeypatch, capsys):
    """Runs a command line; its exit code, what it printed and what it complained of."""
    background = Background()

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["budgetd", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    with background.inside(serving(find_places(os.environ).socket, views=views, handle=script)):
        yield run
    background.close()


@pytest.mark.parametrize(
    ("arguments", "call", "says"),
    [
        (["limits", "set", "daily", "12.50"], SetLimit(id=0, limit="daily", limit_cents=1250), "$12.50 now"),
        (["limits", "set", "daily", "none"], SetLimit(id=0, limit="daily", limit_cents=None), "is removed"),
        (["limits", "set", "daily", "0"], SetLimit(id=0, limit="daily", limit_cents=0), "$0.00 now"),
        (["limits", "forget"], ForgetLimits(id=0), "Forgotten: no limit is in force."),
        (["grant", "daily", "$5"], Grant(id=0, limit="daily", cents=500), "daily may spend $5.00 more"),
        (
            ["grant", "opus per project", "2.50", "--subject", "acme"],
            Grant(id=0, limit="opus per project", cents=250, subject="acme"),
            "opus per project / acme may spend $2.50 more",
        ),
        (["pause"], Pause(id=0), "Nothing that costs is let through"),
        (["pause", "daily"], Pause(id=0, limit="daily"), "Nothing that daily is about"),
        (["resume"], Resume(id=0), "Resumed."),
        (["resume", "daily"], Resume(id=0, limit="daily"), "Resumed: daily."),
        (["approve", "12"], Approve(id=0, request_id=12), "Request 12 may go on."),
        (["refuse", "12"], Refuse(id=0, request_id=12), "Request 12 is refused."),
        (["kill", "11"], Kill(id=0, request_id=11), "Request 11 is cut."),
    ],
)
def test_a_command_makes_its_call_and_says_what_was_done(run, script, arguments, call, says) -> None:
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert script.calls == [call]
    assert says in out


UNDONE = {"limit": "daily", "action": "grant", "before_nusd": 5, "after_nusd": 0, "message": "It is so."}


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ([], UndoLimit(id=0)),
        (["daily"], UndoLimit(id=0, limit="daily")),
        (["daily", "--yes"], UndoLimit(id=0, limit="daily", allow_raise=True)),
    ],
)
def test_an_undo_says_what_the_daemon_says_of_it(run, script, arguments, call) -> None:
    script.answers[UndoLimit] = UNDONE
    assert run("limits", "undo", *arguments) == (0, "It is so.\n", "")
    assert script.calls == [call]


def test_an_undo_that_raises_a_cap_is_not_done_unasked(run, script) -> None:
    raises = "That would raise the cap of daily from $5.00 to $10.00."
    script.answers[UndoLimit] = CommandError("conflict", raises, "allow_raise")
    code, _, err = run("limits", "undo")
    assert (code, err) == (1, f"budgetd: {raises} Repeat with --yes to do it.\n")
    assert script.calls == [UndoLimit(id=0)]


@pytest.mark.parametrize(("typed", "says"), [("y", "It is so."), ("n", "Nothing is changed.")])
def test_who_is_at_a_terminal_is_asked(run, script, monkeypatch, typed: str, says: str) -> None:
    refusal = CommandError("conflict", "That would raise it.", "allow_raise")
    script.answers[UndoLimit] = lambda call: UNDONE if call.allow_raise else refusal
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    code, out, _ = run("limits", "undo")
    assert code == 0
    assert "That would raise it. Do it? [y/N]: " in out
    assert out.endswith(f"{says}\n")
    assert [call.allow_raise for call in script.calls] == ([False, True] if typed == "y" else [False])


class Terminal(io.StringIO):
    """Where a person types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["grant", "daily", "-5"], "An amount cannot be below zero."),
        (["grant", "daily", "five"], "'five' is not an amount in dollars"),
        (["grant", "daily", "0.005"], "0.005 is not whole cents."),
        (["limits", "set", "daily", "-1"], "An amount cannot be below zero."),
        (["limits", "set", "daily"], "Missing argument"),
        (["approve", "twelve"], "'twelve' is not a valid integer"),
        (["kill"], "Missing argument 'ID'"),
        (["audit", "--count", "0"], "0 is not in the range"),
        (["estimates", "--since", "-1"], "is not in the range"),
        (["kill", str(2**64)], "A number is too large."),
        (["pause", "\udcff"], "A name is not text."),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_called(run, script, arguments, says) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert script.calls == []


def test_a_name_that_a_shell_would_take_apart_is_quoted(run) -> None:
    assert """`budgetd limits undo 'don'"'"'t'` takes""" in run("limits", "set", "don't", "1")[1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_what_cannot_be_printed_is_told(home: Path) -> None:
    command = f"exec {sys.executable} -m budgetd.cli --help > /dev/full"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "budgetd: [Errno 28] No space left on device\n")


def test_watching_ends_in_silence_when_it_is_interrupted(run) -> None:
    """`run` for the server alone."""
    command = [sys.executable, "-m", "budgetd.cli", "status", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, complaints = watching.communicate()
    assert (watching.returncode, complaints.strip()) == (130, b"")


def test_a_refusal_of_the_daemon_is_passed_on(run, script) -> None:
    script.answers[Approve] = CommandError("not_found", "Request 12 is not held any more.", "request_id")
    assert run("approve", "12") == (1, "", "budgetd: Request 12 is not held any more.\n")


@pytest.mark.parametrize("command", ["limits", "pause", "audit", "estimates", "status"])
def test_without_a_daemon_the_exit_code_is_3(home, monkeypatch, capsys, command) -> None:
    monkeypatch.setattr(sys, "argv", ["budgetd", command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 3
    assert capsys.readouterr().err.startswith("budgetd: ")


def test_every_counter_is_a_line_of_the_table(run, views) -> None:
    views.counters = [
        msgspec.structs.replace(limit(6_420_000_000), reserved_nusd=610_000_000, refused=2),
        msgspec.structs.replace(
            limit(), name="研究", window="7d", ends_at=None, per="project", subject="acme\x1b[2J",
            paused=True, granted_nusd=5 * USD, headroom_nusd=USD, on_exceed="downgrade",
            fallback_model="claude-haiku-4-5", guarantee="strict",
        ),
        msgspec.structs.replace(limit(), name="free", window="total", ends_at=None, limit_nusd=0, per="user"),
    ]  # fmt: skip
    code, out, _ = run("limits")
    assert code == 0
    assert out.splitlines() == [
        "LIMIT            SPENT  RESERVED     CAP    LEFT   USED  RESETS",
        "daily            $6.42     $0.61  $10.00   $2.97   64 %  Fri 02 Jan 01:00  2 refused",
        "研究 / acme�[2J  $0.00            $15.00  $14.00    0 %  rolling 7d"
        "        PAUSED, downgrade to claude-haiku-4-5, strict, $5.00 granted",
        "free / (none)    $0.00             $0.00   $0.00  100 %  never",
    ]


def test_what_is_kept_for_unknown_ends_is_shown_and_released(run, views, script) -> None:
    views.counters = [msgspec.structs.replace(limit(USD), guarantee="strict", unknown_nusd=4 * USD)]
    for command in ("limits", "status"):
        _, out, _ = run(command)
        assert "$5.00  10 %  Fri 02 Jan 01:00  strict, $4.00 kept for unknown ends" in out
    script.answers[Release] = {"released": 3, "nusd": 4 * USD}
    _, out, _ = run("limits", "release", "opus", "--subject", "acme")
    assert out == "Released: opus / acme kept $4.00 for 3 unknown ends.\n"
    script.answers[Release] = {"released": 0, "nusd": 0}
    _, out, _ = run("limits", "release", "daily")
    assert out == "daily keeps nothing for unknown ends.\n"
    assert script.calls == [
        Release(id=0, limit="opus", subject="acme"),
        Release(id=0, limit="daily"),
    ]


def test_without_a_limit_the_way_to_one_is_told(run, views) -> None:
    views.counters = []
    assert run("limits") == (0, "No limit is set (press e in budgettop).\n", "")


def test_status_shows_what_is_held_with_what_decides_it(run, views) -> None:
    held = InFlight(
        id=4202, started_at=1.0, phase="held", upstream="anthropic", model="claude-opus-4-8", user="",
        project="acme", session="", client="", input_tokens=0, output_tokens=0, cost_nusd=0,
        reserved_nusd=420_000_000, held_by="opus", held_subject="acme", held_until=120.0,
    )  # fmt: skip
    views.requests = [held, msgspec.structs.replace(held, id=4201, phase="answering")]
    _, out, _ = run("status")
    assert (
        "HELD 4202 until 01:02: claude-opus-4-8 for acme, about $0.42, by opus / acme;"
        " `budgetd approve 4202` or `budgetd refuse 4202`"
    ) in out.splitlines()
    assert "HELD 4201" not in out
    assert "1 in flight" in out


def test_status_tells_money_and_plans_apart(run, views) -> None:
    assert "plans" not in run("status")[1]
    burn = msgspec.structs.replace(views.burn(), today_nusd=6_420_000_000, today_plan_nusd=12_100_000_000)
    views.burn = lambda: burn
    assert "today $6.42 (and $12.10 over plans), yesterday" in run("status")[1]


def test_status_shows_the_alerts_that_fire_and_no_others(run, views) -> None:
    fires = Alert(1, "cap", "critical", "daily", "daily cap reached", 1.0)
    for number, state in enumerate(("snoozed", "acknowledged", "resolved"), 2):
        views.fired.append(msgspec.structs.replace(fires, id=number, state=state))
    views.fired.append(fires)
    _, out, _ = run("status")
    told = [line for line in out.splitlines() if line.startswith("alert ")]
    assert told == ["alert 1  Thu 01 Jan 01:00  daily cap reached"]


def test_the_audit_is_told_in_words_and_dollars(run, script) -> None:
    entry = '{"name": "opus", "window": "day", "limit_cents": 500}'
    rows = [
        ("approve", "request 12", "held", "let through"),
        ("set_limit", "opus", entry, ""),
        ("grant", "daily", "0", str(5 * USD)),
        ("release", "daily", str(USD), "0"),
    ]
    changes = [Change(4 - at, 1.0, 1000, "ada", *row) for at, row in enumerate(rows)]
    script.answers[QueryAudit] = msgspec.to_builtins(QueryAuditReply(changes=changes))
    _, out, _ = run("audit", "--count", "3")
    assert script.calls == [QueryAudit(id=0, count=3)]
    assert out.splitlines() == [
        "WHEN              WHO             WHAT       OF          BEFORE  AFTER",
        "Thu 01 Jan 01:00  ada (uid 1000)  approve    request 12  held    let through",
        "Thu 01 Jan 01:00  ada (uid 1000)  set limit  opus        $5.00   none",
        "Thu 01 Jan 01:00  ada (uid 1000)  grant      daily       $0.00   $5.00",
        "Thu 01 Jan 01:00  ada (uid 1000)  release    daily       $1.00   $0.00",
    ]


def test_estimates_are_told_model_by_model(run, script) -> None:
    models = [
        EstimateError("claude-opus-4-8", 1204, 71 * USD, 66 * USD, None, 91, 112),
        EstimateError("gpt-5.4", 3, USD, USD, 9 * USD, 100, 100),
    ]
    script.answers[QueryEstimates] = msgspec.to_builtins(QueryEstimatesReply(models=models))
    _, out, _ = run("estimates", "--since", "2")
    (call,) = script.calls
    assert isinstance(call, QueryEstimates)
    assert 2 * 86400 <= time.time() - call.since < 2 * 86400 + 60
    assert out.splitlines() == [
        "MODEL            REQUESTS  EXPECTED    COST  WORST CASE   HALF  9 IN 10",
        "claude-opus-4-8     1,204    $71.00  $66.00    no bound   91 %    112 %",
        "gpt-5.4                 3     $1.00   $1.00       $9.00  100 %    100 %",
    ]


@pytest.mark.parametrize(
    "arguments",
    [["limits"], ["limits", "set"], ["limits", "undo"], *([name] for name in cli.budgetd.commands)],
    ids=" ".join,
)
def test_every_command_has_help(run, arguments) -> None:
    code, out, _ = run(*arguments, "--help")
    assert code == 0
    plain = {"serve", "start"}
    assert ("Example" in out) == (arguments[0] not in plain)
