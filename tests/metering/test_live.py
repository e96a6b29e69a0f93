"""Sessions: which messages ask for a response, which begin one, which end one, and what it used."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering import Usage
from budgetd.metering.live import Live, Turn, live

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "recorded.jsonl"


def recorded() -> list[dict[str, Any]]:
    if not CORPUS.exists():
        return []
    lines = map(json.loads, CORPUS.read_text().splitlines())
    return [each for each in lines if each["kind"] == "websocket"]


def realtime(query: str = "?model=gpt-realtime") -> Live:
    return live("openai.realtime", f"/v1/realtime{query}")


def gemini() -> Live:
    session = live(
        "gemini.live", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    )
    assert (
        sent(session, {"setup": {"model": "models/gemini-live", "generationConfig": {"maxOutputTokens": 9}}})
        is None
    )
    return session


def sent(session: Live, message: Any) -> Turn[Any] | None:
    return session.sent(json.dumps(message).encode())


def asked(session: Live, message: Any) -> Turn[Any]:
    """Send a message that asks for a turn, which is let through."""
    turn = sent(session, message)
    assert turn is not None
    session.let_through(turn)
    return turn


def received(session: Live, message: Any) -> list[Turn[Any]]:
    return session.received(json.dumps(message).encode())


CREATE = {"type": "response.create"}


def created(id: str) -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": id, "status": "in_progress", "usage": None}}


def done(id: str, status: str = "completed", usage: Any = None) -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 5} if usage is None else usage
    return {"type": "response.done", "response": {"id": id, "status": status, "usage": usage}}


def transcribed(usage: Any) -> dict[str, Any]:
    return {"type": "conversation.item.input_audio_transcription.completed", "usage": usage}


# what has another type than is expected is unknown, not absent


@pytest.mark.parametrize("wrong", [[7], {"value": 7}, True])
def test_a_strange_cap_or_tool_of_a_session_bounds_nothing(wrong: object) -> None:
    session = realtime()
    sent(session, {"type": "session.update", "session": {"max_output_tokens": 400, "tools": []}})
    assert (plain := sent(session, CREATE))
    assert (plain.ask.output_cap, plain.ask.server_tool_uses) == (400, 0)
    strange = {"response": {"max_output_tokens": wrong, "tools": wrong}}
    turn = sent(session, {**CREATE, **strange})
    assert turn
    assert (turn.ask.output_cap, turn.ask.server_tool_uses) == (None, None)
    sent(session, {"type": "session.update", "session": {"max_output_tokens": wrong, "tools": wrong}})
    turn = sent(session, CREATE)
    assert turn
    assert (turn.ask.output_cap, turn.ask.server_tool_uses) == (None, None)


def test_a_strange_setup_of_gemini_bounds_nothing() -> None:
    session = live("gemini.live", "")
    sent(session, {"setup": {"generationConfig": {"maxOutputTokens": [9]}, "tools": {"googleSearch": {}}}})
    turn = sent(session, {"clientContent": {"turnComplete": "true"}})
    assert turn
    assert (turn.ask.output_cap, turn.ask.server_tool_uses, turn.asked) == (None, None, True)
    sent(session, {"setup": {"tools": {"functionDeclarations": []}}})
    turn = sent(session, {"clientContent": [{"turnComplete": True}]})
    assert turn
    assert (turn.ask.server_tool_uses, turn.asked) == (0, True)


# recorded sessions


@pytest.mark.skipif(not recorded(), reason="recorded sessions are not at hand")
@pytest.mark.parametrize("line", recorded(), ids=lambda line: line["id"])
def test_every_recorded_report_is_read(line: dict[str, Any]) -> None:
    api = "gemini.live" if line["provider"] == "gemini" else "openai.realtime"
    session = live(api, line["path"])
    ended: list[Turn[Any]] = []
    for message in line["messages"]:
        text = message["text"].encode()
        if message["direction"] == "sent":
            turn = session.sent(text)
            if turn is not None:
                session.let_through(turn)
        else:
            ended += [turn for turn in session.received(text) if turn.ended]
    reports = line["expected_usage_as_reported"]["reports"]
    said = [each["usage"] for each in reports if "transcription" not in (each["event"] or "")]
    readings = [turn.reader.reading() for turn in ended]
    assert all(reading.complete for reading in readings)
    into = [each.get("input_tokens", each.get("promptTokenCount")) for each in said]
    out = [each.get("output_tokens", each.get("responseTokenCount")) for each in said]
    assert [(r.usage.input_tokens, r.usage.output_tokens) for r in readings if r.usage] == list(
        zip(into, out, strict=True)
    )
    seconds = [each["usage"]["seconds"] for each in reports if "seconds" in each["usage"]]
    others = [usage.input_audio_ms for reading in readings for _, usage in reading.others]
    assert others == [each * 1000 for each in seconds]
    model = line["expected_usage_as_reported"]["model"]
    assert {turn.ask.model for turn in ended} == {model or "gemini-2.5-flash-native-audio-preview-09-2025"}


# OpenAI Realtime


def test_every_class_of_a_report_is_read() -> None:
    session = realtime()
    asked(session, CREATE)
    received(session, created("r"))
    usage = {
        "input_tokens": 1000,
        "output_tokens": 300,
        "input_token_details": {
            "text_tokens": 300,
            "audio_tokens": 600,
            "image_tokens": 100,
            "cached_tokens": 500,
            "cached_tokens_details": {"text_tokens": 100, "audio_tokens": 350, "image_tokens": 50},
        },
        "output_token_details": {"text_tokens": 100, "audio_tokens": 200},
    }
    (turn,) = received(session, done("r", usage=usage))
    assert turn.reader.reading().usage == Usage(
        input_tokens=1000,
        cache_read_tokens=500,
        input_audio_tokens=600,
        cache_read_audio_tokens=350,
        input_image_tokens=100,
        cache_read_image_tokens=50,
        output_tokens=300,
        output_audio_tokens=200,
    )


def test_an_ask_tells_what_bears_on_cost() -> None:
    session = realtime()
    sent(session, {"type": "session.update", "session": {"max_output_tokens": 400}})
    text = {
        "type": "conversation.item.create",
        "item": {"content": [{"type": "input_text", "text": "x" * 5000}]},
    }
    sent(session, text)
    ask = asked(session, CREATE).ask
    assert (ask.model, ask.output_cap, ask.open_input, ask.media) == ("gpt-realtime", 400, True, False)
    assert 5000 < ask.body_bytes < 5500
    sent(session, {"type": "input_audio_buffer.append", "audio": "A" * 64_000})  # a second of 24 kHz PCM
    again = asked(session, CREATE | {"response": {"max_output_tokens": 50}})
    assert (again.ask.output_cap, again.ask.media) == (50, True)
    assert again.ask.body_bytes == 40 + len(json.dumps(CREATE | {"response": {"max_output_tokens": 50}}))
    assert again.sent_bytes > 64_000


def test_the_model_is_what_the_provider_says_it_is() -> None:
    session = live("openai.realtime", "/openai/realtime?api-version=1&deployment=mine")
    assert asked(session, CREATE).ask.model == "mine"
    received(
        session, {"type": "session.created", "session": {"model": "gpt-realtime", "max_output_tokens": "inf"}}
    )
    ask = asked(session, CREATE).ask
    assert (ask.model, ask.output_cap) == ("gpt-realtime", None)


def test_defaults_of_the_provider_do_not_undo_what_the_client_has_set() -> None:
    session = realtime()
    sent(session, {"type": "session.update", "session": {"max_output_tokens": 7}})
    received(session, {"type": "session.created", "session": {"id": "s", "max_output_tokens": "inf"}})
    assert asked(session, CREATE).ask.output_cap == 7
    received(session, {"type": "session.updated", "session": {"id": "s", "max_output_tokens": 8}})
    ask = asked(session, CREATE).ask
    assert (ask.output_cap, ask.session) == (8, "s")


def test_a_turn_that_is_not_let_through_gets_no_response() -> None:
    session = realtime()
    refused = sent(session, CREATE)
    admitted = asked(session, CREATE)
    (turn,) = received(session, created("r"))
    assert turn is admitted is not refused


def test_responses_at_the_same_time_are_told_apart() -> None:
    session = realtime()
    first, second = asked(session, CREATE), asked(session, CREATE)
    assert received(session, created("a")) == [first]
    assert received(session, created("b")) == [second]
    delta = {"type": "response.output_text.delta", "response_id": "b", "delta": "hello"}
    assert received(session, delta) == [second]
    assert received(session, done("b")) == [second]
    assert (first.ended, second.ended) == (False, True)
    assert received(session, done("a")) == [first]


def test_a_response_that_nobody_asked_for_is_a_turn() -> None:
    session = realtime()
    (turn,) = received(session, created("a"))
    assert (turn.asked, turn.began, turn.ask.model) == (False, True, "gpt-realtime")
    (same,) = received(session, done("a"))
    assert same is turn
    assert turn.ended


def test_an_error_ends_the_turn_that_it_names() -> None:
    session = realtime()
    first = asked(session, CREATE | {"event_id": "one"})
    second = asked(session, CREATE | {"event_id": "two"})
    error = {"type": "error", "error": {"type": "invalid_request_error", "event_id": "two"}}
    assert received(session, error) == [second]
    assert (second.failed, second.ended, first.ended) == (True, True, False)
    assert received(session, {"type": "error", "error": {"event_id": "another"}}) == []
    assert received(session, {"type": "error", "error": {"event_id": None}}) == [first]
    assert received(session, {"type": "error", "error": {}}) == []


def test_what_a_broken_response_has_said_is_counted() -> None:
    session = realtime()
    turn = asked(session, CREATE)
    received(session, created("a"))
    sound = {"type": "response.output_audio.delta", "response_id": "a", "delta": "A" * 32_000}
    received(session, sound)
    received(
        session, {"type": "response.output_audio_transcript.delta", "response_id": "a", "delta": "x" * 40}
    )
    reading = turn.reader.reading()
    assert (reading.complete, reading.output_bytes) == (False, 40)
    half_a_second = Usage(output_tokens=20, output_audio_tokens=10, input_audio_ms=500)
    assert reading.usage == half_a_second


def test_g711_makes_as_many_tokens_of_fewer_bytes() -> None:
    session = realtime()
    sent(
        session,
        {"type": "session.update", "session": {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}},
    )
    turn = asked(session, CREATE)
    received(session, created("a"))
    received(session, {"type": "response.output_audio.delta", "response_id": "a", "delta": "A" * 3200})
    usage = turn.reader.reading().usage
    assert usage
    assert usage.output_audio_tokens == 6


def test_a_transcription_belongs_to_the_turn_that_is_open() -> None:
    session = realtime()
    update = {
        "type": "session.update",
        "session": {"audio": {"input": {"transcription": {"model": "whisper-1"}}}},
    }
    sent(session, update)
    (turn,) = received(session, created("a"))
    assert received(session, transcribed({"type": "duration", "seconds": 2.5})) == [turn]
    tokens = {
        "type": "tokens",
        "input_tokens": 30,
        "output_tokens": 9,
        "input_token_details": {"audio_tokens": 28},
    }
    received(session, transcribed(tokens))
    received(session, done("a"))
    assert turn.reader.reading().others == (
        ("whisper-1", Usage(input_audio_ms=2500)),
        ("whisper-1", Usage(input_tokens=30, input_audio_tokens=28, output_tokens=9)),
    )


def test_a_transcription_while_no_turn_is_open_is_a_turn_of_its_own() -> None:
    session = realtime()
    received(
        session, {"type": "session.updated", "session": {"input_audio_transcription": {"model": "whisper-1"}}}
    )
    (turn,) = received(session, transcribed({"type": "duration", "seconds": 3}))
    assert (turn.ended, turn.ask.model) == (True, "whisper-1")
    reading = turn.reader.reading()
    assert (reading.usage, reading.complete) == (Usage(input_audio_ms=3000), True)


def test_a_transcription_that_reports_nothing_counts_for_nothing() -> None:
    assert received(realtime(), transcribed(None)) == []
    assert received(realtime(), transcribed({"seconds": "nan"})) is not None


def test_a_report_of_time_is_read_where_it_stands_beside_the_response() -> None:
    session = realtime()
    received(session, created("a"))
    usage = {"input_tokens": 156, "output_tokens": 185, "billable_audio_seconds": 5.25}
    (turn,) = received(session, done("a", usage={}) | {"usage": usage})
    reading = turn.reader.reading()
    assert reading.usage == Usage(input_tokens=156, output_tokens=185, input_audio_ms=5250)
    assert reading.complete


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_however_a_response_ends_its_report_counts(status: str) -> None:
    session = realtime()
    received(session, created("a"))
    (turn,) = received(session, done("a", status))
    assert turn.ended
    assert turn.failed == (status == "failed")
    assert turn.reader.reading().complete


# OpenAI Responses


def responses() -> Live:
    return live("openai.responses", "/v1/responses")


def test_responses_ask_with_the_body_that_a_post_has() -> None:
    session = responses()
    body = {"type": "response.create", "model": "gpt-5.4", "max_output_tokens": 9, "input": "hi"}
    ask = asked(session, body).ask
    assert (ask.model, ask.output_cap, ask.open_input) == ("gpt-5.4", 9, False)
    assert ask.body_bytes == len(json.dumps(body))
    again = sent(session, body | {"previous_response_id": "resp_1"})
    assert again
    assert again.ask.open_input
    assert sent(session, {"type": "response.cancel"}) is None


def test_responses_come_one_after_the_other() -> None:
    session = responses()
    body = {"type": "response.create", "model": "gpt-5.4", "input": "hi"}
    first, second = asked(session, body), asked(session, body)
    usage = {"input_tokens": 5, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}}
    assert received(session, {"type": "response.created", "response": {"id": "a"}}) == [first]
    assert received(session, {"type": "codex.rate_limits"}) == []
    assert received(session, {"type": "response.output_text.delta", "delta": "x"}) == [first]
    completed = {"type": "response.completed", "response": {"id": "a", "status": "completed", "usage": usage}}
    assert received(session, completed) == [first]
    assert first.reader.reading().usage == Usage(input_tokens=5, output_tokens=7, reasoning_tokens=3)
    assert received(session, {"type": "error", "status": 400, "error": {"code": "no"}}) == [second]
    assert (first.failed, second.failed, second.ended) == (False, True, True)
    assert received(session, {"type": "response.output_text.delta", "delta": "x"}) == []
    (unasked,) = received(session, {"type": "response.created", "response": {"id": "c"}})
    assert (unasked.asked, unasked.ask.model) == (False, "gpt-5.4")


def test_a_response_whose_turn_an_error_ended_is_counted_all_the_same() -> None:
    session = responses()
    turn = asked(session, {"type": "response.create", "model": "gpt-5.4", "input": "hi"})
    received(session, {"type": "response.created", "response": {"id": "a"}})
    assert received(session, {"type": "error", "error": {"code": "invalid_message"}}) == [turn]
    usage = {"input_tokens": 5, "output_tokens": 7}
    completed = {"type": "response.completed", "response": {"id": "a", "status": "completed", "usage": usage}}
    (again,) = received(session, completed)
    assert again is not turn
    assert (again.ended, again.asked, again.ask.model) == (True, False, "gpt-5.4")
    assert again.reader.reading().usage == Usage(input_tokens=5, output_tokens=7)
    assert received(session, {"type": "response.failed", "response": {"id": "b", "status": "failed"}}) == []


# Gemini Live

TEXT = {"serverContent": {"modelTurn": {"parts": [{"text": "hello"}]}}}
COMPLETE = {"serverContent": {"turnComplete": True}}
USAGE = {"usageMetadata": {"promptTokenCount": 10, "responseTokenCount": 4, "totalTokenCount": 14}}


@pytest.mark.parametrize(
    "message",
    [
        {"clientContent": {"turns": [], "turnComplete": True}},
        {"client_content": {"turns": [], "turn_complete": True}},
        {"realtimeInput": {"text": "hi"}},
        {"toolResponse": {"functionResponses": []}},
    ],
)
def test_content_asks_for_a_turn(message: Any) -> None:
    session = gemini()
    turn = asked(session, message)
    assert (turn.asked, turn.ask.model, turn.ask.output_cap) == (True, "gemini-live", 9)
    assert received(session, TEXT) == [turn]
    assert received(session, COMPLETE | USAGE) == [turn]
    assert turn.ended
    assert turn.reader.reading().usage == Usage(input_tokens=10, output_tokens=4)


def test_content_that_is_to_be_continued_asks_for_nothing() -> None:
    assert sent(gemini(), {"clientContent": {"turns": []}}) is None


def test_sound_may_be_answered_and_opens_one_turn_only() -> None:
    session = gemini()
    sound = {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "A" * 42_664}}}
    turn = asked(session, sound)
    assert (turn.asked, turn.ask.media) == (False, True)
    assert turn.ask.body_bytes < 400  # a second of sound is 25 tokens
    assert sent(session, sound) is None
    assert sent(session, {"toolResponse": {}}) is None
    received(session, TEXT)
    received(session, COMPLETE | USAGE)
    assert sent(session, sound) is not None


def test_a_complete_turn_waits_for_its_usage() -> None:
    session = gemini()
    turn = asked(session, {"realtimeInput": {"text": "hi"}})
    received(session, TEXT)
    assert received(session, COMPLETE) == [turn]
    assert not turn.ended
    assert received(session, USAGE) == [turn]
    assert turn.ended


def test_a_turn_that_never_reports_ends_where_the_next_begins() -> None:
    session = gemini()
    turn = asked(session, {"realtimeInput": {"text": "hi"}})
    received(session, TEXT)
    received(session, COMPLETE)
    first, second = received(session, TEXT)
    assert first is turn is not second
    assert (first.ended, second.ended, second.asked) == (True, False, False)
    assert first.reader.reading().output_bytes == second.reader.reading().output_bytes == 5


def test_usage_that_belongs_to_no_turn_is_not_lost() -> None:
    (turn,) = received(gemini(), USAGE)
    assert turn.ended
    assert turn.reader.reading().usage == Usage(input_tokens=10, output_tokens=4)


def test_older_models_bill_a_turn_once_however_often_they_searched() -> None:
    searched = {"serverContent": {"groundingMetadata": {"webSearchQueries": ["a", "b"]}}}
    for model, billed in (("gemini-2.5-flash-native-audio", 1), ("gemini-3.1-flash-live", 2)):
        session = live("gemini.live", "/")
        sent(session, {"setup": {"model": f"models/{model}"}})
        turn = asked(session, {"realtimeInput": {"text": "hi"}})
        for message in (searched, COMPLETE, USAGE):
            received(session, message)
        usage = turn.reader.reading().usage
        assert usage is not None
        assert usage.web_searches == billed


@pytest.mark.parametrize(
    "message", [COMPLETE, {"setupComplete": {}}, {"goAway": {}}, {"serverContent": {"interrupted": True}}]
)
def test_what_generates_nothing_begins_nothing(message: Any) -> None:
    assert received(gemini(), message) == []


# any bytes

SESSIONS = st.sampled_from(["openai.realtime", "openai.responses", "gemini.live"])
KEYS = st.sampled_from(
    ["type", "response", "id", "usage", "session", "audio", "error", "event_id", "serverContent", "setup",
     "model", "clientContent", "realtimeInput", "turnComplete", "modelTurn", "usageMetadata", "input_tokens",
     "seconds", "delta"]
)  # fmt: skip
KINDS = st.sampled_from(
    [
        "response.create",
        "response.created",
        "response.done",
        "response.completed",
        "response.text.delta",
        "conversation.item.input_audio_transcription.completed",
        "session.updated",
        "error",
    ]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KINDS
INNER = PLAIN | st.dictionaries(KEYS, PLAIN, max_size=3) | st.lists(PLAIN, max_size=2)
VALUES = KINDS | INNER | st.dictionaries(KEYS, INNER, max_size=3)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5).map(lambda each: json.dumps(each).encode())
MESSAGES = st.binary(max_size=50) | OBJECTS


@given(SESSIONS, st.lists(st.tuples(st.booleans(), MESSAGES), max_size=8))
def test_no_messages_make_it_stumble(api: Any, conversation: list[tuple[bool, bytes]]) -> None:
    session = live(api, "/v1/realtime?model=m")
    ended: set[Turn[Any]] = set()
    for from_client, message in conversation:
        if from_client:
            turn = session.sent(message)
            if turn is not None:
                session.let_through(turn)
            continue
        for turn in session.received(message):
            assert turn not in ended  # what is over stays over
            turn.reader.reading()
            if turn.ended:
                ended.add(turn)
