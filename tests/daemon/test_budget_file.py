import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.budget.limits import Limit
from budgetd.budget_file import BudgetFile, EditRefusedError
from budgetd.config import WELL_KNOWN
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


DESIGN_EXAMPLE = """\
[budget]
daily_limit_cents = 1000
alert_threshold_pct = 80
fallback_model_on_exceed = "claude-haiku-4-5"

[[limits]]
name = "opus per project"
window = "day"
limit_cents = 500
match = { model = "claude-opus-*", user = ["alice", "b*"] }
per = "project"
on_exceed = "hold"
hold_seconds = 60
fallback_model = "claude-sonnet-5"
thresholds_pct = [95, 80]
headroom_cents = 25
guarantee = "strict"

[[limits]]
name = "rolling"
window = "5h"
limit_cents = 7

[users.alice]
daily_limit_cents = 300
monthly_limit_cents = 5000
keys = ["k_3f9a0c", "k_000000", "a_5b21e7"]
"""


def test_the_long_form_says_all_of_a_limit(path: Path) -> None:
    path.write_text(DESIGN_EXAMPLE)
    budget = BudgetFile(path).load()
    limits = {limit.name: limit for limit in budget.limits}
    assert limits["opus per project"] == Limit(
        name="opus per project",
        window="day",
        limit_nusd=500 * NUSD_PER_CENT,
        thresholds_pct=(80, 95),
        on_exceed="hold",
        match=(("model", ("claude-opus-*",)), ("user", ("alice", "b*"))),
        per="project",
        guarantee="strict",
        headroom_nusd=25 * NUSD_PER_CENT,
        hold_seconds=60,
        fallback_model="claude-sonnet-5",
    )
    assert limits["rolling"] == Limit("rolling", "5h", 7 * NUSD_PER_CENT, (80,))
    assert budget.warnings == ()


def test_people_have_limits_and_keys_of_their_own(path: Path) -> None:
    path.write_text(DESIGN_EXAMPLE)
    budget = BudgetFile(path).load()
    found = [(limit.name, limit.window, limit.match) for limit in budget.limits if "alice" in limit.name]
    alice = (("user", ("alice",)),)
    assert found == [("alice daily", "day", alice), ("alice monthly", "month", alice)]
    assert budget.users == {"k_3f9a0c": "alice", "k_000000": "alice", "a_5b21e7": "alice"}


def test_the_short_form_downgrades_where_it_names_a_model(path: Path) -> None:
    path.write_text(DESIGN_EXAMPLE)
    for limit in BudgetFile(path).load().limits:
        if limit.name in {"daily", "alice daily"}:
            assert (limit.on_exceed, limit.fallback_model) == ("downgrade", "claude-haiku-4-5")


def test_a_disabled_budget_has_no_limit_of_any_form_but_knows_its_people(path: Path) -> None:
    path.write_text(DESIGN_EXAMPLE.replace("[budget]", "[budget]\nenabled = false"))
    budget = BudgetFile(path).load()
    assert budget.limits == ()
    assert budget.users["k_3f9a0c"] == "alice"


