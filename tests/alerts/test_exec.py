import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from budgetd.alerts.channels.channel import Delivered, Failed, Message, Retry
from budgetd.alerts.channels.exec import Exec

MESSAGE = Message("msg_1", '{"text": "dépassé ▲; $(touch /tmp/never)"}')
NOW = 1_795_435_200.0


def python(code: str, *arguments: str, timeout_seconds: float = 20) -> Exec:
    return Exec([sys.executable, "-c", code, *arguments], timeout_seconds)


async def test_the_message_is_on_standard_input(tmp_path: Path) -> None:
    there = tmp_path / "message"
    channel = python(
        "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())", str(there)
    )
    assert await channel.deliver(MESSAGE, NOW) == Delivered("exit code 0")
    assert there.read_bytes() == MESSAGE.body.encode()


async def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    there = tmp_path / "$(echo never) ; *"
    assert await Exec(["touch", str(there)], 20).deliver(MESSAGE, NOW) == Delivered("exit code 0")
    assert [*tmp_path.iterdir()] == [there]


async def test_a_program_that_fails_is_tried_again_and_its_last_words_are_told() -> None:
    code = "import sys; sys.stderr.write('first\\nno \\x1b[31mroute\\n\\n'); sys.exit(7)"
    assert await python(code).deliver(MESSAGE, NOW) == Retry("exit code 7: no [31mroute")


async def test_a_program_that_says_nothing_is_told_by_its_exit_code() -> None:
    assert await Exec(["false"], 20).deliver(MESSAGE, NOW) == Retry("exit code 1")
    code = "import os; os.kill(os.getpid(), 11)"
    assert await python(code).deliver(MESSAGE, NOW) == Retry("killed by signal 11")


async def test_arguments_are_not_told_for_they_may_be_secret() -> None:
    code = "import sys; sys.exit(' '.join(sys.argv[1:]) + ' /hook/T0KEN-9')"
    channel = python(code, "--key=s3cr3t-1", "https://example.com/hook/T0KEN-9")
    assert channel.target == Path(sys.executable).name
    verdict = await channel.deliver(MESSAGE, NOW)
    assert isinstance(verdict, Retry)
    assert "s3cr3t" not in verdict.reason
    assert "T0KEN" not in verdict.reason


async def test_a_program_that_is_just_being_written_is_tried_again(tmp_path: Path) -> None:
    program = tmp_path / "program"
    with program.open("w") as file:
        program.chmod(0o700)
        verdict = await Exec([str(program)], 20).deliver(MESSAGE, NOW)
        file.write("#!/bin/sh\n")
    assert verdict == Retry("program cannot be run: text file busy")
    assert await Exec([str(program)], 20).deliver(MESSAGE, NOW) == Delivered("exit code 0")


async def test_a_missing_program_is_told_and_not_tried_again(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert await Exec([str(missing)], 20).deliver(MESSAGE, NOW) == Failed(
        "missing cannot be run: no such file or directory"
    )
    assert await Exec([str(tmp_path)], 20).deliver(MESSAGE, NOW) == Failed(
        f"{tmp_path.name} cannot be run: permission denied"
    )


async def test_a_program_that_reads_nothing_has_done_its_work() -> None:
    long = Message("msg_1", "x" * 10**6)
    assert await Exec(["true"], 20).deliver(long, NOW) == Delivered("exit code 0")


async def test_a_program_that_floods_its_standard_error_is_not_kept_waiting() -> None:
    code = "import sys; sys.stderr.write('x' * 10**7 + '\\nthe end'); sys.exit(3)"
    assert await python(code).deliver(MESSAGE, NOW) == Retry("exit code 3: the end")


async def test_what_a_program_leaves_running_is_not_waited_for() -> None:
    """It inherits standard error, as `notify-send &` in a script does."""
    code = "import subprocess, sys; subprocess.Popen(['sleep', '60']); sys.stderr.write('left'); sys.exit(4)"
    assert await python(code).deliver(MESSAGE, NOW) == Retry("exit code 4: left")


async def test_time_over_kills_a_program_and_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    channel = python(_FAMILY, str(pids), timeout_seconds=1.5)
    verdict = await channel.deliver(MESSAGE, NOW)
    assert verdict == Retry(f"{channel.target} did not end within 1.5 s, and was killed")
    await _gone(pids)


async def test_a_cancelled_attempt_kills_them_too(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    attempt = asyncio.create_task(python(_FAMILY, str(pids)).deliver(MESSAGE, NOW))
    while not (pids.exists() and pids.read_text().endswith("\n")):
        await asyncio.sleep(0.005)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    await _gone(pids)


async def test_attempts_leave_no_open_files() -> None:
    await Exec(["true"], 20).deliver(MESSAGE, NOW)
    before = _open_files()
    for command in (["true"], ["false"], ["/missing"]):
        await Exec(command, 20).deliver(MESSAGE, NOW)
    assert _open_files() == before


def test_uvloop_runs_programs_as_well(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_the_message_is_on_standard_input(tmp_path))
        runner.run(test_a_missing_program_is_told_and_not_tried_again(tmp_path))
        runner.run(test_a_program_that_reads_nothing_has_done_its_work())
        runner.run(test_a_program_that_floods_its_standard_error_is_not_kept_waiting())
        runner.run(test_what_a_program_leaves_running_is_not_waited_for())
        runner.run(test_time_over_kills_a_program_and_all_it_started(tmp_path))


def _open_files() -> int:
    return psutil.Process().num_fds()


_FAMILY = """
import os, pathlib, subprocess, sys, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}\\n")
time.sleep(600)
"""


async def _gone(pids: Path) -> None:
    """Wait until none of them runs any more; nobody may have taken the exit code of a child's child yet."""
    async with asyncio.timeout(10):
        for pid in map(int, pids.read_text().split()):
            while _runs(pid):
                await asyncio.sleep(0.005)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
