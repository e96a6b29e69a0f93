"""What repeats a killed request is refused for a minute, or until a person lets it go on."""

from hypothesis import given
from hypothesis import strategies as st

from budgetd.blocks import BLOCK_SECONDS, Blocks, Origin
from budgetd.budget.limits import Subject
from budgetd.metering.repeats import messages_digest

NOW = 1_795_446_240.0


def subject(session: str = "s1", key: str = "k_1", project: str = "acme", model: str = "opus") -> Subject:
    return Subject("anthropic", "anthropic", model, "ada", project, session, key, "claude-code")


def origin(agent: str = "", messages: str = "", **more: str) -> Origin:
    whose = subject(**more)
    return Origin.of(whose, whose.model, agent, messages)


def blocked(killed: Origin) -> Blocks:
    blocks = Blocks()
    blocks.add(7, subject(), killed, "ada (budgettop)", NOW)
    return blocks


def test_any_request_of_the_killed_session_and_agent_is_a_repeat_whatever_it_asks() -> None:
    blocks = blocked(origin())
    assert blocks.find(origin(model="haiku", messages="other"), NOW + 1)
    assert blocks.find(origin(agent="sub"), NOW + 1) is None
    assert blocks.find(origin(session="s2"), NOW + 1) is None
    assert blocks.find(origin(key="k_2"), NOW + 1) is None


def test_without_a_session_only_the_same_question_of_the_same_key_project_and_model_is_a_repeat() -> None:
    killed = origin(session="", messages="question")
    blocks = blocked(killed)
    assert blocks.find(origin(session="", messages="question"), NOW + 1)
    for other in ({"messages": "new"}, {"key": "k_2"}, {"project": "notes"}, {"model": "haiku"}):
        assert blocks.find(origin(**{"session": "", "messages": "question"} | other), NOW + 1) is None


def test_what_cannot_be_told_from_others_blocks_nothing() -> None:
    blocks = blocked(origin(session=""))
    assert not blocks
    assert blocks.find(origin(session=""), NOW) is None


def test_it_ends_by_itself_after_a_minute_and_when_the_clock_is_set_back() -> None:
    blocks = blocked(origin())
    assert blocks.find(origin(), NOW + BLOCK_SECONDS - 1)
    assert not blocks.expire(NOW + BLOCK_SECONDS - 1)
    assert blocks.find(origin(), NOW + BLOCK_SECONDS) is None
    assert blocked(origin()).find(origin(), NOW - 3600) is None
    assert blocks.expire(NOW + BLOCK_SECONDS)
    assert not blocks


def test_a_person_lets_it_go_on_by_the_id_of_the_killed_request() -> None:
    blocks = blocked(origin())
    assert not blocks.lift(8)
    assert blocks.lift(7)
    assert blocks.find(origin(), NOW + 1) is None
    assert not blocks.lift(7)


def test_a_second_kill_of_the_same_session_begins_its_minute_anew() -> None:
    blocks = blocked(origin())
    blocks.add(9, subject(), origin(), "ada (budgetd cli)", NOW + 30)
    assert [block.request_id for block in blocks] == [9]
    assert blocks.find(origin(), NOW + 30 + BLOCK_SECONDS - 1)


def test_the_same_question_has_the_same_digest_with_and_without_streaming() -> None:
    asked = b'{"model":"opus","stream":true,"stream_options":{},"messages":[{"role":"user","content":"hi"}]}'
    again = b'{"model":"opus","messages":[{"role":"user","content":"hi"}],"max_tokens":5}'
    other = b'{"model":"opus","messages":[{"role":"user","content":"ho"}]}'
    assert messages_digest(asked) == messages_digest(again) != messages_digest(other)
    for field in (b"input", b"contents", b"prompt", b"message"):
        assert messages_digest(b'{"' + field + b'":"hi","stream":true}') == messages_digest(
            b'{"' + field + b'":"hi"}'
        )


def test_nothing_has_no_digest() -> None:
    assert messages_digest(b"") == ""


@given(st.binary(min_size=1))
def test_any_body_has_a_digest_that_tells_nothing_of_it(body: bytes) -> None:
    digest = messages_digest(body)
    assert digest == messages_digest(body)
    assert len(digest) == 64