GOOD = '[[limits]]\nname = "good"\nwindow = "day"\nlimit_cents = 5\n'
BAD = GOOD + "\n" + GOOD.replace("good", "bad")
"""A good limit, then one to spoil: its lines are 6 to 9, what is added is 10."""


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
        (GOOD + GOOD, "line 6: `limits.name`: two limits are called 'good'"),
        ("[budget]\ndaily_limit_cents = 5\n" + GOOD.replace("good", "daily"), "line 4: `limits.name`: two"),
        (
            GOOD.replace("good", "al monthly") + "[users.al]\nmonthly_limit_cents = 1\n",
            "line 2: `limits.name`: two limits are called 'al monthly'",
        ),
        (
            BAD.replace('"bad"\nwindow = "day"', '"bad"\nwindow = "0h"'),
            "line 8: `limits.window`: limit 'bad': a roll",
        ),
        (
            BAD.replace('"bad"\nwindow = "day"', '"bad"\nwindow = "dya"'),
            "line 8: `limits.window`: limit 'bad': no",
        ),
        (
            BAD.replace('"bad"\nwindow = "day"', '"bad"\nwindo = "day"'),
            "line 8: `limits.windo`: unknown key; did you mean `window`",
        ),
        (BAD.replace('"bad"\nwindow = "day"\n', '"bad"\n'), "line 6: `limits`: needs a `window`."),
        (BAD.replace('"bad"', '""'), "line 7: `limits.name`"),
        (
            BAD + 'match = { modle = "x" }\n',
            "line 10: `limits.match.modle`: unknown key; did you mean `model`?",
        ),
        (
            BAD + '[limits.match]\nmodle = "x"\n',
            "line 11: `limits.match.modle`: unknown key; did you mean `model`?",
        ),
        (BAD + "match = { model = [] }\n", "line 10: `limits.match.model`: limit 'bad': an empty list"),
        (BAD + "match = { model = 5 }\n", "line 10: `limits.match.model`: expected text in quotes or a list"),
        (
            BAD + 'per = "projects"\n',
            'line 10: `limits.per`: "projects" is none of its values; did you mean "project"?',
        ),
        (
            BAD + 'on_exceed = "hodl"\n',
            'line 10: `limits.on_exceed`: "hodl" is none of its values; did you mean "hold"?',
        ),
        (
            BAD + 'on_exceed = "downgrade"\n',
            "line 10: `limits.on_exceed`: limit 'bad': \"downgrade\" needs a fallback",
        ),
        (BAD + "hold_seconds = 5\n", "line 10: `limits.hold_seconds`: limit 'bad': nothing is held unless"),
        (BAD + "headroom_cents = -1\n", "line 10: `limits.headroom_cents`: expected a whole number >= 0"),
        (
            BAD.replace("5\n", "5\n").replace(
                '"bad"\nwindow = "day"\nlimit_cents = 5', '"bad"\nwindow = "day"\nlimit_cents = -5'
            ),
            "line 9: `limits.limit_cents`",
        ),
        (
            BAD + 'on_exceed = "downgrade"\nfallback_model = "gpt-5.4"\nmatch = { model = ["claude-*"] }\n',
            "line 11: `limits.fallback_model`: limit 'bad': gpt-5.4 speaks another dialect than claude-*",
        ),
        (
            BAD + 'on_exceed = "downgrade"\nfallback_model = "gpt-5.4"\nmatch = { provider = "gemini" }\n',
            "line 11: `limits.fallback_model`: limit 'bad': gpt-5.4 speaks another dialect than gemini",
        ),
        (
            "[users.al]\ndaily_limit_cents = 1\n[users.bo]\ndaily_limit_cents = -1\n",
            "line 4: `users.bo.daily_limit_cents`",
        ),
        ("[users.al]\nday = 1\n", "line 2: `users.al.day`: unknown key; known here: daily_limit_cents"),
        (
            '[users.al]\nkeys = ["k_3f9a0c"]\n[users.bo]\nkeys = ["k_3f9a0c"]\n',
            "line 4: `users.bo.keys`: k_3f9a0c is already al's",
        ),
    ],
)
def test_an_error_names_file_line_and_key(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        BudgetFile(path).load()
    assert message in str(caught.value)


def test_a_key_that_was_pasted_whole_is_not_repeated(path: Path) -> None:
    path.write_text('[users.al]\nkeys = ["sk-ant-api03-secret"]\n')
    with pytest.raises(ConfigError, match="no key's fingerprint") as caught:
        BudgetFile(path).load()
    assert "line 2: `users.al.keys`" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        ('match = { provider = "antropic*" }', "no provider that is known matches 'antropic*'"),
        ('match = { upstream = ["openai", "mine"] }', "no upstream that is known matches 'mine'"),
        ('fallback_model = "claude-haiku-4-5"', "fallback_model is of no use"),
        ('guarantee = "strict"\non_exceed = "alert"', "strict guarantees nothing"),
        ("headroom_cents = 5", "admits nothing that costs"),
    ],
)
def test_what_is_odd_but_legal_is_warned_of(path: Path, more: str, warning: str) -> None:
    path.write_text(GOOD + more + "\n")
    (said,) = BudgetFile(path).load().warnings
    assert said.startswith(f"{path}: limit 'good': ")
    assert warning in said


def test_a_fallback_of_the_short_form_that_is_never_asked_for_is_warned_of(path: Path) -> None:
    path.write_text('[budget]\nreject_on_exceed = false\nfallback_model_on_exceed = "claude-haiku-4-5"\n')
    (said,) = BudgetFile(path).load().warnings
    assert said.startswith(f"{path}: fallback_model_on_exceed is of no use while reject_on_exceed = false")


