"""The folder of fetched prices: what is in force, what was before, and what a kill leaves."""

import random
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from budgetd.pricing.compile import shipped
from budgetd.pricing.sync import shelf as shelves
from budgetd.pricing.sync.errors import SyncError
from budgetd.pricing.sync.shelf import Shelf, Source, age_days
from budgetd.pricing.table import Sheet
from pricing.sheets import listing, model, sheet

NEVER = 4_000_000_000
"""A time after that of any shipped prices."""


def edition(dollars: float, *, as_of: int = NEVER) -> Sheet:
    return sheet(model("a", listing(dollars, dollars)), as_of=as_of)


def put(shelf: Shelf, one: Sheet, now: float, source: Source = "genai", etag: str = "") -> bool:
    return shelf.put(source, one, over=shelf.sheet(source), host="https://prices.example", etag=etag, now=now)


def in_force(shelf: Shelf, source: Source = "genai") -> Sheet | None:
    table = shelf.table(source)
    return table.sheet() if table else None


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "prices")


def test_without_an_edition_the_shipped_prices_are_in_force(shelf: Shelf) -> None:
    assert in_force(shelf) is None
    assert shelf.sources().primary.name == shipped().name
    assert shelf.sources().second is None


def test_the_younger_of_the_fetched_and_the_shipped_prices_count(shelf: Shelf) -> None:
    put(shelf, edition(1), 1)
    put(shelf, edition(2), 1, "litellm")
    assert shelf.sources().primary.name == "genai-prices v"
    assert shelf.sources().second
    put(shelf, edition(1, as_of=1), 2)
    assert shelf.sources().primary.name == shipped().name


def test_the_files_are_for_their_owner_alone(shelf: Shelf, tmp_path: Path) -> None:
    put(shelf, edition(1), 1)
    put(shelf, edition(2), 2)
    assert stat.S_IMODE((tmp_path / "prices").stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "prices").glob("*.*")}
    assert modes == dict.fromkeys(("genai.table", "previous-genai.table", "record.json"), 0o600)


def test_rolling_back_swaps_the_last_two_editions(shelf: Shelf) -> None:
    put(shelf, edition(1), 1, etag="one")
    put(shelf, edition(2), 2, etag="two")
    assert shelf.roll_back(3) == ["genai"]
    assert in_force(shelf) == edition(1)
    assert shelf.origin("genai").etag == "one"
    assert shelf.roll_back(4) == ["genai"]
    assert in_force(shelf) == edition(2)
    assert shelf.origin("genai").etag == "two"


def test_rolling_back_the_first_edition_leads_to_the_shipped_prices_and_forward_again(shelf: Shelf) -> None:
    put(shelf, edition(1), 1)
    shelf.roll_back(2)
    assert in_force(shelf) is None
    assert shelf.origin("genai") is None
    shelf.roll_back(3)
    assert in_force(shelf) == edition(1)


def test_only_what_changed_last_is_rolled_back(shelf: Shelf) -> None:
    put(shelf, edition(1), 1)
    put(shelf, edition(1), 1, "litellm")
    put(shelf, edition(2), 2)
    assert shelf.roll_back(3) == ["genai"]
    put(shelf, edition(3), 4)
    put(shelf, edition(3), 4, "litellm")
    assert shelf.roll_back(5) == ["genai", "litellm"]
    assert in_force(shelf, "litellm") == edition(1)


def test_nothing_can_be_rolled_back_before_the_first_sync(shelf: Shelf) -> None:
    with pytest.raises(SyncError, match="nothing to go back to"):
        shelf.roll_back(1)


def test_an_edition_that_is_still_right_becomes_younger_and_nothing_else(shelf: Shelf) -> None:
    put(shelf, edition(1), 1)
    put(shelf, edition(2), 2, etag="two")
    shelf.confirm("genai", NEVER + 20)
    assert in_force(shelf) == edition(2, as_of=NEVER + 20)
    assert shelf.origin("genai").etag == "two"
    assert put(shelf, edition(2, as_of=7), NEVER + 30, etag="three") is False
    assert in_force(shelf) == edition(2, as_of=NEVER + 30)
    assert shelf.origin("genai").etag == "three"
    shelf.roll_back(30)
    assert in_force(shelf) == edition(1)


def test_an_edition_older_than_the_shipped_prices_is_not_confirmed_into_force(shelf: Shelf) -> None:
    put(shelf, edition(1, as_of=1), 1, etag="one")
    assert shelf.origin("genai") is None, "its etag must not be asked by"
    shelf.confirm("genai", NEVER)
    assert in_force(shelf) is None


