"""Amazon's binary event stream, and JSON documents by line: framing in bounded memory, however it is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering import eventstream, ndjson
from metering.exchanges import cut, message


def split(
    splitter: eventstream.Splitter | ndjson.Splitter, body: bytes, seed: int | None = None
) -> list[bytes]:
    out: list[bytes] = []
    for chunk in [body] if seed is None else cut(body, seed):
        out += splitter.feed(chunk)
    return out + splitter.close()


class TestEventStream:
    @given(
        st.lists(st.tuples(st.binary(max_size=40), st.text("ab:", max_size=9)), max_size=6),
        st.integers(0, 99),
    )
    def test_payloads_come_out_as_they_went_in(self, sent: list[tuple[bytes, str]], seed: int) -> None:
        body = b"".join(message(payload, kind) for payload, kind in sent)
        payloads = [payload for payload, _ in sent if payload]
        assert split(eventstream.Splitter(), body) == payloads
        assert split(eventstream.Splitter(), body, seed) == payloads

    def test_a_message_that_breaks_off_is_dropped(self) -> None:
        body = message(b"one") + message(b"two")
        for at in range(len(message(b"one")), len(body)):
            assert split(eventstream.Splitter(), body[:at]) == [b"one"]

    def test_wrong_checksums_are_the_clients_to_find(self) -> None:
        one = message(b"one")
        assert split(eventstream.Splitter(), one[:-4] + b"\0\0\0\0") == [b"one"]
        assert split(eventstream.Splitter(), one[:8] + b"\0\0\0\0" + one[12:]) == [b"one"]

    @pytest.mark.parametrize(
        "prelude",
        [b"\0" * 12, b"\0\0\0\x10\xff\xff\xff\xff\0\0\0\0", b"\0\0\0\x20\0\0\0\x11\0\0\0\0", b"\xff" * 12],
    )
    def test_what_can_be_no_message_ends_the_reading(self, prelude: bytes) -> None:
        splitter = eventstream.Splitter()
        assert splitter.feed(message(b"one") + prelude) == [b"one"]
        assert splitter.feed(b"x" * 100 + message(b"two")) == splitter.close() == []

    def test_a_message_too_long_is_not_held(self) -> None:
        splitter = eventstream.Splitter(limit=len(message(b"x" * 48)))
        assert splitter.feed(message(b"x" * 48)) == [b"x" * 48]
        assert splitter.feed(message(b"x" * 49)[:12]) == []
        assert splitter.feed(message(b"two")) == []

    @given(
        st.binary(max_size=300) | st.binary(max_size=30).map(lambda tail: message(b"one") + tail),
        st.integers(0, 99),
    )
    def test_any_bytes_come_out_the_same_however_they_are_cut(self, body: bytes, seed: int) -> None:
        assert split(eventstream.Splitter(99), body) == split(eventstream.Splitter(99), body, seed)


class TestByLine:
    @pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\n\n", b" \n "])
    def test_each_line_is_a_document(self, line_end: bytes) -> None:
        body = line_end.join((b'{"a": {"b": 1}}', b"{}", b"", b'{"c": "}\\n{"}'))
        assert split(ndjson.Splitter(), body) == [b'{"a": {"b": 1}}', b"{}", b'{"c": "}\\n{"}']

    def test_a_document_comes_out_as_soon_as_its_line_ends(self) -> None:
        assert ndjson.Splitter().feed(b'{"a": 1}\n') == [b'{"a": 1}']

    @pytest.mark.parametrize("body", [b'{"a": 1}', b'{\n "a": {\n  "b": 1\n }\n}', b'{"a":\n{"b": 1}\n}'])
    def test_a_body_of_one_document_is_taken_whole(self, body: bytes) -> None:
        for seed in range(9):
            assert split(ndjson.Splitter(), body + b"\n", seed) == [body]

    def test_lines_that_are_no_objects_are_passed_over(self) -> None:
        assert split(ndjson.Splitter(), b'{}\nnull\n[]\n"x"\n{"a": 1}\n{"cut": ') == [
            b"{}",
            b'{"a": 1}',
            b'{"cut":',
        ]

    @pytest.mark.parametrize("before", [b"", b"{}\n"])
    @pytest.mark.parametrize("after", [b"", b"\n"])
    def test_a_line_too_long_ends_the_reading(self, before: bytes, after: bytes) -> None:
        body = before + b'{"' + b"x" * 99 + b'"}' + after + b"\n{}\n"
        for seed in (None, 1, 2):
            assert split(ndjson.Splitter(50), body, seed) == ([b"{}"] if before else [])

    WORDS = st.sampled_from([*b'{ } {"a":1} [ ] \n \r\n "x" '.split(b" "), b"\n", b"\r\n", b"x" * 20])

    @given(st.lists(WORDS, max_size=30).map(b"".join), st.integers(0, 99))
    def test_any_bytes_come_out_the_same_however_they_are_cut(self, body: bytes, seed: int) -> None:
        assert split(ndjson.Splitter(), body) == split(ndjson.Splitter(), body, seed)
