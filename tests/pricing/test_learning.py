"""What is learned from settled requests, and what is expected of the next one."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.usage import Ask, Usage
from budgetd.pricing import learning
from budgetd.pricing.families import EXPECTED_OUTPUT, family_usage, text_tokens
from budgetd.pricing.learning import CACHE_SECONDS, LONG_CACHE_SECONDS, Learner, Settled
from pricing.usages import possible_usages

AT = 1_795_435_200.0
MODEL = "claude-opus-4-8"


def ask(size: int, **fields: object) -> Ask:
    return msgspec.structs.replace(Ask(model=MODEL, body_bytes=size, output_cap=64_000), **fields)


def usage(total: int, read: int = 0, written: int = 0, output: int = 200) -> Usage:
    return Usage(input_tokens=total, cache_read_tokens=read, cache_write_tokens=written, output_tokens=output)


def conversation(learner: Learner, session: str = "s") -> None:
    """Two turns at 0.4 tokens a byte, all of it cached."""
    learner.observe(ask(100_000), session, usage(40_000, 0, 40_000), AT)
    learner.observe(ask(110_000), session, usage(44_000, 40_000, 4_000), AT + 20)


def test_with_nothing_learned_a_family_uses_what_its_families_do() -> None:
    for request in (ask(1_000), ask(9, understood=False), ask(50, choices=3, server_tool_uses=None)):
        assert Learner().expect(request, "s", AT) == family_usage(request)


def test_a_growing_conversation_reads_what_the_last_request_wrote() -> None:
    learner = Learner()
    conversation(learner)
    expected = learner.expect(ask(120_000), "s", AT + 40)
    assert expected.cache_read_tokens == 44_000
    assert expected.input_tokens == pytest.approx(48_000, rel=0.01)
    assert expected.cache_write_tokens == expected.input_tokens - 44_000


def test_the_first_request_of_a_session_is_expected_to_read_nothing() -> None:
    learner = Learner()
    conversation(learner)
    expected = learner.expect(ask(120_000), "another", AT + 40)
    assert expected.cache_read_tokens == 0
    assert expected.input_tokens == pytest.approx(48_000, rel=0.05)
    assert expected.cache_write_tokens == expected.input_tokens, "the first of the other session wrote all"


def test_a_session_that_asked_another_model_is_new_to_this_one() -> None:
    learner = Learner()
    conversation(learner)
    other = ask(120_000, model="claude-sonnet-5")
    assert learner.expect(other, "s", AT + 40) == family_usage(other)


@pytest.mark.parametrize(("hour", "seconds"), [(False, CACHE_SECONDS), (True, LONG_CACHE_SECONDS)])
def test_a_cache_is_cold_after_a_pause(hour: bool, seconds: float) -> None:
    learner = Learner()
    conversation(learner)
    request = ask(120_000, cache_write_1h=hour)
    assert learner.expect(request, "s", AT + 20 + seconds).cache_read_tokens == 44_000
    later = learner.expect(request, "s", AT + 21 + seconds)
    assert later.cache_read_tokens == 0
    assert later.cache_write_tokens == later.input_tokens
    assert later.cache_write_1h_tokens == (later.cache_write_tokens if hour else 0)


def test_a_compacted_conversation_starts_anew() -> None:
    learner = Learner()
    conversation(learner)
    expected = learner.expect(ask(30_000), "s", AT + 40)
    assert expected.cache_read_tokens == 0
    assert expected.input_tokens == pytest.approx(12_000, rel=0.05)


def test_conversations_that_take_turns_in_a_session_are_told_apart_by_length() -> None:
    learner = Learner()
    for turn in range(6):
        long, short = 40_000 + 1_000 * turn, 4_000 + 500 * turn
        learner.observe(ask(long * 5 // 2), "s", usage(long, long - 1_000 if turn else 0, 1_000), AT)
        learner.observe(ask(short * 5 // 2), "s", usage(short, short - 500 if turn else 0, 500), AT)
    assert learner.expect(ask(116_000), "s", AT).cache_read_tokens == pytest.approx(45_000, rel=0.1)
    assert learner.expect(ask(17_000), "s", AT).cache_read_tokens == pytest.approx(6_500, rel=0.1)


def test_a_provider_that_caches_unasked_is_found_out() -> None:
    learner = Learner()
    codex = Ask(model="gpt-5.4", body_bytes=40_000)
    learner.observe(codex, "s", usage(10_000), AT)
    grown = msgspec.structs.replace(codex, body_bytes=50_000)
    assert learner.expect(grown, "s", AT).cache_read_tokens == 0, "nothing says that it caches"
    learner.observe(grown, "s", usage(12_500, read=9_728), AT)
    longer = msgspec.structs.replace(codex, body_bytes=60_000)
    expected = learner.expect(longer, "s", AT)
    assert expected.cache_read_tokens == pytest.approx(12_500, rel=0.05)
    assert expected.cache_write_tokens == 0
    learner.observe(codex, "t", usage(10_000), AT)
    assert learner.expect(grown, "t", AT).cache_read_tokens > 9_000, "known of the model by now"


def test_a_cache_that_stops_giving_is_soon_not_counted_on() -> None:
    learner = Learner()
    conversation(learner)
    for size in range(120_000, 200_000, 10_000):
        learner.observe(ask(size), "s", usage(size * 2 // 5, 0, size * 2 // 5), AT)
    expected = learner.expect(ask(200_000), "s", AT)
    assert expected.cache_read_tokens < expected.input_tokens // 4


def test_a_model_is_expected_to_make_as_many_tokens_of_a_byte_as_it_did() -> None:
    learner = Learner()
    for turn in range(20):
        learner.observe(ask(50_000), f"s{turn}", usage(10_000), AT)
    assert learner.expect(ask(100_000), "new", AT).input_tokens == pytest.approx(20_000, rel=0.02)


def test_pictures_are_learned_of_the_session_that_sends_them_and_not_of_all() -> None:
    learner = Learner()
    for turn in range(1, 20):
        learner.observe(ask(turn * 1_000_000), "s", usage(turn * 1_500, (turn - 1) * 1_500, 1_500), AT)
    in_session = learner.expect(ask(20_000_000), "s", AT)
    assert in_session.input_tokens == pytest.approx(30_000, rel=0.1)
    assert learner.expect(ask(100_000), "new", AT).input_tokens >= text_tokens(100_000, MODEL) // 4


def test_answers_are_expected_as_long_as_three_in_four_were_and_their_mean() -> None:
    learner = Learner()
    dice = random.Random(1)
    lengths = [dice.randint(100, 500) for _ in range(64)]
    for turn, length in enumerate(lengths):
        learner.observe(ask(1_000), f"s{turn}", usage(300, output=length), AT)
    assert learner.expect(ask(1_000), "new", AT).output_tokens == sorted(lengths)[47]
    learner.observe(ask(1_000), "long", usage(300, output=60_000), AT)
    mean = learner.expect(ask(1_000), "new", AT).output_tokens
    assert 1_000 < mean < 1_300, "one answer in 64 is so long that the mean lies above the quantile"


def test_an_answer_is_expected_within_what_the_request_allows() -> None:
    learner = Learner()
    learner.observe(ask(1_000), "s", usage(300, output=30_000), AT)
    assert learner.expect(ask(1_000, output_cap=50), "s", AT).output_tokens == 50
    assert learner.expect(ask(1_000, output_cap=0), "s", AT).output_tokens == 0


def test_answers_that_were_cut_off_do_not_teach_that_answers_are_short() -> None:
    learner = Learner()
    for turn in range(100):
        learner.observe(ask(1_000, output_cap=10), f"s{turn}", usage(300, output=10), AT)
    assert learner.expect(ask(1_000), "new", AT).output_tokens == EXPECTED_OUTPUT


def test_the_answers_of_several_choices_are_learned_as_one_each() -> None:
    learner = Learner()
    for turn in range(64):
        learner.observe(ask(1_000, choices=4), f"s{turn}", usage(300, output=2_000), AT)
    assert learner.expect(ask(1_000), "new", AT).output_tokens == 500
    assert learner.expect(ask(1_000, choices=2), "new", AT).output_tokens == 1_000


def test_input_from_outside_the_body_is_expected_of_those_that_refer_to_some() -> None:
    learner = Learner()
    for turn in range(10):
        learner.observe(ask(500, open_input=True), f"s{turn}", usage(50_000), AT)
    assert learner.expect(ask(500, open_input=True), "new", AT).input_tokens == pytest.approx(
        50_000, rel=0.01
    )
    assert learner.expect(ask(500), "new", AT).input_tokens == text_tokens(500, MODEL)


def settled(size: int, session: str, used: Usage, at: float, length: int, basis: str = "reported") -> Settled:
    """The row of a request that `observe` is given the same of."""
    row = {
        "model": MODEL,
        "session": session,
        "request_bytes": size,
        "settled_at": at,
        "output_bytes": length,
    }
    counts = {name: getattr(used, name) for name in Settled._fields if name in Usage.__struct_fields__}
    return Settled(basis=basis, **row, **counts)


def test_it_starts_from_the_ledgers_rows_as_if_it_had_never_stopped() -> None:
    seeded, live = Learner(), Learner()
    seen = [
        (100_000, "s", usage(40_000, 0, 40_000), AT, 700),
        (
            110_000,
            "s",
            msgspec.structs.replace(usage(44_000, 40_000, 4_000), reasoning_tokens=90),
            AT + 20,
            300,
        ),
        (9_000, "t", msgspec.structs.replace(usage(3_000), output_audio_tokens=150), AT + 30, 100),
        (9_000, "t", msgspec.structs.replace(usage(3_000), output_image_tokens=170), AT + 40, 100),
    ]
    for size, session, used, at, length in seen:
        live.observe(ask(size, output_cap=None), session, used, at, length)
    guess = settled(110_000, "s", usage(9_999, output=9_999), AT + 50, 500, "estimated")
    seeded.seed([*(settled(*each) for each in seen), guess])
    for session in "stu":
        assert seeded.expect(ask(120_000), session, AT + 60) == live.expect(ask(120_000), session, AT + 60)
    assert seeded.writing(MODEL, MODEL) == live.writing(MODEL, MODEL) != Learner().writing(MODEL, MODEL)


def test_compressed_lengths_in_the_ledger_do_not_teach_absurd_ratios() -> None:
    learner = Learner()
    learner.seed(settled(10_000, f"s{turn}", usage(40_000), AT, 0) for turn in range(50))
    assert learner.expect(ask(100_000), "new", AT).input_tokens == text_tokens(100_000, MODEL)


def test_no_number_of_names_makes_it_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "KEPT_MODELS", 3)
    monkeypatch.setattr(learning, "KEPT_THREADS", 5)
    learner = Learner()
    for turn in range(50):
        learner.observe(ask(1_000, model=f"m{turn}"), f"s{turn}", usage(300), AT)
    assert (len(learner._models), len(learner._threads)) == (3, 5)
    assert ("s49", "m49") in learner._threads


asks = st.builds(
    Ask,
    model=st.sampled_from(["", "gpt-5", MODEL]),
    output_cap=st.none() | st.integers(-1, 64_000),
    choices=st.integers(0, 3),
    open_input=st.booleans(),
    server_tool_uses=st.none() | st.integers(0, 2),
    cache_write_1h=st.booleans(),
    body_bytes=st.integers(-1, 10**7) | st.sampled_from([0, 1, 1_000]),
    understood=st.booleans(),
)
contradictions = st.builds(Usage, **dict.fromkeys(Usage.__struct_fields__, st.integers(0, 10**12)))
exchanges = st.tuples(
    asks, st.sampled_from(["", "s"]), possible_usages() | contradictions, st.floats(0, 10**10)
)


@given(seen=st.lists(exchanges, max_size=20), request=asks, session=st.sampled_from(["", "s"]))
def test_whatever_it_saw_it_expects_a_possible_usage(
    seen: list[tuple[Ask, str, Usage, float]], request: Ask, session: str
) -> None:
    learner, twin = Learner(), Learner()
    for exchange in seen:
        learner.observe(*exchange)
        twin.observe(*exchange)
    expected = learner.expect(request, session, AT)
    assert expected == twin.expect(request, session, AT)
    assert all(getattr(expected, name) >= 0 for name in Usage.__struct_fields__)
    assert expected.cache_read_tokens + expected.cache_write_tokens <= expected.input_tokens
    assert expected.cache_write_1h_tokens <= expected.cache_write_tokens
    if request.output_cap is not None:
        assert expected.output_tokens <= max(0, request.output_cap)


def test_a_hundred_thousand_equal_requests_leave_it_in_its_senses() -> None:
    learner = Learner()
    for turn in range(100_000):
        learner.observe(ask(1_000), "s", usage(300, 250, 50), AT + turn)
    assert learner.expect(ask(1_000), "s", AT + 100_000).input_tokens == 300
