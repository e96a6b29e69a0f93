"""Responses that are not quite HTTP: what has one meaning is read and written anew, its body unchanged; what
has none is refused. Whatever an upstream sends, a client that forgives nothing can read what it gets.
"""

import json
from itertools import pairwise
from pathlib import Path

import h11
import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy import taker
from proxy.answers import ANSWERS
from proxy.setting import ASK, OK, between
from proxy.taker import Taker
from support import strict
from support.daemon import InProcess
from support.stream import Stream
from support.upstream import always, once

START = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = START + CHUNKED + b"\r\n"
"""The head in front of chunks."""
WHOLE = b"5\r\nhello\r\n0\r\n\r\n"


def exchange(*reads: bytes, method: str = "GET", closed: bool = False) -> tuple[Taker, bool]:
    """What a client gets of these reads, and whether the upstream's connection is used again. ``closed``: the
    upstream closes it after them, in good order.
    """
    client, connection, wire = taker.exchange(*reads, method=method)
    if closed and not wire.cut:
        connection.connection_lost(None)
    return client, connection.keep and not wire.cut


def problem(client: Taker) -> str:
    """Why its response broke off; empty if it did not."""
    assert len(client.ends) == 1
    return client.ends[0][0] or ""


def cuts(data: bytes) -> list[list[bytes]]:
    """In one, in two at every place, and byte by byte."""
    return [
        [data],
        *([data[:at], data[at:]] for at in range(1, len(data))),
        [bytes([byte]) for byte in data],
    ]


def strictly(client: Taker, *, bodiless: bool = False) -> strict.Read:
    """What the strictest client reads of what it was sent. The daemon's own parser agrees."""
    got = strict.read(client.raw, bodiless=bodiless)
    assert got.body == client.body
    if got.ended:
        assert got.end == len(client.raw)
    if not bodiless:
        httptools.HttpResponseParser(object()).feed_data(client.raw)
    return got


# what has one meaning

