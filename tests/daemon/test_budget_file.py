import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.budget_file import BudgetFile, EditRefusedError
from budgetd.errors import ConfigError
from budgetwire.money import NUSD_PER_CENT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "budget.toml"


def loaded(path: Path, text: str) -> BudgetFile:
    path.write_text(text)
    file = BudgetFile(path)
    file.load()
    return file


def test_the_short_form_is_two_limits(path: Path) -> None:
    path.write_text(
        "[budget]\nenabled = true\ndaily_limit_cents = 1000\nmonthly_limit_cents = 20000\n"
        "alert_threshold_pct = [80, 50]\nreject_on_exceed = false\n"
    )
    daily, monthly = BudgetFile(path).load().limits
    assert (daily.name, daily.window, daily.limit_nusd) == ("daily", "day", 1000 * NUSD_PER_CENT)
    assert (daily.thresholds_pct, daily.on_exceed) == ((50, 80), "alert")
    assert (monthly.name, monthly.window) == ("monthly", "month")


def test_no_file_means_no_limit(path: Path) -> None:
    assert BudgetFile(path).load().limits == ()


def test_a_disabled_budget_has_no_limit(path: Path) -> None:
    path.write_text("[budget]\nenabled = false\ndaily_limit_cents = 5\n")
    assert BudgetFile(path).load().limits == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[budget]\ndaily_limit_cents = -5\n", "line 2: `budget.daily_limit_cents`: expected a whole number"),
        ("[budget]\ndaily_limit_cent = 5\n", "did you mean `daily_limit_cents`?"),
        (
            "[budget]\ndaily_limit_cents = 1.5\n",
            "line 2: `budget.daily_limit_cents`: expected a whole number",
        ),
        ("[budgets]\n", "line 1: `budgets`: unknown key; did you mean `budget`?"),
        ("[budget]\nalert_threshold_pct = 0\n", "line 2: `budget.alert_threshold_pct`"),
        ("[budget]\nalert_threshold_pct = [50, -1]\n", "line 2: `budget.alert_threshold_pct`"),
        ("[budget]\ndaily_limit_cents = 1\ndaily_limit_cents = 2\n", "line 3: not valid TOML"),
    ],
)
def test_an_error_names_file_line_and_key(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        BudgetFile(path).load()
    assert message in str(caught.value)


def test_an_edit_changes_one_key_and_keeps_the_heading(path: Path) -> None:
    file = loaded(
        path,
        "# Ours, ask Ben.\n# Second line.\n\n[budget]\ndaily_limit_cents = 1\nreject_on_exceed = false\n",
    )
    budget = file.set_limit("daily", 250)
    assert budget.limits[0].limit_nusd == 250 * NUSD_PER_CENT
    text = path.read_text()
    assert text.startswith("# Ours, ask Ben.\n# Second line.\n\n")
    assert tomllib.loads(text) == {"budget": {"daily_limit_cents": 250, "reject_on_exceed": False}}


def test_the_first_edit_makes_the_file(path: Path) -> None:
    file = BudgetFile(path.parent / "deep" / "budget.toml")
    file.load()
    assert file.set_limit("monthly", 5).limits[0].name == "monthly"
    assert file.path.read_text().startswith("# The limits of budgettop.")


def test_a_limit_is_removed_by_setting_none(path: Path) -> None:
    file = loaded(path, "[budget]\ndaily_limit_cents = 1\nmonthly_limit_cents = 9\n")
    assert [limit.name for limit in file.set_limit("daily", None).limits] == ["monthly"]


def test_an_edit_is_refused_if_the_file_changed_meanwhile(path: Path) -> None:
    file = loaded(path, "[budget]\ndaily_limit_cents = 1\n")
    path.write_text("[budget]\ndaily_limit_cents = 7\n")
    with pytest.raises(EditRefusedError) as caught:
        file.set_limit("daily", 3)
    assert caught.value.code == "conflict"
    assert "daily_limit_cents = 7" in path.read_text()


@pytest.mark.parametrize(("name", "cents", "code"), [("weekly", 1, "not_found"), ("daily", -1, "invalid")])
def test_an_edit_that_makes_no_sense_is_refused(path: Path, name: str, cents: int, code: str) -> None:
    file = loaded(path, "[budget]\ndaily_limit_cents = 1\n")
    with pytest.raises(EditRefusedError) as caught:
        file.set_limit(name, cents)
    assert caught.value.code == code
    assert path.read_text() == "[budget]\ndaily_limit_cents = 1\n"


def test_a_file_behind_a_link_is_edited_where_it_lies(tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.toml"
    target.write_text("[budget]\n")
    link = tmp_path / "budget.toml"
    link.symlink_to(target)
    file = BudgetFile(link)
    file.load()
    file.set_limit("daily", 4)
    assert link.is_symlink()
    assert "daily_limit_cents = 4" in target.read_text()


@given(cents=st.integers(0, 10**11))
def test_what_is_set_is_what_is_read(tmp_path_factory, cents: int) -> None:
    file = BudgetFile(tmp_path_factory.mktemp("b") / "budget.toml")
    file.load()
    file.set_limit("daily", cents)
    assert BudgetFile(file.path).load().limits[0].limit_nusd == cents * NUSD_PER_CENT
