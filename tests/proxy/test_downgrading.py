"""Requests that go on with another model: nothing else of what the upstream gets is changed."""

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import zstandard

from budgetd.metering.decompress import inflate
from budgetd.proxy.till import Candidate, Ticket
from proxy.scripted import ScriptedTill, hold_all, pass_all, scripted
from proxy.setting import ASK, END, HEAD, OK, START, STREAM, TEXT, between
from support.daemon import running
from support.stream import chunked
from support.upstream import Upstream, always, once

BODY = (
    b' {"x":{"model":"nested"}, "model" : "claude-opus-4-8" ,"s":"caf\xc3\xa9 \\u00e9 \\"model\\":\\"q\\""}\n'
)
CHANGED = b' {"x":{"model":"nested"}, "model" : "cheap" ,"s":"caf\xc3\xa9 \\u00e9 \\"model\\":\\"q\\""}\n'
CHUNKED = b"Transfer-Encoding: chunked"


def downgrade_all(till: ScriptedTill, candidate: Candidate) -> Ticket:
    return till.let_through(candidate, "cheap")


async def test_only_the_model_and_the_length_change(home: Path) -> None:
    extra = (b"anthropic-version: 2023-06-01", b"X-Dup: 1", b"x-dup: 2", b"X-Latin: caf\xe9", b"x-empty:")
    async with between(home, always(OK)) as (client, daemon, upstream):
        for decide in (pass_all, downgrade_all):
            scripted(daemon, decide)
            await client.send(daemon.request("POST", "/v1/messages?beta=true", *extra, body=BODY))
            assert (await client.response()).raw == OK
        before, after = upstream.requests
        assert (before.framed, after.framed) == (BODY, CHANGED)
        length, shorter = b"Content-Length: %d\r\n" % len(BODY), b"Content-Length: %d\r\n" % len(CHANGED)
        assert before.head.replace(length, shorter) == after.head


async def test_a_longer_name_fits_too_and_only_this_request_changes(home: Path) -> None:
    name = "an-even-longer-name-than-before-" * 10

    def decide(till: ScriptedTill, candidate: Candidate) -> Ticket:
        return till.let_through(candidate, name if len(till.candidates) == 1 else "")

    async with between(home, always(OK)) as (client, daemon, upstream):
        till = scripted(daemon, decide)
        await client.send(daemon.request("POST", "/v1/messages", body=ASK) * 2)
        for _ in range(2):
            assert (await client.response()).raw == OK
        first, second = upstream.requests
        assert first.body == ASK.replace(b"claude-opus-4-8", name.encode())
        assert second.body == ASK
        assert till.outcomes == ["ok", "ok"]
        assert all(candidate.replaceable for candidate in till.candidates)
        assert len(upstream.connections) == 1


