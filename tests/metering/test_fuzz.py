"""Every meter, whatever it is fed: nothing raises, nothing is negative, nothing is forgotten, and memory
stays within bounds.
"""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetd.metering import Api, Ask, Reading, Usage, meter, peek
from budgetd.metering.decoder import MOST
from metering.exchanges import CODINGS, STREAMS, cut, eventstream, invoked, json_array, read, sse

SPOKEN: set[Api] = {"openai.realtime", "gemini.live"}
"""Over WebSockets only: they have sessions of their own, not meters."""

APIS: list[Api] = [api for api in get_args(Api) if api not in SPOKEN]

FIELDS = """
    type model id usage message delta text content choices data error result response item output tools
    name input_tokens output_tokens total_tokens prompt_tokens completion_tokens cached_tokens
    image_tokens audio_tokens reasoning_tokens text_tokens cache_write_tokens cache_read_input_tokens
    thinking_tokens cache_creation_input_tokens cache_creation ephemeral_5m_input_tokens
    ephemeral_1h_input_tokens iterations server_tool_use web_search_requests prompt_tokens_details
    completion_tokens_details input_tokens_details output_tokens_details input_token_details
    cached_tokens_details cached_image_tokens tool_usage image_gen web_search num_requests x_groq
    prompt_cache_hit_tokens num_cached_tokens prompt_audio_seconds seconds duration cost cost_details
    upstream_inference_cost is_byok total_cost cost_in_usd_ticks svg_usage service_tier status
    candidates usageMetadata promptTokenCount candidatesTokenCount thoughtsTokenCount
    cachedContentTokenCount toolUsePromptTokenCount promptTokensDetails candidatesTokensDetails modality
    tokenCount embedding embeddings predictions statistics token_count bytesBase64Encoded finishReason
    billed_units meta search_units images event_type is_finished metrics inputTokens outputTokens bytes
    cacheReadInputTokens cacheWriteInputTokens inputTokenCount outputTokenCount generation done
    amazon-bedrock-invocationMetrics prompt_eval_count eval_count prompt_token_count generation_token_count
    usage_breakdown models plugins modelVersion groundingMetadata webSearchQueries content_block signature
""".split()  # noqa: SIM905 - in few lines
KINDS = """
    message_start message_delta message_stop error message compaction advisor_message response.completed
    response.output_item.done web_search_call file_search_call image_generation.completed
    speech.audio.done transcript.text.done transcript.text.delta message-end stream-end succeeded
    message_batch IMAGE AUDIO m
""".split()  # noqa: SIM905 - in few lines

NUMBERS = st.one_of(
    st.integers(0, 3000),
    st.integers(),
    st.floats(),
    st.sampled_from([MOST, MOST + 1, 2**63, 2**64, -(2**63), 10**400, "7", "-7", "1e9", "NaN", ""]),
)
SCALARS = NUMBERS | st.none() | st.booleans() | st.sampled_from(KINDS) | st.text(max_size=5)
DOCUMENTS = st.dictionaries(
    st.sampled_from(FIELDS),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)
        ),
        max_leaves=25,
    ),
    max_size=8,
)
BRIEF = settings(max_examples=40)
"""There are many APIs."""
each_api = pytest.mark.parametrize("api", APIS)


def usages(reading: Reading) -> Iterator[Usage]:
    if reading.usage is not None:
        yield reading.usage
    for _, usage in reading.others:
        yield usage


def sound(reading: Reading) -> None:
    """What holds of whatever is read."""
    for usage in usages(reading):
        counts = {field: getattr(usage, field) for field in usage.__struct_fields__}
        assert all(isinstance(count, int) and count >= 0 for count in counts.values())
        assert usage.cache_read_tokens + usage.cache_write_tokens <= usage.input_tokens
        assert usage.cache_write_1h_tokens <= usage.cache_write_tokens
        assert usage.input_audio_tokens + usage.input_image_tokens <= usage.input_tokens
        assert usage.cache_read_audio_tokens + usage.cache_read_image_tokens <= usage.cache_read_tokens
        assert usage.cache_read_audio_tokens <= usage.input_audio_tokens
        assert usage.cache_read_image_tokens <= usage.input_image_tokens
        assert usage.output_audio_tokens + usage.output_image_tokens <= usage.output_tokens
        assert usage.reasoning_tokens <= usage.output_tokens
    assert reading.cost_nusd is None or 0 <= reading.cost_nusd < 2**63
    assert reading.output_bytes >= 0
    texts = (reading.model, reading.service_tier, reading.geo, reading.response_id)
    assert all(len(text.encode()) <= 4 * 200 for text in texts)


