"""Starting and stopping, and all that can stand in the way: one clear line, exit code 1, nothing lost."""

import resource
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

import pytest

from budgetwire.messages import Snapshot
from e2e.ask import ask, begin, end, error_of
from e2e.background import Background
from e2e.provider import Provider
from e2e.running import Home, budgetd
from e2e.upstream import Keeping

NOWHERE = {"anthropic": "http://127.0.0.1:9"}


@pytest.fixture
def home() -> Iterator[Home]:
    """Nothing runs in it yet."""
    with Home(NOWHERE) as home:
        yield home


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def upstream(background: Background, provider: Provider) -> Iterator[Keeping]:
    with background.inside(Keeping(provider)) as upstream:
        yield upstream


def complaint(home: Home, *command: str) -> str:
    """What budgetd says on standard error as it does not start, in one line."""
    done = budgetd(home.path, *(command or ("serve",)))
    assert done.returncode == 1, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("budgetd: ")
    return line.removeprefix("budgetd: ")


# its life


def test_start_status_stop(home: Home) -> None:
    assert budgetd(home.path, "status").returncode == 3
    assert budgetd(home.path, "stop").returncode == 3
    started = budgetd(home.path, "start")
    assert started.returncode == 0
    assert started.stdout.startswith("budgetd runs on http://127.0.0.1:")
    again = budgetd(home.path, "start")
    assert (again.returncode, "is running already" in again.stdout) == (0, True)
    status = budgetd(home.path, "status")
    assert status.returncode == 0
    assert "no limit is set" in status.stdout
    assert '"limits":[]' in budgetd(home.path, "status", "--json").stdout
    stopped = budgetd(home.path, "stop")
    assert (stopped.returncode, stopped.stdout) == (0, "budgetd stopped.\n")
    assert budgetd(home.path, "status").returncode == 3
    assert not home.places.socket.exists()


# configuration


BAD_FILES = [
    ("config.toml", "timezone = 'UTC'\n[proxy\n", 2, "not valid TOML"),
    ("config.toml", "[proxy]\nlisen = '127.0.0.1:0'\n", 2, "did you mean `listen`?"),
    ("config.toml", "[proxy]\nlisten = '0.0.0.0:8766'\n", 2, "is not an address of this machine alone"),
    ("config.toml", "[proxy]\ndrain_seconds = -1\n", 2, "`proxy.drain_seconds`: "),
    ("config.toml", "\ntimezone = 'Europe/Atlantis'\n", 2, "no time zone is called"),
    ("config.toml", "[upstreams.mine]\nurl = 'http://127.0.0.1:1'\n", 1, "needs a `dialect`"),
    ("budget.toml", "[budget]\ndaily_limit_cents = = 5\n", 2, "not valid TOML"),
    ("budget.toml", "[budget]\ndayly_limit_cents = 5\n", 2, "did you mean `daily_limit_cents`?"),
    ("budget.toml", "[budget]\n\ndaily_limit_cents = -5\n", 3, "`budget.daily_limit_cents`: "),
    ("budget.toml", "[budget]\ndaily_limit_cents = 'five'\n", 2, "`budget.daily_limit_cents`: "),
    ("budget.toml", "[budget]\nalert_threshold_pct = [50, 0]\n", 2, "`budget.alert_threshold_pct`: "),
    ("budget.toml", "[bugdet]\n", 1, "did you mean `budget`?"),
]


@pytest.mark.parametrize(("file", "text", "line", "problem"), BAD_FILES)
def test_a_bad_file_is_named_with_its_line(home: Home, file: str, text: str, line: int, problem: str) -> None:
    path = home.path / file
    path.write_text(text)
    said = complaint(home)
    assert said.startswith(f"{path}, line {line}: ")
    assert problem in said


def test_start_and_config_check_say_what_serve_says(home: Home) -> None:
    home.places.budget.write_text("[budget]\ndaily_limit_cents = -5\n")
    assert complaint(home, "start") == complaint(home, "serve")
    assert complaint(home, "config-check", str(home.places.budget)) == complaint(home)


def test_config_check_names_the_mistakes_of_both_files(home: Home) -> None:
    home.places.config.write_text("[proxy\n")
    home.places.budget.write_text("[bugdet]\n")
    done = budgetd(home.path, "config-check")
    assert (done.returncode, done.stdout) == (1, "")
    of_config, of_budget = done.stderr.splitlines()
    assert of_config.startswith(f"budgetd: {home.places.config}, line 1: ")
    assert of_budget.startswith(f"budgetd: {home.places.budget}, line 1: ")


def test_config_check_knows_the_upstreams_that_are_configured() -> None:
    limit = '[[limits]]\nname = "mine"\nwindow = "day"\nlimit_cents = 1\nmatch = { upstream = "mine" }\n'
    with Home({"mine": "http://127.0.0.1:9"}, budget=limit) as home:
        done = budgetd(home.path, "config-check")
    assert (done.returncode, done.stderr) == (0, "")


def test_config_check_takes_a_budget_by_any_name_that_says_so(home: Home) -> None:
    path = home.path / "team-budget.toml"
    path.write_text("[budget]\ndaily_limit_cents = 5\n")
    assert budgetd(home.path, "config-check", str(path)).stdout == f"{path}: fine\n"


def test_a_change_that_needs_a_restart_says_so(home: Home) -> None:
    home.start()
    text = home.places.config.read_text()
    home.places.config.write_text(text.replace("127.0.0.1:0", "127.0.0.1:8799") + '[ledger]\npath = "/x"\n')
    told = home.wait_for(lambda state: state.daemon.config_error).daemon.config_error
    assert told == (
        f"{home.places.config}: `proxy.listen` and `ledger.path` take effect when budgetd is started again."
    )
    home.places.config.write_text(text)
    home.wait_for(lambda state: not state.daemon.config_error)