HEADS: dict[str, tuple[bytes, bytes]] = {
    "LF": (
        b"HTTP/1.1 200 OK\nX-A: caf\xe9\nContent-Length: 5\n\n",
        START + b"X-A: caf\xe9\r\n" + LENGTH,
    ),
    "LF here and there": (START + b"X-A: b\n" + LENGTH + b"\n", START + b"X-A: b\r\n" + LENGTH),
    "the same length twice": (START + LENGTH + b"content-length: 5\r\n\r\n", START + LENGTH),
    "the same length in a list": (START + b"Content-Length: 5, 5\r\n\r\n", START + LENGTH),
    "the same length, padded": (START + b"Content-Length: 005\r\n" + LENGTH + b"\r\n", START + LENGTH),
    "folded": (
        START + b"X-A: one\r\n two\r\n\tthree\r\n" + LENGTH + b"\r\n",
        START + b"X-A: one two three\r\n" + LENGTH,
    ),
    "folded length": (START + b"Content-Length:\r\n 5\r\n\r\n", START + LENGTH),
    "space before the colon": (START + b"Content-Length : 5\r\n\r\n", START + LENGTH),
    "NUL": (START + b"X-A: a\x00b\r\n" + LENGTH + b"\r\n", START + b"X-A: a b\r\n" + LENGTH),
    "bare CR": (START + b"X-A: a\rX-B: b\r\n" + LENGTH + b"\r\n", START + b"X-A: a X-B: b\r\n" + LENGTH),
    "control characters": (START + b"X-A: \x01a\x7f\r\n" + LENGTH + b"\r\n", START + b"X-A: a\r\n" + LENGTH),
    "NUL in the reason": (
        b"HTTP/1.1 200 O\x00K\x1b\r\n" + LENGTH + b"\r\n",
        b"HTTP/1.1 200 O K \r\n" + LENGTH,
    ),
    "two spaces": (b"HTTP/1.1  200  OK\r\n" + LENGTH + b"\r\n", START + LENGTH),
    "HTTP/2.0": (b"HTTP/2.0 200 OK\r\n" + LENGTH + b"\r\n", START + LENGTH),
    "HTTP/0.9": (b"HTTP/0.9 200 OK\r\n" + LENGTH + b"\r\n", START + LENGTH),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\n" + LENGTH + b"\n", b"HTTP/1.0 200 OK\r\n" + LENGTH),
    "blank lines first": (b"\r\n\n\r\n" + START + LENGTH + b"\r\n", START + LENGTH),
    "identity": (START + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\n", START + LENGTH),
    "LF interim": (
        b"HTTP/1.1 103 Early Hints\nLink: </a>\n\n" + START + LENGTH + b"\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + START + LENGTH,
    ),
    "interim with a body": (
        b"HTTP/1.1 102 Processing\r\n" + LENGTH + b"\r\n" + START + LENGTH + b"\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" + START + LENGTH,
    ),
    "interim that closes": (
        b"HTTP/1.0 100 Continue\r\nConnection: close\r\n\r\n" + START + LENGTH + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + START + LENGTH,
    ),
    "blank line after interim": (
        b"HTTP/1.1 100 Continue\r\n\r\n\r\n" + START + LENGTH + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + START + LENGTH,
    ),
}
"""Malformed heads in front of `hello`, and what the client gets for them."""


@pytest.mark.parametrize(("head", "mended"), HEADS.values(), ids=HEADS)
def test_a_malformed_head_is_written_anew_wherever_it_is_cut(head: bytes, mended: bytes) -> None:
    for reads in cuts(head + b"hello"):
        client, kept = exchange(*reads)
        assert client.raw == mended + b"\r\nhello"
        assert client.body == b"hello"
        assert problem(client) == ""
        assert not kept
        assert strictly(client).ended


FRAMINGS: dict[str, tuple[bytes, bytes]] = {
    "length first": (START + LENGTH + CHUNKED + b"\r\n", CHUNKS),
    "length last": (START + CHUNKED + b"Content-Length: 9\r\n\r\n", CHUNKS),
    "many": (
        START + b"Content-Length: 1, 1\r\n" + CHUNKED + b"X-A: b\r\nContent-Length: 1\r\n\r\n",
        CHUNKS[:-2] + b"X-A: b\r\n\r\n",
    ),
    "stated twice": (START + CHUNKED + b"transfer-encoding: Chunked\r\n\r\n", CHUNKS),
    "listed twice": (START + b"Transfer-Encoding: chunked, chunked\r\n\r\n", CHUNKS),
    "and identity": (START + b"Transfer-Encoding: identity, chunked\r\n\r\n", CHUNKS),
    "with a comma": (START + b"Transfer-Encoding: ,chunked,\r\n\r\n", CHUNKS),
    "LF": (b"HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n\n", START + b"Transfer-Encoding: Chunked\r\n\r\n"),
}
"""Heads that leave the framing in doubt, before well-formed chunks, and what the client gets for them."""


@pytest.mark.parametrize(("head", "mended"), FRAMINGS.values(), ids=FRAMINGS)
def test_chunks_count_and_the_length_beside_them_is_left_out(head: bytes, mended: bytes) -> None:
    for reads in cuts(head + WHOLE):
        client, kept = exchange(*reads)
        assert client.raw == mended + WHOLE
        assert problem(client) == ""
        assert not kept
        assert strictly(client).ended


ODD_CHUNKS: dict[str, bytes] = {
    "LF": b"5\nhello\n0\n\n",
    "LF after sizes": b"2\nhe\r\n3\nllo\r\n0\n\r\n",
    "LF after data": b"2\r\nhe\n3\r\nllo\n0\r\n\r\n",
    "LF after the last": b"5\r\nhello\r\n0\n\n",
    "LF at the very end": b"5\r\nhello\r\n0\r\n\n",
    "LF in trailers": b"5\r\nhello\r\n0\r\nX-A: b\nX-B: c\n\n",
    "spaces around sizes": b" 2 \r\nhe\r\n3\t\r\nllo\r\n0 \r\n\r\n",
    "empty extension": b"5;\r\nhello\r\n0;\r\n\r\n",
    "spaces in an extension": b"5 ; a = b\r\nhello\r\n0\r\n\r\n",
    "extension of any bytes": b'5;a="\x00\xff\r\nhello\r\n0\r\n\r\n',
    "malformed trailers": b"5\r\nhello\r\n0\r\nno colon\r\nX : a\x00\r\n\r\n",
    "framing in trailers": b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
}
"""Malformed chunks of `hello`."""


@pytest.mark.parametrize("before", [b"", b"6\r\nwell, \r\n", b"1;a=b\r\n\n\r\n"], ids=["", "well", "newline"])
@pytest.mark.parametrize("chunks", ODD_CHUNKS.values(), ids=ODD_CHUNKS)
def test_malformed_chunks_are_written_anew_wherever_they_are_cut(before: bytes, chunks: bytes) -> None:
    body = before.partition(b"\r\n")[2][:-2] + b"hello"
    for reads in cuts(CHUNKS + before + chunks):
        client, kept = exchange(*reads)
        assert client.body == body
        assert problem(client) == ""
        assert client.raw.startswith(CHUNKS)
        assert not kept
        assert strictly(client).ended


@pytest.mark.parametrize(
    "last", [b"0\r\n", b"0\n", b"0;a=b\r\n", b"0\r\nX-A: b\r\n", b"0\r\nX-A", b"0\r\n\r"]
)
@pytest.mark.parametrize("chunks", [b"5\r\nhello\r\n", b"5\nhello\n"], ids=["CRLF", "LF"])
def test_a_body_whose_last_chunk_came_is_whole_when_the_upstream_closes(chunks: bytes, last: bytes) -> None:
    for reads in cuts(CHUNKS + chunks + last):
        client, _ = exchange(*reads)
        assert client.ends == []  # more may come
        client, kept = exchange(*reads, closed=True)
        assert client.ends == [(None, True)]
        assert client.body == b"hello"
        assert not kept
        assert strictly(client).ended


# what has none

REFUSED: dict[str, bytes] = {
    "no HTTP": b"hello\r\n\r\n",
    "no HTTP, no line": b"\x16\x03\x01",
    "another protocol": b"RTSP/1.0 200 OK\r\n" + LENGTH + b"\r\nhello",
    "lower case": b"http/1.1 200 OK\r\n" + LENGTH + b"\r\nhello",
    "no version": b"HTTP/2 200\r\n\r\n",
    "no space": b"HTTP/1.1 200OK\r\n" + LENGTH + b"\r\nhello",
    "low status": b"HTTP/1.1 099 Low\r\n" + LENGTH + b"\r\nhello",
    "long status": b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\nhello",
    "no colon": START + b"X-A\r\n" + LENGTH + b"\r\nhello",
    "no name": START + b": a\r\n" + LENGTH + b"\r\nhello",
    "space in a name": START + b"X A: b\r\n" + LENGTH + b"\r\nhello",
    "folded first": START + b" X-A: b\r\n" + LENGTH + b"\r\nhello",
    "two lengths": START + LENGTH + b"Content-Length: 6\r\n\r\nhello!",
    "two lengths in a list": START + b"Content-Length: 5, 6\r\n\r\nhello!",
    "two lengths beside chunks": START + LENGTH + b"Content-Length: 6\r\n" + CHUNKED + b"\r\n" + WHOLE,
    "signed length": START + b"Content-Length: +5\r\n\r\nhello",
    "negative length": START + b"Content-Length: -5\r\n\r\nhello",
    "empty length": START + b"Content-Length:\r\n\r\nhello",
    "NUL in a length": START + b"Content-Length: 5\x00\r\n\r\nhello",
    "CR in a length": START + b"Content-Length: 5\r6\r\n\r\nhello",
    "spaced length": START + b"Content-Length: 5 5\r\n\r\nhello",
    "endless length": START + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "NUL in a coding": START + b"Transfer-Encoding: chunked\x00\r\n\r\n" + WHOLE,
    "chunked first": START + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + WHOLE,
    "unasked upgrade": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello",
    "LF upgrade": b"HTTP/1.1 101 Switching Protocols\nConnection: upgrade\nUpgrade: x\n\nhello",
    "no size": CHUNKS + b"\r\nhello\r\n0\r\n\r\n",
    "signed size": CHUNKS + b"+5\r\nhello\r\n0\r\n\r\n",
    "size with 0x": CHUNKS + b"0x5\r\nhello\r\n0\r\n\r\n",
    "endless size": CHUNKS + b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n",
    "CR in an extension": CHUNKS + b"5;a\r0\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_in_one_way_is_refused_before_anything_of_it_is_passed_on(answer: bytes) -> None:
    client, kept = exchange(answer)
    assert client.raw == b""
    assert problem(client).startswith("its response is not valid HTTP (")
    assert not kept
    for reads in cuts(answer):
        client, kept = exchange(*reads, closed=True)
        assert client.body == b""
        assert client.raw in {b"", CHUNKS}
        assert problem(client)
        assert not kept


@pytest.mark.parametrize(
    "broken",
    [
        b"5\r\nhello!\r\n",
        b"5\r\nhello\r\r\n",
        b"5\r\nhello\r!",
        b"5\r\nhello\r\nzz\r\n",
        b"5\r\nhello\r\n\r\n",
        b"5\nhello\nzz\n",
    ],
)
def test_where_chunks_go_wrong_in_the_middle_the_body_before_is_passed_on(broken: bytes) -> None:
    for reads in cuts(CHUNKS + broken + b"0\r\n\r\n"):
        client, kept = exchange(*reads)
        assert client.body == b"hello"
        assert problem(client)
        assert not kept
        assert not strictly(client).ended


def test_lines_between_chunks_do_not_grow_without_bounds() -> None:
    for begun in (b"5;", b"5 ;", b"0\r\nX-A: ", b"0\nX-A: "):
        client, _ = exchange(CHUNKS, begun, *[b"a" * 10_000] * 40)
        assert "long" in problem(client)
        assert not strictly(client).ended


# whatever comes

ENDS = st.sampled_from([b"\r\n", b"\n"])
SPACES = st.sampled_from([b"", b" ", b"\t "])
FIELDS = st.sampled_from(
    [
        b"X-A: b",
        b"X-A : b",
        b"X-A:b",
        b"X-Empty:",
        b"X-A: a\x00b\x1b",
        b"X-A: a\rb",
        b"X-A: one\r\n  two",
        b"X-A: \xff",
    ]
)
START_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1  201 Made",
        b"HTTP/2.0 200 OK",
        b"HTTP/1.1 200 O\x00K",
        b"HTTP/1.0 200 OK",
    ]
)
BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"5\r\nhello\r\n0\r\n\r\n", b"\r\n\r\n", b"0\r\n\r\n", b"\n", b"\r"]),
)