def framings(documents: list[dict[str, Any]]) -> Iterator[bytes]:
    """The ways in which documents come."""
    yield json.dumps(documents[0]).encode()
    yield sse(*documents, "[DONE]")
    yield b"".join(json.dumps(each).encode() + b"\n" for each in documents)
    yield json_array(documents)
    yield eventstream(*documents)
    yield invoked(*documents)


@each_api
@BRIEF
@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_any_document_of_real_fields_reads_the_same_however_it_is_cut(
    api: Api, documents: list[dict[str, Any]], seed: int
) -> None:
    for body in framings(documents):
        whole = read(api, body, "")
        sound(whole)
        assert read(api, body, "", "", seed) == whole
        assert read(api, CODINGS["gzip"](body), "", "gzip", seed) == whole


@each_api
@BRIEF
@given(
    body=st.binary(max_size=300),
    content_type=st.sampled_from(["", "audio/mpeg", "text/event-stream", "application/json"]),
    coding=st.sampled_from(["", "gzip", "br", "zstd, gzip", "deflate", "x"]),
    seed=st.integers(0, 1000),
)
def test_any_bytes_are_survived(api: Api, body: bytes, content_type: str, coding: str, seed: int) -> None:
    sound(read(api, body, content_type, coding, seed))
    asked = peek(api, "/v1/models/m:x", body, coding)
    assert asked.body_bytes >= 0


@each_api
@BRIEF
@given(body=DOCUMENTS)
def test_any_request_of_real_fields_is_survived(api: Api, body: dict[str, Any]) -> None:
    ask: Ask = peek(api, "/v1/models/m:x", json.dumps(body).encode())
    assert ask.output_cap is None or ask.output_cap >= 0
    assert ask.server_tool_uses is None or ask.server_tool_uses >= 0
    assert min(ask.choices, ask.requests) >= 1
    assert min(ask.images, ask.input_characters) >= 0


REPORTS = st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 9999)), min_size=1, max_size=5)


@given(reports=REPORTS)
def test_progress_is_never_less_than_the_last_report(reports: list[tuple[int, int]]) -> None:
    events: dict[Api, Any] = {
        "anthropic.messages": lambda into, out: {
            "type": "message_delta",
            "usage": {"input_tokens": into, "output_tokens": out},
        },
        "openai.chat": lambda into, out: {"usage": {"prompt_tokens": into, "completion_tokens": out}},
        "openai.responses": lambda into, out: {
            "type": "response.in_progress",
            "response": {"usage": {"input_tokens": into, "output_tokens": out}},
        },
        "openai.images": lambda into, out: {
            "type": "image_edit.completed",
            "usage": {"input_tokens": into, "output_tokens": out},
        },
        "openai.speech": lambda into, out: {"usage": {"input_tokens": into, "output_tokens": out}},
        "openai.transcriptions": lambda into, out: {"usage": {"input_tokens": into, "output_tokens": out}},
        "gemini.generate": lambda into, out: {
            "usageMetadata": {"promptTokenCount": into, "candidatesTokenCount": out}
        },
    }
    for api, event in events.items():
        running = meter(api, "text/event-stream")
        for into, out in reports:
            running.feed(sse(event(into, out)))
            usage = running.progress().usage
            assert usage is not None
            assert usage.input_tokens >= into
            assert usage.output_tokens >= out


@each_api
@pytest.mark.parametrize("start", [b'{"a":"', b"[{", b"data: ", b"\x00\x00\x00\xff\x00\x00\x00\x01", b"\xff"])
def test_a_body_without_end_is_held_within_bounds(api: Api, start: bytes) -> None:
    piece = b"x" * (1 << 20)
    running = meter(api, "")
    tracemalloc.start()
    try:
        running.feed(start)
        for _ in range(80):
            running.feed(piece)
        assert tracemalloc.get_traced_memory()[0] < 40 << 20
    finally:
        tracemalloc.stop()
    sound(running.finish())


@pytest.mark.parametrize(("api", "content_type", "body"), STREAMS, ids=lambda each: str(each)[:20])
def test_many_events_leave_no_trace_in_memory(api: Api, content_type: str, body: bytes) -> None:
    body = body if content_type == "text/event-stream" else b""
    running = meter(api, content_type)
    running.feed(body)
    tracemalloc.start()
    try:
        for _ in range(200):
            for chunk in cut(body, 1):
                running.feed(chunk)
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()
    sound(running.finish())
