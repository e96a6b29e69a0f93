"""`budgetd reconcile-spend` against a real billing server and a real control socket that keeps the calls."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from budgetd import cli
from budgetd.reconcile.days import day_of, following
from budgetwire.messages import ApplyCorrections, Correction, ReportDrift, UndoCorrections
from budgetwire.places import find_places
from control.fakes import serving
from control.test_cli import Script
from e2e.background import Background
from reconcile.billing import ADMIN_KEY, Billing
from reconcile.seeded import DAYS, SPAN, Spent, dollars, seed

Run = Callable[..., tuple[int, str, str]]

SONNET, OPUS = "claude-sonnet-5", "claude-opus-4-8"


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.close()


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("h")
    for name in list(os.environ):
        if name.endswith(("_ADMIN_KEY", "_PROVISIONING_KEY", "_API_KEY")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setenv("BUDGETD_HOME", str(home))
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", ADMIN_KEY)
    seed(home / "ledger.db", [Spent(day, SONNET) for day in DAYS])
    return home


@pytest.fixture
def billing(background: Background) -> Iterator[Billing]:
    """What the ledger says, to begin with."""
    billing = Billing([])
    for day in DAYS:
        billing.add(day, SONNET, dollars(Spent(day, SONNET).nusd))
    with background.inside(billing.serving()):
        yield billing


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def run(home: Path, billing: Billing, monkeypatch, capsys) -> Run:
    """Runs the command for Anthropic; its exit code, what it printed and what it complained of."""

    def run(*arguments: str) -> tuple[int, str, str]:
        asked = ("anthropic", "--url", billing.url, *SPAN) if "--undo" not in arguments else ()
        monkeypatch.setattr(sys, "argv", ["budgetd", "reconcile-spend", *asked, *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert ADMIN_KEY not in out + err
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def daemon(background: Background, home: Path, script: Script) -> Iterator[Script]:
    with background.inside(serving(find_places(os.environ).socket, handle=script)):
        yield script


def test_what_agrees_is_said_to_agree(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith(f"anthropic, {DAYS[0]} to {DAYS[-1]} (UTC days): 127.0.0.1 beside the ledger\n")
    assert "in all" in out
    assert out.endswith("The ledger says what the invoice says.\n")


def test_drift_is_shown_in_money_and_per_cent_with_its_likely_cause(run: Run, billing: Billing) -> None:
    billing.add(DAYS[2], OPUS, "1.5")
    billing.missing = {DAYS[5]}
    code, out, _ = run()
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith(DAYS[2])]
    assert line.split() == [DAYS[2], "$0.60", "$2.10", "+$1.50", "+71.4", "%", "not", "by", "the", "proxy"]
    (line,) = [line for line in out.splitlines() if line.startswith(DAYS[5])]
    assert line.split() == [DAYS[5], "no", "bucket"]
    assert f"{OPUS}  +$1.50  {DAYS[2]}\n  The ledger has no request of this model on this day" in out
    assert f"no bucket for {DAYS[5]}, which is not the same as zero" in " ".join(out.split())
    assert "--apply enters this difference." in out
    assert max(map(len, out.splitlines())) <= 80


def test_models_can_be_the_rows(run: Run, billing: Billing) -> None:
    billing.add(DAYS[2], OPUS, "1.5")
    _, out, _ = run("--by", "model")
    rows = [line.split() for line in out.splitlines()]
    assert [OPUS, "$0.00", "$1.50", "+$1.50", "+100.0", "%"] in rows
    assert [SONNET, "$4.20", "$4.20", "$0.00", "0.0", "%"] in rows
    assert max(map(len, out.splitlines())) <= 80


def test_json_has_all_of_it(run: Run, billing: Billing) -> None:
    billing.add(DAYS[2], OPUS, "1.5")
    code, out, _ = run("--json")
    told = json.loads(out)
    assert code == 0
    assert (told["ledger_nusd"], told["invoice_nusd"]) == (4_200_000_000, 5_700_000_000)
    (row,) = [row for row in told["rows"] if row["drift_nusd"]]
    assert (row["day"], row["model"], row["cause"], row["requests"]) == (DAYS[2], OPUS, "bypass", 0)
    assert told["applied"] is None


def test_today_is_left_out_unless_it_is_asked_for(run: Run, billing: Billing) -> None:
    assert "is not over" not in run()[1]
    _, out, _ = run("--until", today := day_of(time.time()))
    assert f"{today} is not over, and providers lag" in out


def test_an_export_needs_no_key(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_ADMIN_KEY")
    export = tmp_path / "costs.csv"
    export.write_text(
        "usage_date_utc,model,cost_usd\n" + "".join(f"{day},Claude Sonnet 5,0.6\n" for day in DAYS)
    )
    code, out, _ = run("--file", str(export))
    assert code == 0
    assert "costs.csv beside the ledger" in out
    assert "The ledger says what the invoice says." in out


def test_an_export_says_itself_which_days_it_is_of(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    today = day_of(time.time())
    long_ago = following(today, -40)
    export = tmp_path / "costs.csv"
    export.write_text(f"usage_date_utc,model,cost_usd\n{long_ago},x,1\n{DAYS[0]},x,1\n{today},x,1\n")
    monkeypatch.setattr(sys, "argv", ["budgetd", "reconcile-spend", "--file", str(export)])
    with pytest.raises(SystemExit):
        cli.main()
    out = capsys.readouterr().out
    assert out.startswith(f"anthropic, {long_ago} to {DAYS[0]} (UTC days): costs.csv beside the ledger\n")


def test_an_invoice_of_other_days_does_not_agree(run: Run, billing: Billing) -> None:
    billing.missing = set(DAYS)
    _, out, _ = run()
    assert out.endswith("\n\nNothing was compared.\n")


# saying it to the daemon


def test_apply_sends_every_difference_to_the_nanodollar(run: Run, billing: Billing, daemon: Script) -> None:
    billing.add(DAYS[2], OPUS, "0.000000001")
    daemon.answers[ApplyCorrections] = {"batch": 3, "applied": 1, "nusd": 1}
    code, out, _ = run("--apply")
    assert code == 0
    assert daemon.calls == [
        ApplyCorrections(id=0, source="127.0.0.1", corrections=[Correction(DAYS[2], "anthropic", OPUS, 0, 1)])
    ]
    assert "Entered: +$0.000000001 in 1 correction." in out
    assert out.endswith("budgetd reconcile-spend --undo 3\n")


def test_estimates_are_named_where_they_explain_the_difference(
    run: Run, home: Path, billing: Billing, daemon: Script
) -> None:
    seed(home / "ledger.db", [Spent(DAYS[3], SONNET, basis="estimated", cost=10**9)] * 2)
    seed(home / "ledger.db", [Spent(DAYS[4], SONNET, basis="estimated", cost=1)])
    billing.add(DAYS[3], SONNET, "2.5")
    billing.add(DAYS[4], SONNET, "2.5")
    daemon.answers[ApplyCorrections] = {"batch": 1, "applied": 2, "nusd": 3}
    run("--apply")
    (call,) = daemon.calls
    assert isinstance(call, ApplyCorrections)
    assert [each.estimated_nusd for each in call.corrections] == [2 * 10**9, 0]


def test_apply_leaves_alone_what_the_invoice_leaves_out(run: Run, home: Path, daemon: Script) -> None:
    seed(home / "ledger.db", [Spent(DAYS[3], SONNET, tier="priority", cost=3 * 10**9)])
    daemon.answers[ApplyCorrections] = {"batch": 0, "applied": 0, "nusd": 0}
    code, out, _ = run("--apply")
    assert code == 0
    assert "The ledger says what the invoice says." in out
    assert "$3.00 in the ledger is of service tiers that this invoice does not have" in " ".join(out.split())
    assert [each.corrections for each in daemon.calls if isinstance(each, ApplyCorrections)] == [[]]


def test_a_credit_is_shown_and_not_entered(run: Run, billing: Billing, daemon: Script) -> None:
    billing.add(DAYS[2], None, "-5", "Promotional credit")
    daemon.answers[ApplyCorrections] = {"batch": 0, "applied": 0, "nusd": 0}
    code, out, _ = run("--apply")
    assert code == 0
    assert "Credits of $5.00 (Promotional credit) are on the invoice: shown, not entered" in " ".join(
        out.split()
    )
    assert [each.corrections for each in daemon.calls if isinstance(each, ApplyCorrections)] == [[]]
    assert json.loads(run("--json")[1])["credits"] == [
        {"day": DAYS[2], "what": "Promotional credit", "nusd": -5 * 10**9}
    ]


def test_undo_names_a_batch_or_none(run: Run, daemon: Script) -> None:
    daemon.answers[UndoCorrections] = {"batch": 4, "applied": 2, "nusd": -1_500_000_000}
    assert "Batch 4 is taken back: -$1.50 in 2 corrections." in run("--undo")[1]
    run("--undo", "4")
    assert daemon.calls == [UndoCorrections(id=0, batch=None), UndoCorrections(id=0, batch=4)]
    assert run("--undo", "all")[0] == 2


@pytest.mark.parametrize("arguments", [["--apply"], ["--undo"], ["--watch", "1"]])
def test_without_a_daemon_there_is_nobody_to_tell(run: Run, billing: Billing, arguments: list[str]) -> None:
    billing.add(DAYS[2], OPUS, "1.5")
    code, _, err = run(*arguments)
    assert code == 3
    assert "Traceback" not in err


def test_watch_looks_again_and_again_and_reports_drift_beyond_the_threshold(
    home: Path, billing: Billing, daemon: Script
) -> None:
    command = [sys.executable, "-m", "budgetd.cli", "reconcile-spend", "anthropic", "--url", billing.url]
    watching = subprocess.Popen(
        [*command, *SPAN, "--watch", "0.00001", "--threshold", "10"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert watching.stdout is not None
    quiet = watching.stdout.readline()
    assert "ledger $4.20, invoice $4.20, drift $0.00 (0.0 %)" in quiet
    billing.add(DAYS[2], OPUS, "0.40")
    small = next(line for line in watching.stdout if "+$0.40" in line)
    assert "(+8.7 %)" in small
    assert daemon.calls == []
    billing.add(DAYS[2], OPUS, "0.60")
    loud = next(line for line in watching.stdout if "an alert is fired" in line)
    watching.send_signal(signal.SIGINT)
    _, complaints = watching.communicate(timeout=20)
    assert "drift +$1.00 (+19.2 %), beyond 10 %: an alert is fired" in loud
    assert "Traceback" not in complaints
    report = daemon.calls[0]
    assert isinstance(report, ReportDrift)
    assert (report.provider, report.since, report.until) == ("anthropic", DAYS[0], DAYS[-1])
    assert (report.ledger_nusd, report.invoice_nusd) == (4_200_000_000, 5_200_000_000)
    assert report.cause.startswith(f"{OPUS} on {DAYS[2]}: The ledger has no request of this model")


def test_watch_outlives_a_mistake_in_the_file(home: Path, billing: Billing, daemon: Script) -> None:
    command = [sys.executable, "-m", "budgetd.cli", "reconcile-spend", "anthropic", "--url", billing.url]
    watching = subprocess.Popen(
        [*command, *SPAN, "--watch", "0.00001", "--threshold", "5"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert watching.stdout is not None
    assert watching.stderr is not None
    assert "drift $0.00" in watching.stdout.readline()
    (home / "config.toml").write_text("timezone = 5\n")
    assert "config.toml" in watching.stderr.readline()
    (home / "config.toml").unlink()
    billing.add(DAYS[2], OPUS, "0.10")
    assert any("drift +$0.10" in line for line in watching.stdout)
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=20)


# what goes wrong


def test_a_wrong_key_is_told_in_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "sk-ant-api-wrong")
    code, out, err = run()
    assert (code, out) == (1, "")
    assert err.startswith("budgetd: 127.0.0.1 does not know the key (401). It takes an admin key")
    assert "sk-ant-api-wrong" not in err


def test_no_ledger_is_told_in_a_sentence(run: Run, home: Path) -> None:
    (home / "ledger.db").unlink()
    code, _, err = run()
    assert code == 1
    assert "the ledger cannot be read" in err


def test_without_a_provider_each_that_has_a_key_is_compared(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.delenv("ANTHROPIC_ADMIN_KEY")
    monkeypatch.setattr(sys, "argv", ["budgetd", "reconcile-spend"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "set one of ANTHROPIC_ADMIN_KEY, OPENAI_ADMIN_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--since", "2026-13-01"], "is not a date"),
        (["--since", "2026-11-05", "--until", "2026-11-01"], "are not days that have been"),
        (["--until", "2999-01-01"], "are not days that have been"),
        (["--since", "2020-01-01"], "At most 366 days"),
        (["--watch", "1", "--apply"], "--watch only looks"),
        (["--watch", "0"], "--watch"),
        (["--watch", "1e300"], "--watch"),
    ],
)
def test_what_cannot_be_asked_is_refused(run: Run, arguments: list[str], says: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert says in err


def test_an_address_belongs_to_one_provider(home: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["budgetd", "reconcile-spend", "--url", "https://x"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "--url needs the name" in capsys.readouterr().err