@st.composite
def odd_chunks(draw: st.DrawFn, body: bytes) -> bytes:
    chunks, left = b"", body
    while left:
        size = draw(st.integers(1, len(left)))
        extension = draw(st.sampled_from([b"", b"", b";a", b"; a = b"]))
        line = draw(SPACES) + b"%x" % size + draw(SPACES) + extension
        chunks += line + draw(ENDS) + left[:size] + draw(ENDS)
        left = left[size:]
    trailers = draw(st.sampled_from([b"", b"X-T: 1\r\n", b"X-T : \x00\n"]))
    return chunks + b"0" + draw(ENDS) + trailers + draw(ENDS)


@st.composite
def odd_responses(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """A response that has one meaning, in any of the ways in which upstreams write it; its body, and whether
    it ends with the connection.
    """
    body = draw(BODIES)
    fields = draw(st.lists(FIELDS, max_size=3))
    framing = draw(st.sampled_from(["length", "chunks", "close"]))
    framed = body
    if framing == "length":
        length = b"%d" % len(body)
        fields += draw(
            st.sampled_from(
                [
                    [b"Content-Length: " + length],
                    [b"content-length:" + length] * 2,
                    [b"Content-Length: %b,%b" % (length, length)],
                ]
            )
        )
    elif framing == "chunks":
        fields += draw(
            st.sampled_from(
                [
                    [b"Transfer-Encoding: chunked"],
                    [b"Content-Length: 3", b"Transfer-Encoding : Chunked"],
                    [b"Transfer-Encoding: chunked"] * 2,
                ]
            )
        )
        framed = draw(odd_chunks(body))
    fields = draw(st.permutations(fields))
    lines = [draw(START_LINES), *fields, b""]
    return b"".join(line + draw(ENDS) for line in lines) + framed, body, framing == "close"


@st.composite
def reads_of(draw: st.DrawFn, data: bytes) -> list[bytes]:
    places = sorted(draw(st.sets(st.integers(0, len(data)), max_size=6)))
    return [data[start:end] for start, end in pairwise([0, *places, len(data)])]


@settings(max_examples=400, deadline=None)
@given(
    data=st.data(),
    odd=odd_responses(),
    surplus=st.sampled_from([b"", b"", OK, b"\r\n", b"\n", b"0\r\n\r\n", b"x"]),
)
def test_what_upstreams_mean_reaches_the_strictest_client(
    data: st.DataObject, odd: tuple[bytes, bytes, bool], surplus: bytes
) -> None:
    answer, body, closes = odd
    surplus = b"" if closes else surplus
    client, kept = exchange(*data.draw(reads_of(answer + surplus)), closed=closes)
    assert problem(client) == ""
    assert client.body == body
    assert strictly(client).ended or closes
    assert not (kept and surplus)


SEEDS = [
    *(answer for answer in ANSWERS.values() if len(answer) < 500),
    *(head + b"hello" for head, _ in HEADS.values()),
    *(CHUNKS + chunks for chunks in ODD_CHUNKS.values()),
    *(head + WHOLE for head, _ in FRAMINGS.values()),
]
SPLICES = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\r\n",
        b" ",
        b"\x00",
        b":",
        b";",
        b",",
        b"0",
        b"5",
        b"f",
        b"x",
        b"\xff",
        b"\r\n\r\n",
        CHUNKED,
        LENGTH,
        WHOLE,
        OK,
    ]
)


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    answer = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 4))):
        at, until = sorted((draw(st.integers(0, len(answer))), draw(st.integers(0, len(answer)))))
        kind = draw(st.sampled_from(["insert", "replace", "delete", "double"]))
        if kind == "insert":
            answer = answer[:at] + draw(SPLICES) + answer[at:]
        elif kind == "replace":
            answer = answer[:at] + draw(SPLICES) + answer[at + 1 :]
        elif kind == "delete":
            answer = answer[:at] + answer[min(until, at + 5) :]
        else:
            answer = answer[:until] + answer[at:]
    return answer


