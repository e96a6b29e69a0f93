"""The socket in the file system: private, owned by one daemon, and gone when it is."""

import multiprocessing
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from budgetd.control.doorway import Doorway
from budgetd.control.errors import AlreadyRunning, ControlError
from budgetd.errors import StartError
from control.fakes import serving
from control.raw import HELLO, raw


async def test_the_socket_is_private_in_a_private_folder(path):
    umask = os.umask(0)
    try:
        async with serving(path):
            assert stat.filemode(path.lstat().st_mode) == "srw-------"
            assert stat.filemode(path.parent.lstat().st_mode) == "drwx------"
    finally:
        os.umask(umask)


async def test_a_stop_removes_the_socket_and_the_next_start_works(path):
    async with serving(path):
        assert path.exists()
    assert not path.exists()
    async with serving(path), raw(path, HELLO) as client:
        assert (await client.read())["type"] == "welcome"


async def test_a_second_server_is_refused_and_the_first_goes_on(path):
    async with serving(path):
        with pytest.raises(AlreadyRunning, match="Another budgetd is running"):
            async with serving(path):
                pass
        async with raw(path, HELLO) as client:
            assert (await client.read())["type"] == "welcome"


def _serve_until_killed(path: Path, ready) -> None:
    door = Doorway(path)
    ready.set()
    signal.pause()
    door.close()


async def test_a_killed_daemon_leaves_a_socket_that_the_next_one_replaces(path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    daemon = context.Process(target=_serve_until_killed, args=(path, ready))
    daemon.start()
    assert ready.wait(20)
    with pytest.raises(AlreadyRunning):
        Doorway(path)
    daemon.kill()
    daemon.join()
    assert path.is_socket()
    async with serving(path), raw(path, HELLO) as client:
        assert (await client.read())["type"] == "welcome"


def test_a_living_socket_is_not_taken_even_without_its_lock(path):
    first = Doorway(path)
    path.with_name(path.name + ".lock").unlink()
    with pytest.raises(AlreadyRunning):
        Doorway(path)
    assert path.is_socket()
    first.close()


def test_a_socket_that_is_another_ones_by_now_is_left_alone(path):
    first = Doorway(path)
    path.unlink()
    other = socket.socket(socket.AF_UNIX)
    other.bind(str(path))
    first.close()
    assert path.is_socket()
    other.close()


def test_a_file_in_the_way_is_not_removed(path):
    path.parent.mkdir(mode=0o700)
    path.write_text("precious")
    for _ in range(2):  # the lock was given back
        with pytest.raises(ControlError, match="is not a socket"):
            Doorway(path)
    assert path.read_text() == "precious"


def test_a_folder_open_to_others_is_refused_with_what_to_do(path):
    path.parent.mkdir()
    path.parent.chmod(0o755)
    with pytest.raises(ControlError, match="chmod 700"):
        Doorway(path)


def test_a_folder_of_another_user_is_refused(path, monkeypatch):
    path.parent.mkdir(mode=0o700)
    monkeypatch.setattr("budgetd.control.doorway.os.getuid", lambda: 4242)
    with pytest.raises(ControlError, match="belongs to another user"):
        Doorway(path)


def test_a_folder_that_cannot_be_made_is_told(path):
    path.parent.write_text("a file")
    with pytest.raises(ControlError, match="of no use"):
        Doorway(path)


def test_a_path_too_long_for_a_socket_is_told(path):
    with pytest.raises(ControlError, match="cannot be opened"):
        Doorway(path.parent / ("x" * 120))


def test_these_errors_stop_a_start():
    assert issubclass(AlreadyRunning, StartError)
