"""Where the files are."""

import os
import socket
from pathlib import Path

from budgetwire.places import MAX_SOCKET_BYTES, find_places


def test_a_home_of_its_own_holds_everything(tmp_path):
    places = find_places({"BUDGETD_HOME": str(tmp_path)})
    assert places.config == tmp_path / "config.toml"
    assert places.budget == tmp_path / "budget.toml"
    for path in (places.ledger, places.log, places.socket):
        assert path.is_relative_to(tmp_path)
    assert places.socket.parent != tmp_path
    assert list(tmp_path.iterdir()) == []


def test_without_one_the_places_are_this_users():
    for environ in ({}, {"BUDGETD_HOME": ""}):
        places = find_places(environ)
        assert all(path.is_absolute() for path in (places.config, places.ledger, places.log, places.socket))
        assert places.config.parent == places.budget.parent
    assert find_places({}) == find_places({"HOME": "elsewhere"})


def test_a_relative_home_means_the_same_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_places({"BUDGETD_HOME": "here"}).config == tmp_path / "here" / "config.toml"
    assert find_places({"BUDGETD_HOME": "."}).config == tmp_path / "config.toml"


def test_a_home_may_be_written_with_a_tilde():
    assert find_places({"BUDGETD_HOME": "~/budget"}).config == Path.home() / "budget" / "config.toml"


def test_a_home_too_long_for_a_socket_gets_a_short_folder_of_its_own():
    deep = "/" + "very-long-name/" * 12
    one, again, other = (
        find_places({"BUDGETD_HOME": home}).socket for home in (deep + "a", deep + "a", deep + "b")
    )
    assert one == again != other
    assert one.parent != other.parent
    assert str(os.getuid()) in one.parent.name
    assert len(os.fsencode(one)) <= MAX_SOCKET_BYTES
    assert find_places({"BUDGETD_HOME": deep}).ledger.is_relative_to(deep)


def test_the_longest_path_is_counted_in_bytes():
    home = "/" + "ü" * 45
    assert len(home) < MAX_SOCKET_BYTES
    assert not find_places({"BUDGETD_HOME": home}).socket.is_relative_to(home)


def test_a_socket_of_the_longest_path_can_be_bound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    name = "x" * (MAX_SOCKET_BYTES - len(os.fsencode(folder)) - 1)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / name))
