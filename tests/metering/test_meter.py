"""The meter put together: framing, compression and bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering import Api, Reading, Usage, meter
from budgetd.metering.document import MAX_DOCUMENT
from metering.exchanges import CODINGS, STREAMS, cut, raw_deflate, read, sse

each_stream = pytest.mark.parametrize(
    ("api", "content_type", "body"), STREAMS, ids=lambda each: str(each)[:20]
)


@each_stream
@pytest.mark.parametrize("coding", [*CODINGS, "gzip, br", "zstd, deflate, gzip"])
def test_a_compressed_stream_reads_like_the_plain_one(
    api: Api, content_type: str, body: bytes, coding: str
) -> None:
    plain = read(api, body, content_type)
    assert plain.usage is not None
    packed = body
    for each in coding.split(", "):
        packed = CODINGS[each](packed)
    assert read(api, packed, content_type, coding) == plain
    for seed in range(3):
        assert read(api, packed, content_type, coding, seed) == plain


@each_stream
def test_bare_deflate_and_missing_types_are_understood(api: Api, content_type: str, body: bytes) -> None:
    plain = read(api, body, content_type)
    assert read(api, raw_deflate(body), content_type, "deflate", 1) == plain
    for declared in ("", "application/json", "text/plain", "text/event-stream"):
        assert read(api, b"\xef\xbb\xbf\r\n " + body, declared, "", 2) == plain


@each_stream
def test_a_stream_may_be_cut_at_any_byte(api: Api, content_type: str, body: bytes) -> None:
    for at in range(len(body)):
        reader = meter(api, content_type)
        reader.feed(body[:at])
        reader.feed(body[at:])
        assert reader.finish() == read(api, body, content_type)


@each_stream
def test_what_was_read_never_shrinks_while_it_streams(api: Api, content_type: str, body: bytes) -> None:
    reader = meter(api, content_type)
    last = Reading()
    for chunk in cut(body, 5):
        reader.feed(chunk)
        now = reader.progress()
        assert now.output_bytes >= last.output_bytes
        assert now.usage is not None or last.usage is None
        if now.usage is not None and last.usage is not None:
            assert now.usage.input_tokens >= last.usage.input_tokens
            assert now.usage.output_tokens >= last.usage.output_tokens
        last = now


@pytest.mark.parametrize(("api", "content_type", "body"), STREAMS)
def test_a_stream_that_is_killed_had_shown_what_it_is_settled_at(
    api: Api, content_type: str, body: bytes
) -> None:
    reader = meter(api, content_type)
    reader.feed(body[: len(body) * 2 // 3].rpartition(b"\n\n")[0] + b"\n\n")
    shown = reader.progress()
    assert reader.finish() == shown


def test_bytes_after_the_end_change_nothing() -> None:
    api, content_type, body = STREAMS[0]
    reader = meter(api, content_type)
    reader.feed(body)
    reading = reader.finish()
    reader.feed(body)
    assert reader.finish() == reader.progress() == reading


def test_an_unknown_coding_reads_nothing() -> None:
    assert read("openai.chat", b'{"usage":{"prompt_tokens":1}}', "application/json", "aes128gcm") == Reading()


def test_a_body_too_long_to_hold_reads_nothing() -> None:
    reader = meter("openai.chat", "application/json")
    reader.feed(b'{"usage":{"prompt_tokens":1},"choices":[],"x":"')
    for _ in range(MAX_DOCUMENT // 1_000_000 + 1):
        reader.feed(b"x" * 1_000_000)
    reader.feed(b'"}')
    assert reader.finish() == Reading()


@pytest.mark.parametrize("size", [1_000_000, 50])
def test_what_a_body_too_long_to_hold_reports_at_its_end_is_read(size: int) -> None:
    reader = meter("openai.embeddings", "application/json")
    reader.feed(b'{"object":"list","data":[{"embedding":[')
    for _ in range(MAX_DOCUMENT // 1_000_000 + 1):
        reader.feed(b"0.12345,\n " * 100_000)
    rest = b'0.1]}],\n"model":"text-embedding-3-large","usage" : {"prompt_tokens":7,"total_tokens":7}}'
    for at in range(0, len(rest), size):
        reader.feed(rest[at : at + size])
    reading = reader.finish()
    assert (reading.usage, reading.complete) == (Usage(input_tokens=7), True)


@pytest.mark.parametrize("within", [b'{"embedding":[1],"usage":{"prompt_tokens":9}}', b'"\\"usage\\":{}}"'])
def test_a_report_within_something_else_is_not_taken_for_that_of_a_body_too_long_to_hold(
    within: bytes,
) -> None:
    reader = meter("openai.embeddings", "application/json")
    reader.feed(b'{"data":["' + b"x" * MAX_DOCUMENT + b'",' + within + b"]}")
    assert reader.finish() == Reading()


def test_a_compressed_body_too_long_to_hold_reads_nothing() -> None:
    body = b'{"usage":{"prompt_tokens":1},"choices":[],"x":"' + b"x" * MAX_DOCUMENT + b'"}'
    assert read("openai.chat", CODINGS["gzip"](body), "application/json", "gzip") == Reading()


def test_events_without_end_are_read_without_growing() -> None:
    body = sse({"choices": [{"index": 0, "delta": {"content": "x" * 100}}]})
    reader = meter("openai.chat", "text/event-stream", "br")
    packed = CODINGS["br"](body * 20_000)
    assert len(packed) < 10_000
    reader.feed(packed)
    assert reader.finish().output_bytes == 2_000_000


APIS = st.sampled_from([stream[0] for stream in STREAMS])
TYPES = st.sampled_from(["", "text/event-stream", "application/json; charset=UTF-8", "text/html"])
WORDS = st.sampled_from(
    [
        *rb'{ } [ ] " \ , : -1 12 1e999 null NaN [DONE] data: "x" "\ud800" "message_delta"'.split(),
        *rb'"usage": "usageMetadata": "promptTokenCount": "prompt_tokens": "output_tokens":'.split(),
        *rb'"type": "cost": "iterations":['.split(),
        *(b"data: ", b"\n\n", b"\r\n", b" ", b"\xff", b"\xc3", b"event: x\n"),
        b'{"choices":[{"delta":{"content":"hi"}}]}',
    ]
)
SOUP = st.one_of(st.binary(max_size=200), st.lists(WORDS, max_size=40).map(b"".join))
STREAM_BODIES = st.sampled_from([stream[2] for stream in STREAMS])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real stream with a part of it taken out or replaced."""
    body = draw(STREAM_BODIES)
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 50)))
    return body[:start] + draw(SOUP) + body[end:]


