"""What is whole in the beginning of a body."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering import Api, peek, peek_beginning
from budgetd.metering.beginning import MOST_BRACKETS, whole_part
from budgetd.metering.request import BEGINNING
from metering.exchanges import CODINGS
from metering.forms import form

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["model", "a", 'q"\\', "é", "b"]), JSON, min_size=1),
    st.sampled_from([(",", ":"), (", ", " : "), (",\r\n", ":\t")]),
    st.data(),
)
def test_members_are_whole_or_absent_wherever_a_body_is_cut(
    body: dict[str, Any], separators: tuple[str, str], data: st.DataObject
) -> None:
    text = json.dumps(body, separators=separators).encode()
    cut = data.draw(st.integers(0, len(text)))
    part = whole_part(text[:cut])
    if not part:
        assert cut == 0
        return
    members = list(json.loads(part).items())
    assert members == list(body.items())[: len(members)]
    assert cut < len(text) or len(members) == len(body)


@pytest.mark.parametrize("beginning", [b"", b"x", b"[1", b'"a', b"\x1f\x8b\x08", b"--", b"--B", b"-" * 200])
def test_what_is_neither_json_nor_a_form_has_no_part(beginning: bytes) -> None:
    assert whole_part(beginning) == b""


MARKS = st.sampled_from(list(b'{}[]:,"\\ a1-\r\n'))


@given(st.binary(max_size=200) | st.lists(MARKS, max_size=60).map(bytes))
def test_any_bytes_are_survived(beginning: bytes) -> None:
    whole_part(beginning)
    whole_part(b'{"a":' + beginning)
    whole_part(b"--B\r\n" + beginning)


LONG = {"role": "user", "content": random.Random(1).randbytes(300_000).hex()}


@pytest.mark.parametrize("coding", ["", *CODINGS])
def test_the_model_of_a_long_body_is_read_from_its_beginning(coding: str) -> None:
    body = json.dumps({"model": "gpt-5.4", "max_tokens": 9, "stream": True, "messages": [LONG]}).encode()
    packed = CODINGS[coding](body) if coding else body
    ask = peek_beginning("openai.chat", "", packed[: len(packed) // 2], coding, 40_000_000)
    assert (ask.model, ask.stream, ask.output_cap) == ("gpt-5.4", True, 9)
    assert (ask.understood, ask.body_bytes) == (False, 40_000_000)


def test_a_model_behind_what_is_at_hand_or_inside_of_it_is_not_read() -> None:
    body = b'{"tools":[{"model":"inner"}],"messages":[{"model":"inner","content":"' + b"x" * 5000
    assert peek_beginning("openai.chat", "", body, "", 1).model == ""
    assert peek_beginning("openai.chat", "", b'{"model":"gpt-5.4', "", 1).model == ""
    deep = b'{"messages":' + b"[" * MOST_BRACKETS + b"]" * MOST_BRACKETS + b',"model":"gpt-5.4",'
    assert peek_beginning("openai.chat", "", deep, "", 1).model == ""
    far = b'{"messages":"' + b"x" * BEGINNING + b'","model":"gpt-5.4"'
    assert peek_beginning("openai.chat", "", far, "", 1).model == ""


@pytest.mark.parametrize(
    ("api", "target", "model"),
    [
        ("gemini.generate", "/v1beta/models/gemini-3-pro:generateContent", "gemini-3-pro"),
        ("bedrock.converse", "/model/us.amazon.nova-pro-v1%3A0/converse", "us.amazon.nova-pro-v1:0"),
        ("openai.chat", "/openai/deployments/mine/chat/completions", "mine"),
        ("anthropic.messages", "/v1/p/publishers/anthropic/models/claude-x:rawPredict", "claude-x"),
    ],
)
def test_the_path_names_the_model_of_a_long_body(api: Api, target: str, model: str) -> None:
    ask = peek_beginning(api, target, b'{"messages":[{"content":"xxxx', "", 1)
    assert (ask.model, ask.understood) == (model, False)


@pytest.mark.parametrize("api", ["openai.transcriptions", "openai.images", "openai.chat"])
def test_a_form_names_its_model_before_a_long_file(api: Api) -> None:
    whole = form({"model": "whisper-1", "stream": "true", "file": b"RIFF" + b"\0" * 9000})
    ask = peek_beginning(api, "/v1/x", whole[:3000], "", 3000)
    assert (ask.model, ask.understood) == ("whisper-1", False)
    assert peek_beginning(api, "/v1/x", whole[: whole.index(b"whisper") + 4], "", 1).model == ""


def test_a_body_that_cannot_be_read_whole_still_says_what_it_begins_with() -> None:
    damaged = b'{"model":"gpt-5.4","max_tokens":9,"messages":[}'
    ask = peek("openai.chat", "", damaged)
    assert (ask.model, ask.understood, ask.body_bytes) == ("gpt-5.4", False, len(damaged))
    inflated = CODINGS["gzip"](b'{"model":"gpt-5.4","messages":"' + b" " * 20_000_000 + b'"}')
    ask = peek("openai.chat", "", inflated, "gzip")
    assert (ask.model, ask.understood, ask.body_bytes) == ("gpt-5.4", False, len(inflated))