async def test_a_chunked_body_stays_chunked(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        scripted(daemon, downgrade_all)
        for pieces in ([BODY], [BODY[at : at + 7] for at in range(0, len(BODY), 7)]):
            await client.send(daemon.request("POST", "/v1/messages", CHUNKED) + chunked(*pieces))
            assert (await client.response()).raw == OK
            got = upstream.requests[-1]
            assert got.framed == chunked(CHANGED)
            assert not got.values(b"content-length")


def bare_deflate(plain: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(plain) + compressor.flush()


codings = pytest.mark.parametrize(
    ("coding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", bare_deflate),
        ("br", brotli.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)


@codings
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_compressed_body_stays_compressed(
    home: Path, coding: str, compress: Callable[[bytes], bytes], framing: str
) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        till = scripted(daemon, downgrade_all)
        named = b"Content-Encoding: " + coding.encode()
        body = compress(BODY)
        if framing == "length":
            await client.send(daemon.request("POST", "/v1/messages", named, body=body))
        else:
            await client.send(daemon.request("POST", "/v1/messages", named, CHUNKED) + chunked(body))
        assert (await client.response()).raw == OK
        got = upstream.requests[0]
        assert got.values(b"content-encoding") == [coding.encode()]
        assert inflate(got.body, coding, 1 << 20) == CHANGED
        assert till.candidates[0].replaceable


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("/v1beta/models/gemini-2.5-pro:generateContent", "/v1beta/models/cheap:generateContent"),
        (
            "/@ann:work/v1beta/models/g:streamGenerateContent?alt=sse&key=%7E",
            "/v1beta/models/cheap:streamGenerateContent?alt=sse&key=%7E",
        ),
        ("/gemini/v1/models/g%41:generateContent", "/v1/models/cheap:generateContent"),
    ],
)
async def test_geminis_model_changes_in_the_path_and_the_body_does_not(
    home: Path, target: str, wanted: str
) -> None:
    body = b'{"model":"kept", "contents":[]}'
    async with between(home, always(OK)) as (client, daemon, upstream):
        till = scripted(daemon, downgrade_all)
        await client.send(daemon.request("POST", target, body=body))
        assert (await client.response()).raw == OK
        got = upstream.requests[0]
        assert (got.target, got.body) == (wanted.encode(), body)
        assert got.values(b"content-length") == [b"%d" % len(body)]
        assert till.candidates[0].replaceable


async def test_the_prefix_of_an_upstream_is_kept_whatever_it_is(home: Path) -> None:
    async with Upstream(always(OK)) as upstream:
        url = upstream.url + "/models/x:y"
        async with running(home, {"gemini": url}) as daemon, daemon.connect() as client:
            scripted(daemon, downgrade_all)
            await client.send(daemon.request("POST", "/v1beta/models/g:generateContent", body=b"{}"))
            assert (await client.response()).raw == OK
            assert upstream.requests[0].target == b"/models/x:y/v1beta/models/cheap:generateContent"


UNCHANGEABLE = [
    ("/v1/messages", b"{}", b"X-A: b"),
    ("/v1/messages", b"", b"X-A: b"),
    ("/v1/messages", b'{"messages":[{"model":"x"}]}', b"X-A: b"),
    ("/v1/messages", b'{"model":"x"', b"X-A: b"),
    ("/v1/messages", BODY, b"Content-Encoding: gzip"),
    ("/v1/messages", BODY, b"Content-Encoding: unheard-of"),
    ("/v1/messages", gzip.compress(BODY, mtime=0)[:40], b"Content-Encoding: gzip"),
    ("/v1/audio/transcriptions", b"--b\r\n\r\n--b--", b"Content-Type: multipart/form-data; boundary=b"),
    ("/v1beta/tunedModels/x:generateContent", BODY, b"X-A: b"),
]


@pytest.mark.parametrize(("target", "body", "header"), UNCHANGEABLE)
async def test_a_request_that_cannot_be_downgraded_says_so_and_is_not_sent(
    home: Path, target: str, body: bytes, header: bytes
) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        till = scripted(daemon, downgrade_all)
        for _ in range(2):
            await client.send(daemon.request("POST", target, header, body=body))
            answer = await client.response()
            assert answer.status in {400, 402}
            assert "cheap" in json.loads(answer.body)["error"]["message"]
            assert answer.values(b"x-should-retry") == [b"false"]
        assert not any(candidate.replaceable for candidate in till.candidates)
        assert till.outcomes == ["failed", "failed"]
        assert upstream.connections == []
        assert [row["cost_nusd"] for row in await daemon.rows(2)] == [0, 0]


async def test_a_body_that_was_not_read_whole_cannot_be_downgraded(home: Path) -> None:
    body = b'{"model":"x","a":"' + b"y" * (2 << 20) + b'"}'
    async with between(home, always(OK), proxy={"max_body_mib": 1}) as (client, daemon, upstream):
        till = scripted(daemon, downgrade_all)
        await client.send(daemon.request("POST", "/v1/messages", body=body))
        answer = await client.response()
        assert (answer.status, answer.values(b"connection")) == (402, [b"close"])
        assert not till.candidates[0].replaceable
        assert till.outcomes == ["failed"]
        assert upstream.connections == []


async def test_a_held_request_can_go_on_downgraded(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        till = scripted(daemon, hold_all)
        await client.send(daemon.request("POST", "/v1/messages", body=BODY))
        await till.until(lambda: till.held)
        till.approve(model="cheap")
        assert (await client.response()).raw == OK
        assert upstream.requests[0].body == CHANGED
        assert till.outcomes == ["ok"]


async def test_the_answer_is_relayed_and_metered_as_ever(home: Path) -> None:
    async with between(home, once(HEAD, START, TEXT, END)) as (client, daemon, _):
        till = scripted(daemon, downgrade_all)
        await client.send(daemon.request("POST", "/v1/messages", body=STREAM))
        assert (await client.response()).raw == HEAD + START + TEXT + END
        assert till.outcomes == ["ok"]
        row = (await daemon.rows(1))[0]
        assert (row["basis"], row["output_tokens"]) == ("reported", 700)
