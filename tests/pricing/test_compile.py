"""The shipped prices: compiled once, kept, seen through when damaged, and never imported by the daemon."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from budgetd.pricing import compile as compiling
from budgetd.pricing.compile import installed, shipped, write
from budgetd.pricing.table import Sheet, Table
from pricing.test_genai import NOW


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for the one beside the code."""
    monkeypatch.setattr(compiling, "_BESIDE", tmp_path / "__pycache__")
    return tmp_path / "__pycache__"


def only(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def knows_prices(table: Table) -> bool:
    return table.find("openai", "gpt-5.4", NOW) is not None


def test_the_first_call_leaves_a_file_and_the_next_reads_it(beside: Path) -> None:
    assert knows_prices(shipped())
    file = only(beside)
    before = file.stat()
    assert file.name.startswith("prices-")
    assert knows_prices(shipped())
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("damage", [b"", b"budgettop prices 1 ", b"\0" * 1000])
def test_a_damaged_file_is_compiled_again(beside: Path, damage: bytes) -> None:
    table = shipped()
    only(beside).write_bytes(damage)
    again = shipped()
    assert knows_prices(again)
    assert again.sheet() == table.sheet()
    assert Table(only(beside).read_bytes())


def test_a_half_written_file_is_compiled_again(beside: Path) -> None:
    shipped()
    whole = only(beside).read_bytes()
    only(beside).write_bytes(whole[: len(whole) // 2])
    assert knows_prices(shipped())
    assert only(beside).read_bytes() == whole


def test_where_the_folder_beside_the_code_cannot_be_made_another_is_used(
    beside: Path, tmp_path: Path
) -> None:
    beside.write_text("a file where the folder should be")
    assert knows_prices(shipped(tmp_path / "cache"))
    file = only(tmp_path / "cache")
    before = file.stat().st_mtime_ns
    assert knows_prices(shipped(tmp_path / "cache"))
    assert file.stat().st_mtime_ns == before


def test_where_nothing_can_be_kept_there_are_prices_all_the_same(beside: Path) -> None:
    beside.write_text("a file where the folder should be")
    assert knows_prices(shipped())


def test_where_no_process_can_be_started_there_are_prices_all_the_same(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert knows_prices(shipped())


def test_the_file_in_use_is_what_would_be_compiled_now() -> None:
    """Fails where what makes a table changed and FORMAT did not."""
    assert shipped().sheet().providers == installed().providers


def test_a_write_that_fails_leaves_the_old_file_and_no_scrap(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "kept").write_text("inside")
    with pytest.raises(OSError, match="irectory"):
        write(b"new", folder)
    assert os.listdir(tmp_path) == ["folder"]  # noqa: PTH208 - the names, scraps included


def test_a_table_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "budgetd.pricing.compile", str(tmp_path / "no" / "folder")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_pricing_a_call_imports_no_genai_prices() -> None:
    shipped()
    script = (
        "import sys\n"
        "from budgetd.pricing.book import load_book\n"
        "book = load_book()\n"
        "assert 'budgetd.pricing.compile' not in sys.modules\n"
        f"assert book.price('openai', 'gpt-5.4', {NOW})\n"
        "assert 'budgetd.pricing.compile' in sys.modules\n"
        "assert 'genai_prices' not in sys.modules and 'pydantic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_sheet_without_anything_is_a_table_without_anything() -> None:
    empty = Table(Sheet(source="none", version="0", as_of=0).encode())
    assert empty.find("openai", "gpt-5", NOW) is None
    assert empty.listed("", NOW) == []
