"""What all tests share: none of them shows notifications on the desktop of whoever runs them, and all can be
interrupted.
"""

import signal
from collections.abc import Iterator

import pytest

# Who is started in the background of a shell ignores it, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def no_desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A daemon finds no session bus. A test that wants one brings its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("no-session")))
        yield
