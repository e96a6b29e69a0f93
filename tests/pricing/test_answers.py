"""What is learned of how models write: tokens to a byte that streams, and tokens that never stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering import Usage
from budgetd.pricing import answers
from budgetd.pricing.answers import Answers, Writing
from budgetd.pricing.families import answer_tokens_per_byte, family_hidden


def taught(model: str, tokens: int, reasoning: int, length: int, times: int = 100) -> Writing:
    learnt = Answers()
    for _ in range(times):
        learnt.observe(model, Usage(output_tokens=tokens, reasoning_tokens=reasoning), length)
    return learnt.writing(model, model)


@pytest.mark.parametrize("model", ["gpt-5.4", "gemini-3-flash", "claude-opus-4-8", "my-deployment"])
def test_with_nothing_learned_a_model_writes_as_its_family(model: str) -> None:
    assert Answers().writing("x", model) == Writing(answer_tokens_per_byte(model), family_hidden(model), 100)


def test_tokens_to_a_byte_are_learned() -> None:
    writing = taught("claude-opus-4-8", tokens=250, reasoning=0, length=1_000)
    assert writing.tokens_per_byte == pytest.approx(0.25, rel=0.01)
    assert writing.hidden == 0
    assert taught("claude-opus-4-8", 250, 0, 1_000, times=1).tokens_per_byte > 0.3, "one answer is not all"


def test_reasoning_that_does_not_stream_is_learned_as_so_much_an_answer() -> None:
    writing = taught("gpt-5.4", tokens=1_250, reasoning=1_000, length=1_000)
    assert writing.tokens_per_byte == pytest.approx(0.25, rel=0.01)
    assert writing.hidden == pytest.approx(1_000, rel=0.06)


def test_reasoning_that_streams_is_not_counted_twice() -> None:
    writing = taught("deepseek-reasoner", tokens=1_250, reasoning=1_000, length=5_000)
    assert writing.tokens_per_byte == pytest.approx(0.25, rel=0.01)
    assert writing.hidden == 0


def test_sound_pictures_and_envelopes_teach_nothing_of_text() -> None:
    learnt = Answers()
    learnt.observe("gpt-4o", Usage(output_tokens=500, output_audio_tokens=300, output_image_tokens=200), 100)
    learnt.observe("gpt-4o", Usage(output_tokens=500), 0)
    learnt.observe("gpt-4o", Usage(output_tokens=500), 100)  # the names of tools, most of it
    assert learnt.writing("gpt-4o", "gpt-4o") == Answers().writing("gpt-4o", "gpt-4o")


def test_an_invoice_corrects_within_bounds_and_on_top_of_the_last() -> None:
    learnt = Answers()
    learnt.correct("m", 150)
    learnt.correct("m", 80)
    assert learnt.writing("m", "m").correction_pct == 120
    assert learnt.writing("n", "n").correction_pct == 100
    learnt.correct("m", 10**6)
    assert learnt.writing("m", "m").correction_pct == 400
    learnt.correct("m", 0)
    assert learnt.writing("m", "m").correction_pct == 25
    assert taught("m", 250, 0, 1_000).correction_pct == 100


def test_no_number_of_names_makes_it_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "KEPT_MODELS", 3)
    learnt = Answers()
    for turn in range(50):
        learnt.observe(f"m{turn}", Usage(output_tokens=10), 100)
        learnt.correct(f"m{turn}", 110)
    assert (len(learnt._models), len(learnt._corrections)) == (3, 3)
    assert "m49" in learnt._models


COUNT = st.integers(-5, 10**12)


@given(st.lists(st.tuples(COUNT, COUNT, COUNT, COUNT, st.integers(-500, 10**6)), max_size=30))
def test_whatever_it_saw_no_answer_is_less_than_nothing(
    seen: list[tuple[int, int, int, int, int]],
) -> None:
    learnt = Answers()
    for tokens, reasoning, audio, length, pct in seen:
        usage = Usage(output_tokens=tokens, reasoning_tokens=max(0, reasoning), output_audio_tokens=audio)
        learnt.observe("gpt-5", usage, length)
        learnt.correct("gpt-5", pct)
    writing = learnt.writing("gpt-5", "gpt-5")
    assert 0 < writing.tokens_per_byte <= 1
    assert writing.hidden >= 0
    assert 25 <= writing.correction_pct <= 400
