"""What the upstream gets of a request's body: its bytes, framed as the client framed them."""

import gzip
import os
from pathlib import Path

import pytest

from proxy.setting import ASK, OK, between
from support.stream import Stream, chunked
from support.upstream import always

CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS"])
async def test_a_body_with_a_length_arrives_byte_for_byte(home: Path, method: str) -> None:
    body = bytes(range(256)) * 300
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request(method, "/v1/files", body=body))
        await client.response()
        got = upstream.requests[0]
        assert got.framed == body
        assert got.values(b"content-length") == [b"76800"]
        assert not got.values(b"transfer-encoding")


async def test_a_chunked_body_goes_on_chunked(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        head = daemon.request("POST", "/v1/messages", b"transfer-ENCODING: Chunked", b"Trailer: X-Trailer")
        pieces = [ASK[:1], ASK[1:20], ASK[20:]]
        await client.send(head, *(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces))
        await client.send(b"0\r\nX-Trailer: gone\r\n\r\n")
        assert (await client.response()).status == 200
        got = upstream.requests[0]
        assert got.body == ASK
        assert (b"transfer-ENCODING", b"Chunked") in got.headers
        assert not got.values(b"content-length")
        assert upstream.received.endswith(b"\r\n0\r\n\r\n")
        assert b"trailer" not in upstream.received.lower()  # they are about one connection, and left out
        assert (await daemon.rows(1))[0]["model"] == "claude-opus-4-8"


async def test_an_empty_chunked_body_stays_one(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        for _ in range(2):
            await client.send(daemon.request("POST", "/v1/messages", CHUNKED) + chunked())
            assert (await client.response()).status == 200
        assert [request.framed for request in upstream.requests] == [b"0\r\n\r\n"] * 2


async def test_no_body_and_an_empty_body_stay_what_they_are(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/files"))
        await client.response()
        await client.send(daemon.request("POST", "/v1/files", body=b""))
        await client.response()
        bare, empty = upstream.requests
        assert not bare.values(b"content-length")
        assert empty.values(b"content-length") == [b"0"]


async def test_a_compressed_body_arrives_compressed_and_is_understood(home: Path) -> None:
    body = gzip.compress(ASK)
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", b"Content-Encoding: gzip", body=body))
        await client.response()
        assert upstream.requests[0].framed == body
        assert upstream.requests[0].values(b"content-encoding") == [b"gzip"]
        assert (await daemon.rows(1))[0]["model"] == "claude-opus-4-8"


async def test_a_body_that_only_claims_to_be_compressed_arrives_as_it_is(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", b"Content-Encoding: gzip", body=ASK))
        assert (await client.response()).status == 200
        assert upstream.requests[0].framed == ASK
        row = (await daemon.rows(1))[0]
        assert row["basis"] == "unmetered"
        assert row["cost_nusd"] > 0


async def test_a_client_that_asks_whether_to_send_is_told_to_and_the_upstream_is_not_asked(
    home: Path,
) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        request = daemon.request("POST", "/v1/messages", b"Expect: 100-Continue", body=ASK)
        head, _, body = request.partition(b"\r\n\r\n")
        for _ in range(2):
            await client.send(head + b"\r\n\r\n")
            assert (await client.response(interim=True)).raw == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(body)
            assert (await client.response()).raw == OK
        assert [got.body for got in upstream.requests] == [ASK, ASK]
        assert b"expect" not in upstream.received.lower()


async def test_a_client_of_http_1_0_is_never_told_to_continue(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, _):
        request = daemon.request("POST", "/v1/messages", b"Expect: 100-continue", body=ASK)
        await client.send(request.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (await client.response(interim=True)).status == 200


MODEL_CAP = """
[[limits]]
name = "opus"
window = "day"
limit_cents = 0
match = { model = "claude-opus-*" }
"""


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b'{"model":"claude-opus-4-8","messages":[{"content":"%b"}]}', True),
        (b'{"messages":[{"content":"%b"}],"model":"claude-opus-4-8"}', True),
        (b'{"model":"claude-haiku-4-5","messages":[{"content":"%b"}]}', False),
    ],
)
async def test_a_limit_on_a_model_holds_for_a_body_longer_than_is_held(
    home: Path, body: bytes, refused: bool
) -> None:
    body = body % (b"x" * (3 << 20))
    setting = between(home, always(OK), proxy={"max_body_mib": 1}, budget=MODEL_CAP)
    async with setting as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", body=body))
        response = await client.response()
        assert (response.status, len(upstream.requests)) == ((402, 0) if refused else (200, 1))


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_longer_than_is_held_streams_through_and_is_costed_by_the_ceiling(
    home: Path, framing: str
) -> None:
    body = os.urandom(1 << 20) * 3
    async with between(home, always(OK), proxy={"max_body_mib": 1}) as (client, daemon, upstream):
        if framing == "length":
            await client.send(daemon.request("POST", "/v1/messages", body=body))
        else:
            pieces = [body[at : at + 70_001] for at in range(0, len(body), 70_001)]
            await client.send(daemon.request("POST", "/v1/messages", CHUNKED) + chunked(*pieces))
        assert (await client.response()).raw == OK
        assert upstream.requests[0].body == body
        row = (await daemon.rows(1))[0]
        assert row["basis"] == "unmetered"
        assert row["outcome"] == "ok"
        assert row["cost_nusd"] >= row["expected_nusd"] > 0
        if framing == "length":
            assert row["request_bytes"] == len(body)


async def test_a_long_body_begins_to_flow_before_it_has_ended(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.read_until(b"\r\n\r\n")
        await peer.read(1 << 20)
        await peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        await peer.read(1 << 20)
        await peer.send(OK)

    async with between(home, script, proxy={"max_body_mib": 1}) as (client, daemon, _):
        body = os.urandom(2 << 20)
        request = daemon.request("POST", "/v1/files", body=body)
        await client.send(request[: -(1 << 20) + 100_000])
        assert (await client.response(interim=True)).status == 102
        await client.send(request[-(1 << 20) + 100_000 :])
        assert (await client.response()).raw == OK


@pytest.mark.parametrize("body", [b"not json", b"", b"[1]", b"\xff\xfe{}", b'{"model":', b'{"model": 7}'])
async def test_a_body_that_cannot_be_read_is_forwarded_and_never_free(home: Path, body: bytes) -> None:
    async with between(home, always(OK), budget="[budget]\ndaily_limit_cents = 1000\n") as (
        client,
        daemon,
        upstream,
    ):
        await client.send(daemon.request("POST", "/v1/messages", body=body))
        assert (await client.response()).raw == OK
        assert upstream.requests[0].framed == body
        row = (await daemon.rows(1))[0]
        assert row["expected_nusd"] > 0
        assert row["cost_nusd"] > 0
        assert row["basis"] in {"unmetered", "estimated"}


async def test_an_endpoint_that_is_not_understood_is_recorded_as_unmetered(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, _):
        await client.send(
            daemon.request("POST", "/v1/fine_tuning/jobs", body=b'{"model":"gpt-4o-mini-2024-07-18"}')
        )
        await client.response()
        row = (await daemon.rows(1))[0]
        assert (row["basis"], row["outcome"]) == ("unmetered", "ok")
        assert row["cost_nusd"] > 0


async def test_what_no_provider_bills_has_no_row(home: Path) -> None:
    free = [
        ("HEAD", "/"),
        ("GET", "/v1/models"),
        ("GET", "/v1/messages/batches/x/results"),
        ("POST", "/v1/messages/count_tokens?beta=true"),
        ("POST", "/v1/responses/input_tokens"),
        ("POST", "/v1beta/models/gemini-3-pro:countTokens"),
        ("POST", "/v1/files"),
        ("POST", "/v1/uploads/u_1/parts"),
        ("POST", "/upload/v1beta/files?uploadType=resumable"),
        ("POST", "/v1/moderations"),
        ("POST", "/v1/responses/r_1/cancel"),
        ("DELETE", "/v1/files/f_1"),
    ]

    async def script(peer: Stream) -> None:
        while True:
            asked = await peer.request()
            await peer.send(OK.removesuffix(b"ok") if asked.method == "HEAD" else OK)

    async with between(home, script, budget="[budget]\ndaily_limit_cents = 0\n") as (client, daemon, up):
        for method, target in free:
            await client.send(
                daemon.request(method, target, body=None if method in {"GET", "HEAD"} else b"{}")
            )
            assert (await client.response(method)).status == 200, target
        assert len(up.requests) == len(free)
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        assert (await client.response()).status == 402
        assert [row["outcome"] for row in await daemon.rows(1)] == ["refused"]


async def test_an_upload_of_60_mib_passes_and_costs_nothing(home: Path) -> None:
    piece = os.urandom(1 << 20)

    async def script(peer: Stream) -> None:
        assert b"content-length: %d" % (60 << 20) in (await peer.read_until(b"\r\n\r\n")).lower()
        for _ in range(60):
            assert await peer.read(1 << 20) == piece
            peer.received = b""
        await peer.send(OK)

    async with between(home, script, budget="[budget]\ndaily_limit_cents = 0\n") as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/files", b"Content-Length: %d" % (60 << 20)))
        await client.send(*[piece] * 60)
        assert (await client.response()).raw == OK
        assert await daemon.rows(0) == []


@pytest.mark.parametrize("rest", [b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n"])
async def test_a_body_whose_framing_is_wrong_is_never_sent(home: Path, rest: bytes) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", CHUNKED) + b"2\r\n{}\r\n" + rest)
        await client.gone()
        assert b" 200 " not in client.received
        assert upstream.received == b""
        assert await daemon.rows(0) == []


@pytest.mark.parametrize("length", [b"%d" % (2**40 + 1), b"1" + b"0" * 19])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/models", "/-/health"])
async def test_a_length_that_nobody_can_mean_is_refused_before_anything(
    home: Path, length: bytes, path: str
) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", path, b"Content-Length: " + length) + ASK)
        response = await client.response()
        assert response.status == 413
        assert b"more than 1 TiB" in response.body
        assert not upstream.requests
        async with daemon.connect() as other:
            await other.send(daemon.request("POST", "/v1/messages", body=ASK))
            assert (await other.response()).status == 200
        await daemon.rows(1)


@pytest.mark.parametrize(
    "length", [b"1_0", b"+5", b"-5", b"0x10", b"\xb2", b"\xd9\xa3", b"1e3", b"5, 5", b"1 2"]
)
async def test_a_length_that_is_no_number_is_refused(home: Path, length: bytes) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/v1/messages", b"Content-Length: " + length) + ASK)
        assert (await client.response()).status == 400
        assert not upstream.requests
