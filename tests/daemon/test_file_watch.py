"""A change of a file is taken up once it is still."""

from pathlib import Path

from budgetd.file_watch import FileWatch


def test_a_change_is_seen_at_the_second_look_that_finds_it_alike(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text("whole")
    watch = FileWatch(path, tmp_path / "absent")
    assert not watch.look()
    path.write_text("")
    assert not watch.look()
    path.write_text("half")
    assert not watch.look()
    assert watch.look()
    assert watch.look()  # until it is accepted
    watch.accept()
    assert not watch.look()


def test_what_is_as_it_was_again_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    watch = FileWatch(path)
    path.write_text("for a moment")
    assert not watch.look()
    path.unlink()
    assert [watch.look() for _ in range(3)] == [False] * 3


def test_a_change_after_the_look_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    watch = FileWatch(path)
    assert watch.are_still()
    path.write_text("more")
    assert not watch.are_still()


def test_permissions_are_a_change(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_text("whole")
    watch = FileWatch(path)
    path.chmod(0)
    assert [watch.look(), watch.look()] == [False, True]