def test_a_bad_budget_while_running_leaves_the_last_good_one_in_force(
    background: Background, upstream: Keeping
) -> None:
    def config_error(state: Snapshot) -> str:
        return state.daemon.config_error

    with Home({"anthropic": upstream.url}, budget="[budget]\ndaily_limit_cents = 0\n").running() as home:
        home.places.budget.write_text("[budget]\ndaily_limit = 500\n")
        state = home.wait_for(config_error)
        assert config_error(state).startswith(f"{home.places.budget}, line 2: `budget.daily_limit`")
        assert state.limits[0].limit_nusd == 0
        assert background.run(ask(home, 10)).status == 402
        home.places.budget.write_text("[budget]\ndaily_limit_cents = 500\n")
        state = home.wait_for(lambda state: not config_error(state))
        assert state.limits[0].limit_nusd == 5_000_000_000
        assert background.run(ask(home, 10)).status == 200


# what stands in the way


def test_a_port_that_is_taken(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        home.places.config.write_text(f'[proxy]\nlisten = "127.0.0.1:{port}"\n')
        said = complaint(home)
    assert said.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert "[proxy] listen" in said
    assert not home.places.socket.exists()


def test_another_daemon_in_the_same_home(home: Home) -> None:
    home.start()
    pid = home.process.pid if home.process else 0
    assert f"(process {pid})" in complaint(home)
    assert home.state().daemon.listen == home.address


def test_another_daemon_with_another_ledger_but_the_same_socket(home: Home) -> None:
    home.start()
    with home.places.config.open("a") as config:
        config.write(f'\n[ledger]\npath = "{home.path}/other.db"\n')
    assert "Another budgetd is running" in complaint(home)
    assert home.state().daemon.listen == home.address


def test_a_socket_that_a_killed_daemon_left_behind(home: Home) -> None:
    home.start()
    home.kill()
    assert home.places.socket.exists()
    home.start()
    assert home.state().daemon.listen == home.address


def test_a_file_where_the_socket_should_be(home: Home) -> None:
    home.places.socket.parent.mkdir(mode=0o700)
    home.places.socket.write_text("mine")
    assert f"{home.places.socket} is not a socket" in complaint(home)
    assert home.places.socket.read_text() == "mine"


def test_a_home_that_is_a_file(home: Home) -> None:
    for path in home.path.iterdir():
        path.unlink()
    home.path.rmdir()
    home.path.write_text("mine")
    assert str(home.path) in complaint(home)
    assert str(home.path) in complaint(home, "start")
    assert home.path.read_text() == "mine"
    home.path.unlink()
    home.path.mkdir()


@pytest.mark.parametrize("place", ["file/ledger.db", "file"])
def test_a_ledger_that_cannot_be(home: Home, place: str) -> None:
    (home.path / "file").write_text("not a database, " * 100)
    with home.places.config.open("a") as config:
        config.write(f'\n[ledger]\npath = "{home.path}/{place}"\n')
    said = complaint(home)
    assert str(home.path / "file") in said
    assert (home.path / "file").read_text() == "not a database, " * 100


# a full disk


@contextmanager
def no_room(pid: int = 0, limit: int = 0) -> Generator[None]:
    """No file of the process (this one and its children, if none is named) can grow past the limit."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


needs_prlimit = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a running process")


@needs_prlimit
@pytest.mark.parametrize("room", [0, 4096, 30_000])
def test_a_disk_too_full_to_start(home: Home, room: int) -> None:
    with no_room(limit=room):
        said = complaint(home)
    assert str(home.path) in said
    home.start()


@needs_prlimit
def test_a_disk_that_runs_full_and_empties(
    background: Background, upstream: Keeping, provider: Provider
) -> None:
    budget = "[budget]\ndaily_limit_cents = 500\n"
    with Home({"anthropic": upstream.url}, budget=budget).running() as home:
        assert home.process is not None
        background.run(provider.hold())
        in_flight = background.run(begin(home, 100, "early"))
        background.run(provider.has_begun(1))
        with no_room(home.process.pid):
            background.run(provider.release())
            assert background.run(end(in_flight)).status == 200
            refused = background.run(ask(home, 100, "refused"))
            assert refused.status == 402  # for agents repeat a 503 again and again
            assert "could not be recorded" in error_of(refused)
            assert home.wait_for(lambda state: state.daemon.ledger_error)
        home.wait_for(lambda state: not state.daemon.ledger_error)
        assert background.run(ask(home, 100, "later")).status == 200
        assert [mark for mark, _ in provider.bill] == ["early", "later"]
        rows = {row["session"]: row for row in home.rows()}
        assert rows.keys() == {"early", "later"}
        assert {row["outcome"] for row in rows.values()} == {"ok"}
        assert home.spent() == sum(row["cost_nusd"] for row in rows.values())
        assert home.state().limits[0].reserved_nusd == 0


@needs_prlimit
def test_what_a_full_disk_kept_from_being_settled_is_recovered(
    background: Background, upstream: Keeping, provider: Provider
) -> None:
    budget = "[budget]\ndaily_limit_cents = 500\n"
    with Home({"anthropic": upstream.url}, budget=budget).running() as home:
        assert home.process is not None
        background.run(provider.hold())
        in_flight = background.run(begin(home, 100, "early"))
        background.run(provider.has_begun(1))
        with no_room(home.process.pid):
            background.run(provider.release())
            assert background.run(end(in_flight)).status == 200
            assert home.stop() == 1
        home.start()
        (row,) = home.rows()
        assert (row["session"], row["outcome"]) == ("early", "recovered")
        assert home.spent() == row["cost_nusd"] > 0
