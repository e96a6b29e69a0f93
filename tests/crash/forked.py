"""budgetd processes that start at once: forked from one that has read the program and the prices already.

What runs in them is `budgetd serve`, from its command line on, with signals, files and sockets of its own.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import IO

from e2e.running import Home, environment

WAIT_SECONDS = 30.0


class Forks:
    """The process that forks the others."""

    def __init__(self) -> None:
        """It is ready with the first fork."""
        self._lock = threading.Lock()
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "crash.forked"]
        self._process = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def serve(self, home: Home) -> "Forked":
        """Start budgetd in a home; it is not up yet."""
        order = {"environ": environment(home.path), "log": str(home.places.log), "stderr": home.stderr}
        orders, pids = self._process.stdin, self._process.stdout
        assert orders is not None
        assert pids is not None
        with self._lock:
            orders.write(json.dumps(order) + "\n")
            orders.flush()
            return Forked(int(pids.readline()))

    def close(self) -> None:
        self._process.communicate(timeout=WAIT_SECONDS)


class Forked:
    """A process that another one forked, which also takes its exit code."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout or WAIT_SECONDS)
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} does not end")
            time.sleep(0.002)
        return 0

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def until(condition: Callable[[], object]) -> None:
    """Wait until this is true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.002)


class ForkedHome(Home):
    """A home whose daemons start at once."""

    def __init__(self, forks: Forks, upstreams: Mapping[str, str], *, budget: str, config: str = "") -> None:
        super().__init__(upstreams, budget=budget, config=config)
        self._forks = forks

    def spawn(self) -> Forked:
        """See `Home`."""
        return self._forks.serve(self)


def fork_for_ever(orders: IO[str]) -> None:
    """Fork a daemon for each order, and say its process id."""
    from budgetd.pricing.book import load_book

    import_module("budgetd.daemon")  # now, and not in every fork
    load_book().warm()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    for line in orders:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _serve(**order)
        print(pid, flush=True)


def _serve(environ: dict[str, str], log: str, stderr: str) -> None:
    """What a fork does."""
    from budgetd.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environ)
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_APPEND | os.O_CREAT), sys.stderr.fileno())
    os.dup2(os.open(os.devnull, os.O_RDWR), sys.stdin.fileno())
    sys.argv = ["budgetd", "serve", "--log-file", log]
    try:
        main()
    except SystemExit:
        pass  # which is how a command ends
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    fork_for_ever(sys.stdin)
