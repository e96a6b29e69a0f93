import copy
import difflib
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.toml_edit import EditError, rewrite

Document = dict[str, Any]

TEXT = """\
# my budget, see wiki
[budget]
daily_limit_cents = 1_000   # agreed with Sam
alert_threshold_pct = [
  50,  # half
  80,
]

# opus is dear
[[limits]]   # the first
name = "opus"   # keep an eye on it
window = "day"
limit_cents = 500
match = { model = "claude-opus-*" }

# people
[users.alice]
daily_limit_cents = 300

# and one more
[[limits]]
name = "sonnet"
limit_cents = 900
[limits.match]   # long form
model = "claude-sonnet-*"
# nothing else of sonnet

[users."b.ob"]
monthly_limit_cents = 5 # five
"""


def edited(text: str, change: Callable[[Document], object]) -> str:
    document = tomllib.loads(text)
    change(document)
    return rewrite(text, document)


def difference(before: str, after: str) -> list[str]:
    """The lines that are gone (-) and new (+)."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "-+"]


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda it: None, []),
        (
            lambda it: it["budget"].update(daily_limit_cents=1250),
            [
                "- daily_limit_cents = 1_000   # agreed with Sam",
                "+ daily_limit_cents = 1250   # agreed with Sam",
            ],
        ),
        (lambda it: it["budget"].update(monthly_limit_cents=7), ["+ monthly_limit_cents = 7"]),
        (
            lambda it: it["budget"].pop("daily_limit_cents"),
            ["- daily_limit_cents = 1_000   # agreed with Sam"],
        ),
        (lambda it: it["limits"][0].update(limit_cents=1), ["- limit_cents = 500", "+ limit_cents = 1"]),
        (lambda it: it["limits"][1].update(limit_cents=2), ["- limit_cents = 900", "+ limit_cents = 2"]),
        (
            lambda it: it["limits"][1]["match"].update(model="x"),
            ['- model = "claude-sonnet-*"', '+ model = "x"'],
        ),
        (
            lambda it: it["limits"].pop(0),
            [
                "- [[limits]]   # the first",
                '- name = "opus"   # keep an eye on it',
                '- window = "day"',
                "- limit_cents = 500",
                '- match = { model = "claude-opus-*" }',
            ],
        ),
        (
            lambda it: it["limits"].pop(1),
            [
                "- [[limits]]",
                '- name = "sonnet"',
                "- limit_cents = 900",
                "- [limits.match]   # long form",
                '- model = "claude-sonnet-*"',
            ],
        ),
        (
            lambda it: it["limits"].append({"name": "new", "match": {"user": ["a", "b"]}}),
            ["+ ", "+ [[limits]]", '+ name = "new"', '+ match = {user = ["a", "b"]}'],
        ),
        (lambda it: it["users"]["alice"].update(monthly_limit_cents=4), ["+ monthly_limit_cents = 4"]),
        (
            lambda it: it["users"]["b.ob"].update(monthly_limit_cents=4),
            ["- monthly_limit_cents = 5 # five", "+ monthly_limit_cents = 4 # five"],
        ),
    ],
)
def test_only_the_lines_that_an_edit_is_about_change(
    change: Callable[[Document], object], lines: list[str]
) -> None:
    after = edited(TEXT, change)
    assert [line for line in difference(TEXT, after) if line[0] != "?"] == lines


def test_a_new_key_stands_with_the_others_and_not_behind_the_comment_on_what_follows() -> None:
    after = edited(TEXT, lambda it: it["budget"].update(monthly_limit_cents=7))
    assert "]\nmonthly_limit_cents = 7\n\n# opus is dear\n[[limits]]" in after


def test_a_new_entry_stands_with_the_others() -> None:
    after = edited(TEXT, lambda it: it["limits"].append({"name": "new"}))
    assert '\nmodel = "claude-sonnet-*"\n\n[[limits]]\nname = "new"\n# nothing else of sonnet\n' in after


def test_a_table_that_is_not_there_yet_is_written_at_the_end() -> None:
    for text, after in (
        ("# head", "# head\n\n[budget]\nx = 1\n"),
        ("[users.a]\n", "[users.a]\n\n[budget]\nx = 1\n"),
    ):
        assert edited(text, lambda it: it.update(budget={"x": 1})) == after


def test_the_last_entry_takes_its_key_along() -> None:
    text = "# head\n[[limits]]\nx = 1\n# tail\n"
    assert edited(text, lambda it: it.pop("limits")) == "# head\n# tail\n"


def test_tables_in_one_line_and_dotted_keys_are_edited_where_they_stand() -> None:
    text = (
        "# head\nbudget.x = 1 # one\nusers.al = { y = 2 } # two\n"
        "limits = [\n  { z = 3 }, # three\n  # four\n  { z = 5 },\n]\n"
    )
    assert edited(text, lambda it: it["budget"].update(x=9)) == text.replace("x = 1", "x = 9")
    assert edited(text, lambda it: it["users"]["al"].update(y=9)) == text.replace("y = 2", "y = 9")
    assert edited(text, lambda it: it["limits"][1].update(z=9)) == text.replace("z = 5", "z = 9")
    assert edited(text, lambda it: it["limits"].pop(1)) == text.replace("  { z = 5 },\n", "")


def test_what_cannot_be_edited_in_place_is_refused() -> None:
    text = 'x = """\n[budget]\ny = 1\n"""\n[budget]\ny = 1\n'  # a header inside of a text
    with pytest.raises(EditError):
        edited(text, lambda it: it["budget"].update(y=2))


BUDGET = "[budget]  # b\ndaily_limit_cents = 1 # d\n"
LIMIT = '[[limits]]\nname = "{0}" # {0}\nlimit_cents = 1\n'
NESTED = LIMIT + '[limits.match] # m\nmodel = "{0}"\n'
USER = "[users.{0}]\n  daily_limit_cents = 1  # u\n"


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Tables in any order, with comments and blank lines in front of and behind them."""
    between = st.sampled_from(["", "\n", "# c\n", "\n# c\n\n", "  # c\n# [[limits]]\n\n"])
    kinds = draw(st.lists(st.sampled_from([LIMIT, NESTED, USER]), min_size=1, max_size=6))
    tables = draw(st.permutations([BUDGET, *(kind.format(f"n{n}") for n, kind in enumerate(kinds))]))
    return draw(between) + "".join(table + draw(between) for table in tables)