def test_an_upstream_of_ones_own_is_known(path: Path) -> None:
    path.write_text(GOOD + 'match = { upstream = "mine" }\n')
    file = BudgetFile(path)
    file.upstreams = WELL_KNOWN | {"mine": WELL_KNOWN["openai"]}
    assert file.load().warnings == ()


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("daily", lambda document: document["budget"]["daily_limit_cents"]),
        ("rolling", lambda document: document["limits"][1]["limit_cents"]),
        ("alice monthly", lambda document: document["users"]["alice"]["monthly_limit_cents"]),
    ],
)
def test_a_limit_of_any_form_can_be_edited_and_nothing_else_changes(path: Path, name: str, where) -> None:
    file = loaded(path, DESIGN_EXAMPLE)
    before = {limit.name: limit for limit in BudgetFile(path).load().limits}
    after = {limit.name: limit for limit in file.set_limit(name, 42).limits}
    assert where(tomllib.loads(path.read_text())) == 42
    assert after.pop(name).limit_nusd == 42 * NUSD_PER_CENT
    before.pop(name)
    assert after == before
    assert name not in {limit.name for limit in file.set_limit(name, None).limits}


def test_a_limit_of_the_long_form_is_put_back_as_it_was(path: Path) -> None:
    file = loaded(path, DESIGN_EXAMPLE)
    before = {limit.name: limit for limit in BudgetFile(path).load().limits}
    table = file.table("opus per project")
    assert table is not None
    file.set_limit("opus per project", None)
    assert {limit.name: limit for limit in file.add_limit(table).limits} == before
    with pytest.raises(EditRefusedError, match="two limits"):
        file.add_limit(table)


def test_limits_can_be_written_by_hand_after_the_last_was_removed(path: Path) -> None:
    file = loaded(path, GOOD)
    file.set_limit("good", None)
    path.write_text(path.read_text() + GOOD)
    assert [limit.name for limit in file.load().limits] == ["good"]


def test_the_limits_there_are_are_named_where_one_is_not_found(path: Path) -> None:
    file = loaded(path, DESIGN_EXAMPLE)
    with pytest.raises(EditRefusedError, match="alice daily, alice monthly, opus per project, rolling"):
        file.set_limit("bob daily", 5)


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


COMMENTED = """\
# ours, ask Ben
[budget]
monthly_limit_cents = 9_000   # agreed
daily_limit_cents = 100

# opus is dear
[[limits]]   # first
name = "opus"   # keep an eye on it
window = "day"
limit_cents = 500 # five

# people
[users.al]
daily_limit_cents = 1
"""


def test_an_edit_keeps_comments_order_and_layout(path: Path) -> None:
    file = loaded(path, COMMENTED)
    for name, before, after in (
        ("monthly", "9_000", "7000"),
        ("opus", "500 # five", "600 # five"),
        ("al daily", "cents = 1\n", "cents = 2\n"),
    ):
        text = path.read_text()
        file.set_limit(name, int(after.split("=")[-1].split()[0]))
        assert path.read_text() == text.replace(before, after)


def test_removing_a_limit_and_putting_it_back_leaves_the_rest_alone(path: Path) -> None:
    file = loaded(path, COMMENTED)
    table = file.table("opus")
    assert table is not None
    file.set_limit("opus", None)
    head, _, tail = COMMENTED.partition("[[limits]]")
    assert path.read_text() == head + "\n" + tail[tail.index("# people") :]
    file.add_limit(table)
    assert path.read_text().startswith(head + "\n" + tail[tail.index("# people") :])
    assert [limit.name for limit in file.load().limits] == ["daily", "monthly", "al daily", "opus"]


def test_an_edit_keeps_line_ends_and_byte_order_mark(path: Path) -> None:
    before = ("\ufeff" + COMMENTED).replace("\n", "\r\n").encode()
    path.write_bytes(before)
    file = BudgetFile(path)
    file.load()
    file.set_limit("daily", 101)
    assert path.read_bytes() == before.replace(b"100\r", b"101\r")


def test_a_layout_that_cannot_be_edited_is_refused_and_stays(path: Path) -> None:
    text = "[budget]\nfallback_model_on_exceed = '''\n[budget]\n'''\ndaily_limit_cents = 1\n"
    file = loaded(path, text)
    with pytest.raises(EditRefusedError, match="edit it by hand") as caught:
        file.set_limit("daily", 5)
    assert caught.value.code == "conflict"
    assert path.read_text() == text


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


# a file that has lost its limits

TWO = "[budget]\ndaily_limit_cents = 1\nmonthly_limit_cents = 9\n"


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_text(" \n")