def test_what_was_compared_with_other_prices_than_those_in_force_is_not_put(shelf: Shelf) -> None:
    put(shelf, edition(1), 1)
    compared_with = shelf.sheet("genai")
    put(shelf, edition(2), 2)
    with pytest.raises(SyncError, match="Other prices came in force meanwhile"):
        shelf.put("genai", edition(3), over=compared_with, host="", etag="", now=3)
    assert in_force(shelf) == edition(2)
    shelf.roll_back(4)
    assert in_force(shelf) == edition(1)


def test_an_edition_that_would_fill_the_memory_is_not_put(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "MOST_BYTES", 100)
    with pytest.raises(SyncError, match="which is no price list"):
        put(shelf, edition(1), 1)
    assert in_force(shelf) is None


def test_what_was_rolled_back_is_known_until_it_is_taken_back_or_synced_again(shelf: Shelf) -> None:
    put(shelf, edition(1), 1)
    put(shelf, edition(1), 1, "litellm")
    put(shelf, edition(2), 2)
    for then in (True, False, True):
        assert shelf.rolled_back("genai") is not then
        shelf.roll_back(3)
        assert shelf.rolled_back("genai") is then
    put(shelf, edition(1), 4)
    assert not shelf.rolled_back("genai")
    put(shelf, edition(2), 5)
    shelf.roll_back(6)
    put(shelf, edition(3), 7)
    assert not shelf.rolled_back("genai")
    put(shelf, edition(2), 8)
    shelf.roll_back(9)
    shelf.confirm("genai", NEVER + 10)
    assert not shelf.rolled_back("genai")
    assert not shelf.rolled_back("litellm")


def test_the_stamp_tells_a_change(shelf: Shelf) -> None:
    stamps = [shelf.stamp()]
    put(shelf, edition(1), 1)
    stamps.append(shelf.stamp())
    assert shelf.stamp() == stamps[-1]
    shelf.roll_back(2)
    assert shelf.stamp() not in stamps[1:]


def test_a_damaged_edition_counts_as_none(shelf: Shelf, tmp_path: Path) -> None:
    put(shelf, edition(1), 1, etag="one")
    path = tmp_path / "prices" / "genai.table"
    path.write_bytes(path.read_bytes()[:-1])
    assert in_force(shelf) is None
    assert shelf.sources().primary.name == shipped().name


def test_an_edition_put_there_by_hand_has_no_origin(shelf: Shelf, tmp_path: Path) -> None:
    put(shelf, edition(1), 1, etag="one")
    (tmp_path / "prices" / "genai.table").write_bytes(edition(2).encode())
    assert shelf.origin("genai") is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "prices").write_text("a file")
    with pytest.raises(SyncError, match="cannot be written"):
        put(Shelf(tmp_path / "prices"), edition(1), 1)


def test_age_is_told_in_whole_days() -> None:
    assert [age_days(0, now) for now in (0, 86_399, 86_400, 30 * 86_400)] == [0, 0, 1, 30]
    assert age_days(100, 0) == 0


ENDLESS = """
import sys
from pathlib import Path
from budgetd.pricing.sync.shelf import Shelf
from budgetd.pricing.table import Table
shelf = Shelf(Path(sys.argv[1]))
sheets = [Table(Path(name).read_bytes()).sheet() for name in sys.argv[2:]]
print("ready", flush=True)
while True:
    for number, sheet in enumerate(sheets):
        over = shelf.sheet("genai")
        shelf.put("genai", sheet, over=over, host="https://x.example", etag=str(number), now=4_000_000_000)
    shelf.roll_back(9)
"""


def test_a_kill_at_any_moment_leaves_the_one_edition_or_the_other(shelf: Shelf, tmp_path: Path) -> None:
    editions = [edition(1), edition(2)]
    files = [tmp_path / "one", tmp_path / "two"]
    for file, one in zip(files, editions, strict=True):
        file.write_bytes(one.encode())
    put(shelf, editions[0], NEVER, etag="0")
    for round in range(12):
        command = [sys.executable, "-c", ENDLESS, str(tmp_path / "prices"), *map(str, files)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            time.sleep(random.Random(round).uniform(0, 0.03))  # the moment of the kill, any one
            process.kill()
        assert in_force(shelf) in editions
        origin = shelf.origin("genai")
        assert origin is None or editions[int(origin.etag)] == in_force(shelf)
        put(shelf, editions[0], NEVER, etag="0")
        assert in_force(shelf) == editions[0]
        assert not list((tmp_path / "prices").glob(".new-*"))