def sound(reading: Reading) -> None:
    usages = [*([reading.usage] if reading.usage else []), *(usage for _, usage in reading.others)]
    for usage in usages:
        assert all(getattr(usage, field) >= 0 for field in usage.__struct_fields__)
        assert usage.cache_read_tokens + usage.cache_write_tokens <= usage.input_tokens
        assert usage.cache_write_1h_tokens <= usage.cache_write_tokens
        assert max(usage.reasoning_tokens, usage.output_audio_tokens) <= usage.output_tokens
    assert reading.output_bytes >= 0
    assert reading.cost_nusd is None or reading.cost_nusd >= 0


@given(APIS, TYPES, SOUP | mutated(), st.integers(0, 1000))
def test_any_bytes_read_the_same_however_they_are_cut(
    api: Api, content_type: str, body: bytes, seed: int
) -> None:
    whole = read(api, body, content_type)
    sound(whole)
    assert read(api, body, content_type, "", seed) == whole


@given(APIS, TYPES, SOUP | mutated(), st.sampled_from([*CODINGS, "gzip, zstd"]), st.integers(0, 1000))
def test_any_bytes_well_compressed_read_as_if_they_were_plain(
    api: Api, content_type: str, body: bytes, coding: str, seed: int
) -> None:
    packed = body
    for each in coding.split(", "):
        packed = CODINGS[each](packed)
    assert read(api, packed, content_type, coding, seed) == read(api, body, content_type)


@given(
    APIS,
    TYPES,
    SOUP,
    st.text(max_size=20) | st.sampled_from([*CODINGS, "br,br", "identity"]),
    st.integers(0, 99),
)
def test_any_bytes_under_any_declared_coding_are_survived(
    api: Api, content_type: str, body: bytes, coding: str, seed: int
) -> None:
    sound(read(api, body, content_type, coding, seed))
    sound(read(api, CODINGS["gzip"](body)[:-3] + body, content_type, coding, seed))
