import json
from pathlib import Path

import pytest

from budgetd.budget_file import BudgetFile, EditRefusedError
from budgetd.errors import ConfigError
from budgetwire.money import NUSD_PER_CENT

GOOD = """\
{
    "users": {"al": {"monthly_limit_cents": 9}},
    "budget": {
        "daily_limit_cents": 1000,
        "alert_threshold_pct": 80
    },
    "limits": [
        {
            "name": "opus",
            "window": "day",
            "limit_cents": 500,
            "match": {"model": "claude-opus-*"}
        },
        {
            "name": "näher",
            "window": "5h",
            "limit_cents": 7
        }
    ]
}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "budget.json"


def loaded(path: Path, text: str = GOOD) -> BudgetFile:
    path.write_text(text)
    file = BudgetFile(path.with_suffix(".toml"))
    file.load()
    return file


def test_a_budget_is_read_from_json_with_the_same_keys(path: Path) -> None:
    path.write_text(GOOD)
    limits = {limit.name: limit for limit in BudgetFile(path.with_suffix(".toml")).load().limits}
    assert [*limits] == ["daily", "al monthly", "opus", "näher"]
    assert limits["opus"].match == (("model", ("claude-opus-*",)),)
    assert limits["näher"].limit_nusd == 7 * NUSD_PER_CENT


def test_json_and_toml_together_are_an_error_that_names_both(path: Path) -> None:
    file = loaded(path)
    file.candidates[0].write_text("[budget]\n")
    with pytest.raises(ConfigError) as caught:
        file.load()
    assert f"{path.with_suffix('.toml')} and {path} are both there" in str(caught.value)
    with pytest.raises(EditRefusedError, match="both there"):
        file.set_limit("daily", 5)
    assert path.read_text() == GOOD


def test_a_toml_file_that_is_a_dangling_link_counts_as_there(path: Path) -> None:
    file = loaded(path)
    file.candidates[0].symlink_to("nowhere")
    with pytest.raises(ConfigError, match="both there"):
        file.load()


def test_an_edit_keeps_the_order_of_keys_and_the_indentation(path: Path) -> None:
    file = loaded(path, json.dumps(json.loads(GOOD), indent="\t", ensure_ascii=False))
    before = path.read_text()
    assert "näher" in before
    file.set_limit("opus", 12)
    file.set_limit("daily", 34)
    after = before.replace('"limit_cents": 500', '"limit_cents": 12').replace("1000", "34")
    assert path.read_text() == after


def test_limits_are_added_and_removed_in_json(path: Path) -> None:
    file = loaded(path)
    table = file.table("opus")
    assert table is not None
    file.set_limit("opus", None)
    file.set_limit("al monthly", None)
    file.set_limit("monthly", 5)
    left = json.loads(path.read_text())
    assert [limit["name"] for limit in left["limits"]] == ["näher"]
    assert left["budget"] == {"daily_limit_cents": 1000, "alert_threshold_pct": 80, "monthly_limit_cents": 5}
    assert file.add_limit(table).limits[-1].name == "opus"


def test_json_in_one_line_stays_in_one_line(path: Path) -> None:
    file = loaded(path, '{"budget": {"daily_limit_cents": 1}}')
    file.set_limit("daily", 2)
    assert path.read_text() == '{"budget": {"daily_limit_cents": 2}}'


def test_where_json_went_and_toml_came_an_edit_is_refused_until_that_is_in_force(path: Path) -> None:
    file = loaded(path)
    path.unlink()
    file.candidates[0].write_text("[budget]\ndaily_limit_cents = 3\n")
    with pytest.raises(EditRefusedError) as caught:
        file.set_limit("daily", 5)
    assert caught.value.code == "conflict"
    assert file.load().limits[0].limit_nusd == 3 * NUSD_PER_CENT
    assert file.set_limit("daily", 5).limits[0].limit_nusd == 5 * NUSD_PER_CENT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", ": must be an object, like"),
        ('{"budget": {"daily_limit_cents": 1,}}', ", line 1: not valid JSON: "),
        ('{\n"budget": {\n"x" 1}}', ", line 3: not valid JSON: expecting ':' delimiter (column 5)."),
        (
            GOOD.replace("daily_limit_cents", "daily_limit_cent"),
            ", line 4: `budget.daily_limit_cent`: unknown key; did you mean `daily_limit_cents`?",
        ),
        (GOOD.replace("1000", "-1"), ", line 4: `budget.daily_limit_cents`: expected a whole number"),
        (GOOD.replace("1000", '"5"'), "expected a whole number, got text in quotes."),
        (GOOD.replace('"5h"', '"5x"'), ", line 16: `limits.window`: limit 'näher': "),
        (GOOD.replace('            "window": "5h",\n', ""), ", line 14: `limits`: needs a `window`."),
        (GOOD.replace("monthly", "yearly"), ", line 2: `users.al.yearly_limit_cents`: unknown key"),
        (
            GOOD.replace("80\n", '80,\n        "daily_limit_cents": 5\n'),
            ", line 6: `budget.daily_limit_cents`: is",
        ),
        (GOOD.replace("1000", "NaN"), ": not valid JSON: "),
        (GOOD.replace("1000", "1" * 5000), ": not valid JSON: "),
        ("[" * 100_000, ": not valid JSON: "),
        (GOOD.replace("80", "null"), ", line 5: `budget.alert_threshold_pct`: expected "),
    ],
)
def test_an_error_names_file_line_and_key(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        BudgetFile(path.with_suffix(".toml")).load()
    assert str(caught.value).startswith(f"{path}")
    assert message in str(caught.value)


def test_an_empty_file_has_no_limit(path: Path) -> None:
    path.write_text("\n")
    assert BudgetFile(path.with_suffix(".toml")).load().limits == ()