@settings(max_examples=600, deadline=None)
@given(data=st.data(), answer=mutilated(), closed=st.booleans(), bodiless=st.booleans())
def test_whatever_an_upstream_sends_a_client_that_forgives_nothing_can_read(
    data: st.DataObject, answer: bytes, closed: bool, bodiless: bool
) -> None:
    method = "HEAD" if bodiless else "GET"
    client, kept = exchange(*data.draw(reads_of(answer)), method=method, closed=closed)
    got = strictly(client, bodiless=bodiless)
    if client.ends == [(None, True)]:
        assert got.ended
    if client.ends and client.ends[0][0] is not None:
        assert not got.ended
    assert not kept or got.ended


@settings(max_examples=300, deadline=None)
@given(data=st.data(), answer=mutilated())
def test_what_is_well_formed_passes_as_it_came(data: st.DataObject, answer: bytes) -> None:
    try:
        wanted = strict.read(answer)
    except strict.StrictError:
        return
    if not wanted.ended or b"HTTP/1.1 1" in answer:
        return
    client, _ = exchange(*data.draw(reads_of(answer)))
    assert client.raw == answer[: wanted.end]
    assert client.body == wanted.body


# through the daemon

REPLY = json.dumps(
    {"type": "message", "model": "claude-opus-4-8", "usage": {"input_tokens": 10, "output_tokens": 5}}
).encode()
SIZED = b"Content-Length: %d" % len(REPLY)
ODD: dict[str, bytes] = {
    "LF": b"HTTP/1.1 200 OK\n" + SIZED + b"\n\n" + REPLY,
    "the same length twice": START + SIZED + b"\r\n" + SIZED + b"\r\n\r\n" + REPLY,
    "a length beside chunks": START + LENGTH + CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(REPLY), REPLY),
    "LF chunks": CHUNKS + b"%x\n%b\n0\n\n" % (len(REPLY), REPLY),
}


