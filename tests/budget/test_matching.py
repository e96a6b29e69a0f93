import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.budget.limits import UNREAD, Limit, Subject
from budgetd.budget.matching import Index, literal_glob

GLOBS = ["*", "", "ab", "a*", "*b", "a?", "[ab]*", "ab*", "b", "*a*", "a[*]"]
VALUES = ["", "a", "b", "ab", "abc", "ba", "a*", "A"]
OPENROUTERS = Subject(model="anthropic/claude-opus-4.8", canonical_model="claude-opus-4-8")
some_globs = st.lists(st.sampled_from(GLOBS), min_size=1, max_size=3).map(tuple)
matches = st.dictionaries(st.sampled_from(["model", "user", "project"]), some_globs)
values = st.sampled_from(VALUES)


@given(
    written=st.lists(matches, max_size=8),
    subject=st.builds(Subject, model=values, user=values, project=values),
)
def test_the_index_finds_what_globs_find_one_by_one(written, subject) -> None:
    limits = [Limit(str(place), "day", 1, match=tuple(match.items())) for place, match in enumerate(written)]
    found = Index([(limit, limit.name) for limit in limits]).matching(subject)
    assert list(found) == [limit.name for limit in limits if matches_slowly(limit, subject)]


def test_a_request_whose_model_could_not_be_read_falls_under_every_limit_on_models() -> None:
    globs = ("gpt-5*", "claude", "*-[ab]")
    limits = [Limit(glob, "day", 1, match=(("model", (glob,)), ("user", ("ann",)))) for glob in globs]
    matching = Index([(limit, limit.name) for limit in limits]).matching
    assert matching(Subject(model=UNREAD, user="ann")) == globs
    assert matching(Subject(model=UNREAD, user=UNREAD)) == ()
    assert matching(Subject(user="ann")) == ()


@pytest.mark.parametrize(
    ("dimension", "glob", "subject"),
    [
        ("model", "claude-opus-*", OPENROUTERS),
        ("model", "anthropic/*", OPENROUTERS),
        ("key", "a_1", Subject(key="a_1", token="k_1")),
        ("key", "k_1", Subject(key="a_1", token="k_1")),
    ],
)
def test_a_glob_fits_either_name_of_a_model_or_a_key(dimension, glob: str, subject: Subject) -> None:
    matching = Index([(Limit("x", "day", 1, match=((dimension, (glob,)),)), 1)]).matching
    assert matching(subject) == (1,)
    assert matching(Subject(model="gpt-5.4", key="k_2")) == ()
    assert matching(Subject(user=glob)) == ()


def matches_slowly(limit: Limit, subject: Subject) -> bool:
    return all(
        any(fnmatch.fnmatchcase(getattr(subject, dimension), glob) for glob in globs)
        for dimension, globs in limit.match
    )


@pytest.mark.parametrize("name", ["alice", "a*", "a?b", "[x]", "a[b", "*"])
def test_a_literal_glob_matches_its_name_and_no_other(name: str) -> None:
    limit = Limit("x", "day", 1, match=(("user", (literal_glob(name),)),))
    matching = Index([(limit, 1)]).matching
    assert matching(Subject(user=name)) == (1,)
    assert matching(Subject(user=name + "x")) == matching(Subject(user="other")) == ()