@st.composite
def changed(draw: st.DrawFn, text: str) -> Document:
    document = copy.deepcopy(tomllib.loads(text))
    limits, users = document.get("limits", []), document.get("users", {})
    places = [document["budget"], *limits, *users.values()]
    match draw(st.sampled_from(["set", "add", "remove key", "remove entry", "add entry"])):
        case "set":
            table = draw(st.sampled_from(places))
            table["limit_cents" if "limit_cents" in table else "daily_limit_cents"] = 7
        case "add":
            draw(st.sampled_from(places))["monthly_limit_cents"] = 7
        case "remove key":
            draw(st.sampled_from([document["budget"], *users.values()])).pop("daily_limit_cents")
        case "remove entry" if limits:
            limits.pop(draw(st.integers(0, len(limits) - 1)))
            if not limits:
                del document["limits"]
        case _:
            document["limits"] = [*limits, {"name": "new", "match": {"model": "m"}}]
    return document


@given(st.data())
def test_whatever_the_layout_comments_stay_and_the_order_too(data: st.DataObject) -> None:
    text = data.draw(texts())
    document = data.draw(changed(text))
    after = rewrite(text, document)
    assert tomllib.loads(after) == document

    def own_lines(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.strip().startswith("#")]

    assert own_lines(after) == own_lines(text)
    gone = [line for line in difference(text, after) if line[0] == "-" and line[1:].strip()]
    assert len(gone) <= 5, "no more than one limit"