async def strictly_asked(client: Stream, daemon: InProcess) -> tuple[int, bytes]:
    """Status and body of an answer, as another strict client reads them."""
    ours = h11.Connection(h11.CLIENT)
    ours.send(h11.Request(method="POST", target="/v1/messages", headers=[("Host", daemon.address)]))
    ours.send(h11.EndOfMessage())
    await client.send(daemon.request("POST", "/v1/messages", body=ASK))
    status, body = 0, b""
    while not isinstance(event := ours.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            ours.receive_data(await client.read_some())
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
    return status, body


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
async def test_what_was_answered_and_billed_arrives_and_is_counted(home: Path, answer: bytes) -> None:
    async with between(home, always(answer)) as (client, daemon, upstream):
        for _ in range(2):
            assert await strictly_asked(client, daemon) == (200, REPLY)
        for row in await daemon.rows(2):
            assert (row["outcome"], row["basis"], row["output_tokens"]) == ("ok", "reported", 5)
            assert row["response_bytes"] == len(REPLY)
        assert [len(each.messages) for each in upstream.connections] == [1, 1]  # neither is used again


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
async def test_it_arrives_at_a_client_of_http_1_0_too(home: Path, answer: bytes) -> None:
    async with between(home, once(answer)) as (client, daemon, _):
        request = daemon.request("POST", "/v1/messages", body=ASK)
        await client.send(request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n"))
        head, _, body = (await client.read_to_end()).partition(b"\r\n\r\n")
        assert body == REPLY
        assert b"chunked" not in head
        assert (await daemon.rows(1))[0]["basis"] == "reported"


async def test_two_lengths_that_differ_are_a_502_and_the_connection_is_cut(home: Path) -> None:
    answer = START + LENGTH + b"Content-Length: 6\r\n\r\nhello!"
    async with between(home, always(answer)) as (client, daemon, upstream):
        for _ in range(2):
            status, body = await strictly_asked(client, daemon)
            assert status == 502
            assert b"states two different Content-Length" in body
        assert {row["outcome"] for row in await daemon.rows(2)} == {"broken"}
        assert [len(each.messages) for each in upstream.connections] == [1, 1]
