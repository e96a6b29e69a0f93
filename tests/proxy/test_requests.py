"""What the upstream gets of a request's head: all as it was, but for what concerns one connection only."""

from pathlib import Path

import pytest

from proxy.setting import ASK, OK, between
from support.upstream import always


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "PATCH"])
async def test_a_request_arrives_as_it_was_sent_but_for_its_host(home: Path, method: str) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        sent = (
            f"{method} /v1/files/%7Euser%2Fx//y/./z/../w?a=b&a=c&&d=%41%zz+;/?# HTTP/1.1\r\n"
            f"hOsT: {daemon.address}\r\n"
        ).encode() + (
            b"X-Dup: one\r\n"
            b"Accept: */*\r\n"
            b"x-dup: two\r\n"
            b"X-DUP: one\r\n"
            b"X-Latin: caf\xe9 \xff\x80\r\n"
            b'X-Odd: a  b\tc ,;"\\\r\n'
            b"X-Empty:\r\n"
            b"X_Under.Score!#$%&'*+-^`|~: 1\r\n"
            b"authorization: Bearer marker\r\n"
            b"User-Agent: odd/1 (x; y)\r\n"
            b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
            b"Cookie: a=1; b=2\r\n"
            b"Via: 1.0 elsewhere\r\n"
        )
        if method in {"POST", "PUT", "PATCH"}:
            sent += b"content-LENGTH: 0\r\n"
        await client.send(sent + b"\r\n")
        await client.response(method)
        expected = sent.replace(daemon.address.encode(), upstream.url.removeprefix("http://").encode())
        expected = expected.replace(b"X-Empty:\r\n", b"X-Empty: \r\n")
        assert upstream.received == expected + b"\r\n"


@pytest.mark.parametrize(
    "target",
    [
        b"/openai//v1/models",
        b"/openai/",
        b"/openai/?",
        b"/openai/v1/models?",
        b"/openai/v1/%00%ff%2e%2e/models?%",
        b"/openai/v1/models?u=http://x.example/y@z:1",
        b'/openai/v1/:models/@a/{b}|c^d`[e]?"<>',
    ],
)
async def test_a_path_and_query_are_passed_on_byte_for_byte(home: Path, target: bytes) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(b"GET " + target + b" HTTP/1.1\r\nHost: " + daemon.address.encode() + b"\r\n\r\n")
        assert (await client.response()).status == 200
        assert upstream.requests[0].target == target.removeprefix(b"/openai")


@pytest.mark.parametrize("target", [b"//v1/models", b"//", b"///x", b"/", b"/?a"])
async def test_odd_bare_paths_are_answered_and_leave_the_connection_usable(home: Path, target: bytes) -> None:
    async with between(home, always(OK)) as (client, daemon, _):
        await client.send(b"GET " + target + b" HTTP/1.1\r\nHost: " + daemon.address.encode() + b"\r\n\r\n")
        assert (await client.response()).status in {200, 404}
        await client.send(daemon.request("GET", "/v1/models"))
        assert (await client.response()).status == 200


async def test_a_path_with_bytes_that_no_url_has_is_refused_rather_than_changed(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        request = daemon.request("POST", "/v1/caf\u00e9/chat/completions", body=ASK)
        await client.send(request)
        assert (await client.response()).status == 400
        assert upstream.received == b""
        assert await daemon.rows(0) == []


async def test_names_in_a_path_that_are_not_text_are_recorded_all_the_same(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/@%ff%fe:%00/openai/v1/%ff/chat/completions", body=ASK))
        assert (await client.response()).status == 200
        assert upstream.requests[0].target == b"/v1/%ff/chat/completions"
        row = (await daemon.rows(1))[0]
        assert (row["user"], row["path"]) == ("\ufffd\ufffd", "/v1/%ff/chat/completions")


async def test_headers_about_one_connection_stay_on_it(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(
            daemon.request(
                "GET",
                "/v1/models",
                b"Connection: keep-alive, X-Named",
                b"Keep-Alive: timeout=5",
                b"X-Named: 1",
                b"connection: x-also-named",
                b"X-Also-Named: 2",
                b"TE: trailers",
                b"Trailer: X-T",
                b"Proxy-Connection: keep-alive",
                b"Proxy-Authorization: Basic bWFya2Vy",
                b"X-Kept: 3",
            )
        )
        await client.response()
        assert upstream.requests[0].headers == [
            (b"Host", upstream.url.removeprefix("http://").encode()),
            (b"X-Kept", b"3"),
        ]


async def test_connection_cannot_name_away_what_frames_the_body(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        headers = b"Connection: host, content-length, transfer-encoding"
        await client.send(daemon.request("POST", "/v1/messages", headers, body=ASK))
        await client.response()
        assert upstream.requests[0].body == ASK
        assert len(upstream.requests[0].values(b"host")) == 1


async def test_headers_for_budgetd_alone_are_taken_off_and_heeded(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(
            daemon.request(
                "POST",
                "/v1/messages",
                b"X-Budget-User: alice",
                b"x-budget-project: notes",
                b"X-BUDGET-SESSION: s1",
                b"X-Budget-Tags: a,b",
                b"X-Budgets: kept",
                body=ASK,
            )
        )
        await client.response()
        assert b"x-budget-" not in upstream.received.lower()
        assert upstream.requests[0].values(b"x-budgets") == [b"kept"]
        row = (await daemon.rows(1))[0]
        assert (row["user"], row["project"], row["session"]) == ("alice", "notes", "s1")


async def test_the_prefix_that_says_who_spends_is_taken_off_the_path(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/@al%20ice:no%2Ftes/v1/messages?beta=true", body=ASK))
        await client.response()
        assert upstream.requests[0].target == b"/v1/messages?beta=true"
        row = (await daemon.rows(1))[0]
        assert (row["user"], row["project"], row["path"]) == ("al ice", "no/tes", "/v1/messages")


async def test_an_upgrade_to_h2c_is_not_passed_on_and_the_request_is_served(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        upgrade = (
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABkAAQAAP__",
        )
        await client.send(daemon.request("POST", "/v1/messages", *upgrade, body=ASK))
        assert (await client.response()).body == b"ok"
        await client.send(daemon.request("GET", "/v1/models", *upgrade))
        assert (await client.response()).body == b"ok"
        first, second = upstream.requests
        assert first.body == ASK
        for request in (first, second):
            for name in (b"upgrade", b"connection", b"http2-settings"):
                assert not request.values(name)


async def test_many_and_long_headers_are_passed_on(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        many = [b"X-%d: %s" % (number, b"v" * 100) for number in range(400)]
        await client.send(daemon.request("GET", "/v1/models", b"X-Long: " + b"l" * 60_000, *many))
        assert (await client.response()).status == 200
        assert len(upstream.requests[0].headers) == 402


async def test_a_request_that_trickles_in_byte_by_byte_is_the_same_request(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        request = daemon.request("POST", "/v1/messages", b"X-A: b", body=b'{"model":"x"}')
        await client.send(*(bytes([byte]) for byte in request))
        assert (await client.response()).status == 200
        host = upstream.url.removeprefix("http://").encode()
        assert upstream.received == request.replace(daemon.address.encode(), host)