def strip(path: Path) -> None:
    path.write_text("[budget]\n")


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("lose", "why"),
    [
        (remove, "is gone."),
        (empty, "is empty."),
        (strip, "has no limits any more."),
        (dangle, "is a link to nothing."),
        (make_folder, "cannot be read: Is a directory."),
    ],
)
def test_a_file_that_loses_all_limits_leaves_those_before_in_force(path: Path, lose, why: str) -> None:
    file = loaded(path, TWO)
    before = file.in_force
    lose(path)
    assert file.load() == before
    assert why in file.lost
    assert file.lost.endswith("The 2 limits that were in force stay.")
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    path.write_text(TWO)
    assert file.load() == before
    assert file.lost == ""


def test_the_same_holds_of_what_an_earlier_daemon_had_in_force(path: Path) -> None:
    before = loaded(path, DESIGN_EXAMPLE)
    path.unlink()
    file = BudgetFile(path)
    file.resume(before.to_remember())
    assert file.load().limits == before.in_force.limits
    assert file.lost


@pytest.mark.parametrize("text", ["[budget]\nenabled = false\n", "[budget]\nmonthly_limit_cents = 9\n"])
def test_what_a_valid_file_takes_out_is_out(path: Path, text: str) -> None:
    file = loaded(path, TWO)
    path.write_text(text)
    assert [limit.name for limit in file.load().limits] == (["monthly"] if "monthly" in text else [])
    assert file.lost == ""


def test_the_last_limit_that_a_program_removes_is_removed_on_purpose(path: Path) -> None:
    file = loaded(path, "[budget]\ndaily_limit_cents = 1\n")
    assert file.set_limit("daily", None).limits == ()
    assert (file.load().limits, file.lost) == ((), "")
    later = BudgetFile(path)
    later.resume(file.to_remember())
    path.unlink()
    assert (later.load().limits, later.lost) == ((), "")


def test_a_file_that_somebody_writes_while_it_is_read_changes_nothing(path: Path) -> None:
    file = loaded(path, TWO)
    path.write_text("[budget]\nmonthly_limit_cents = 9\n")
    assert len(file.load(lambda: False).limits) == 2
    assert len(file.load().limits) == 1


@pytest.mark.parametrize("lose", [remove, empty])
def test_an_edit_writes_a_lost_file_anew_with_all_that_is_in_force(path: Path, lose) -> None:
    file = loaded(path, f"# Ours.\n{TWO}{GOOD}")
    lose(path)
    file.load()
    limits = {limit.name: limit.limit_nusd for limit in file.set_limit("daily", 5).limits}
    assert limits == {
        name: cents * NUSD_PER_CENT for name, cents in (("daily", 5), ("monthly", 9), ("good", 5))
    }
    assert file.lost == ""
    assert path.read_text().startswith("# Ours.\n")
    assert BudgetFile(path).load().limits == file.in_force.limits


def test_an_edit_does_not_write_over_a_file_that_a_person_emptied_of_limits(path: Path) -> None:
    file = loaded(path, TWO)
    strip(path)
    file.load()
    with pytest.raises(EditRefusedError, match="has no limits any more") as caught:
        file.set_limit("daily", 5)
    assert caught.value.code == "conflict"
    assert path.read_text() == "[budget]\n"


def test_a_file_that_has_only_just_gone_is_not_written(path: Path) -> None:
    file = loaded(path, TWO)
    path.unlink()  # as an editor may do for a moment
    with pytest.raises(EditRefusedError, match="changed meanwhile"):
        file.set_limit("daily", 5)
    assert not path.exists()


def test_what_is_remembered_holds_no_comment_and_no_webhook(path: Path) -> None:
    webhook = 'alert_webhook = "https://example.com/secret-token"\n'
    file = loaded(path, f"# not secret-token\n{TWO}{webhook}")
    text = file.to_remember()
    assert "secret-token" not in text
    path.unlink()
    later = BudgetFile(path)
    later.resume(text)
    assert later.load().limits == file.in_force.limits
    later.set_limit("daily", 5)
    assert "alert_webhook in [budget] is left out here" in path.read_text()


def test_only_lost_limits_can_be_forgotten(path: Path) -> None:
    file = loaded(path, TWO)
    with pytest.raises(EditRefusedError, match="remove them there"):
        file.forget()
    path.unlink()
    file.load()
    path.write_text(TWO)
    with pytest.raises(EditRefusedError, match="has limits again"):
        file.forget()
    path.unlink()
    assert file.forget().limits == ()
    assert (file.load().limits, file.lost) == ((), "")
