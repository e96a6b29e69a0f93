"""What `make` does before there is an environment: find a Python that is new enough, or say so."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"
OLD = '#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.18\nexit 1\n'
NEW = "#!/bin/sh\nexit 0\n"
NOT_INSTALLED = "#!/bin/sh\necho 'not found' >&2\nexit 127\n"


def make(folder: Path, **pythons: str) -> subprocess.CompletedProcess[str]:
    """Ask what `make run` would do where only these Pythons are on the PATH."""
    program = shutil.which("make")
    if program is None:
        pytest.skip("needs make")
    shutil.copy(MAKEFILE, folder)
    (folder / "pyproject.toml").touch()
    for name, script in pythons.items():
        path = folder / "bin" / name.replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)
    command = [program, "--dry-run", "run"]
    return subprocess.run(
        command, cwd=folder, env={"PATH": str(folder / "bin")}, capture_output=True, text=True, check=False
    )


def test_a_python_that_is_too_old_is_told_in_one_line(tmp_path: Path) -> None:
    done = make(tmp_path, python3=OLD, python3_12=NOT_INSTALLED)
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "budgettop needs Python 3.11 or later, and Python 3.9.18 is what is here" in line


def test_no_python_at_all_is_told_in_one_line(tmp_path: Path) -> None:
    (line,) = make(tmp_path).stderr.splitlines()
    assert "budgettop needs Python 3.11 or later, and no python3 is what is here" in line


@pytest.mark.parametrize(
    ("pythons", "used"),
    [
        ({"python3": NEW, "python3_13": NEW}, "python3"),
        ({"python3": OLD, "python3_13": NOT_INSTALLED, "python3_12": NEW, "python3_11": NEW}, "python3.12"),
        ({"python3_11": NEW}, "python3.11"),
    ],
)
def test_a_newer_python_beside_an_old_one_is_used(tmp_path: Path, pythons: dict[str, str], used: str) -> None:
    done = make(tmp_path, **pythons)
    assert done.returncode == 0, done.stderr
    assert f"\n{used} -m venv .venv\n" in done.stdout


def test_this_python_is_new_enough() -> None:
    check = MAKEFILE.read_text().partition("NEW_ENOUGH := -c '")[2].partition("'")[0]
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
