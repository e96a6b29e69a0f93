"""Who may speak to the proxy: programs of this machine's user, and no web page (FACTS 10)."""

from pathlib import Path

import pytest

from proxy.setting import ASK, OK, between
from support.upstream import always


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
@pytest.mark.parametrize("port", ["", ":9999", ":80", ":1"])
async def test_the_names_of_this_machine_are_served_whatever_the_port(
    home: Path, name: str, port: str
) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        request = daemon.request("POST", "/v1/messages", body=ASK)
        await client.send(request.replace(daemon.address.encode(), (name + port).encode()))
        assert (await client.response()).status == 200
        assert upstream.requests[0].values(b"host") == [f"127.0.0.1:{upstream.port}".encode()]


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:PORT",
        b"127.0.0.1:PORT.evil.example",
        b"127.0.0.1.evil.example:PORT",
        b"evil.example@127.0.0.1:PORT",
        b"0.0.0.0:PORT",
        b"localhost.:PORT",
        b"localhost:PORT:PORT",
        b"localhost:",
        b":PORT",
        b"PORT",
        b"::1",
        b"api.anthropic.com",
        b"",
    ],
)
async def test_another_name_is_refused_before_anything_is_read(home: Path, host: bytes) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        request = daemon.request("POST", "/v1/messages", body=ASK)
        port = str(daemon.port).encode()
        await client.send(request.replace(daemon.address.encode(), host.replace(b"PORT", port)))
        answer = await client.response()
        assert answer.status == 403
        assert b"Host header must name" in answer.body
        await client.gone()
        assert upstream.connections == []
        assert await daemon.rows(0) == []


async def test_a_request_without_a_host_or_with_two_is_refused(home: Path) -> None:
    async with between(home, always(OK)) as (_, daemon, upstream):
        for host in (b"", b"Host: a\r\n", b"Host: %s\r\nHost: evil.example\r\n" % daemon.address.encode()):
            for version in (b"1.0", b"1.1"):
                async with daemon.connect() as client:
                    await client.send(b"GET /v1/models HTTP/" + version + b"\r\n" + host + b"\r\n")
                    assert (await client.response()).status in {400, 403}
        assert upstream.connections == []


@pytest.mark.parametrize(
    "header",
    [
        b"Origin: https://evil.example",
        b"Origin: null",
        b"origin: http://localhost:3000",
        b"Sec-Fetch-Site: cross-site",
        b"sec-fetch-site: same-site",
        b"Sec-Fetch-Site: same-origin",
        b"Sec-Fetch-Site: anything",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_a_web_page_is_refused_and_gets_no_permission(home: Path, method: str, header: bytes) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request(method, "/v1/messages", header, body=ASK))
        answer = await client.response()
        assert answer.status == 403
        assert b"web page" in answer.body
        assert b"access-control" not in answer.head.lower()
        assert upstream.connections == []


@pytest.mark.parametrize("header", [b"Sec-Fetch-Mode: cors", b"Sec-Fetch-Site: none"])
async def test_a_client_that_is_built_on_fetch_is_served(home: Path, header: bytes) -> None:
    async with between(home, always(OK)) as (client, daemon, _):
        await client.send(daemon.request("POST", "/v1/messages", header, body=ASK))
        assert (await client.response()).status == 200


@pytest.mark.parametrize("target", ["http://api.anthropic.com/v1/messages", "https://x.example/", "*"])
async def test_budgetd_is_no_general_proxy_and_says_so(home: Path, target: str) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("OPTIONS" if target == "*" else "GET", target))
        answer = await client.response()
        assert answer.status == 403
        assert b"base URL" in answer.body
        assert upstream.connections == []


async def test_connect_is_refused(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("CONNECT", "api.anthropic.com:443"))
        answer = await client.response()
        assert answer.status in {400, 403}
        assert answer.values(b"connection") == [b"close"]
        assert upstream.connections == []


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
@pytest.mark.parametrize("target", ["/v1/messages", "/nowhere", "/-/health"])
async def test_what_no_provider_needs_is_not_forwarded(home: Path, method: str, target: str) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request(method, target, b"x-api-key: marker"))
        answer = await client.response()
        assert answer.status == 405
        assert f"does not forward {method}".encode() in answer.body
        assert b"marker" not in answer.body
        assert b"POST" in answer.values(b"allow")[0]
        await client.gone()
        assert upstream.connections == []
        assert await daemon.rows(0) == []


async def test_a_websocket_is_refused_in_words(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        upgrade = (
            b"Connection: Upgrade",
            b"Upgrade: WebSocket",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        await client.send(daemon.request("GET", "/v1/chat/completions", *upgrade))
        answer = await client.response()
        assert answer.status == 501
        assert b"WebSocket" in answer.body
        assert b"cannot meter a WebSocket session at /v1/chat/completions" in answer.body
        await client.gone()
        assert upstream.connections == []


async def test_a_path_of_no_provider_is_told_what_there_is(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(daemon.request("POST", "/nowhere?key=marker", body=ASK))
        answer = await client.response()
        assert answer.status == 404
        assert b"/nowhere" in answer.body
        assert b"openrouter" in answer.body
        assert b"marker" not in answer.body
        assert upstream.connections == []


async def test_health_is_answered_by_the_daemon_itself(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        for _ in range(2):
            await client.send(daemon.request("GET", "/-/health"))
            answer = await client.response()
            assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
        await client.send(daemon.request("GET", "/-/health").replace(b"Host: 127", b"Host: 128"))
        assert (await client.response()).status == 403
        assert upstream.connections == []


GET = b"GET /v1/models HTTP/1.1\r\nHost: HOST\r\n"
POST = b"POST /v1/messages HTTP/1.1\r\nHost: HOST\r\n"
BAD: dict[str, bytes] = {
    "unknown method": b"MARKER /v1/models HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "space before colon": GET + b"X-A : marker\r\n\r\n",
    "control character": GET + b"x-api-key: mar\x01ker\r\n\r\n",
    "folded header": GET + b"X-A: a\r\n b\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "two framings": POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "odd coding": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "signed length": POST + b"Content-Length: +1\r\n\r\na",
    "long line": GET.replace(b"models", b"models?" + b"a" * 70_000) + b"\r\n",
    "long header": GET + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n",
    "too many headers": GET + b"X: 1\r\n" * 600 + b"\r\n",
}


@pytest.mark.parametrize("request_bytes", BAD.values(), ids=BAD)
async def test_what_is_not_http_is_refused_and_never_sent_on(home: Path, request_bytes: bytes) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        await client.send(request_bytes.replace(b"HOST", daemon.address.encode()))
        answer = await client.response()
        assert answer.status == 400
        await client.gone()
        assert upstream.connections == []
        assert await daemon.rows(0) == []


async def test_a_refused_client_can_send_its_body_to_the_end_and_then_read_the_refusal(home: Path) -> None:
    async with between(home, always(OK)) as (client, daemon, upstream):
        size = 16 << 20
        request = daemon.request("POST", "/v1/messages", b"Content-Length: %d" % size, b"Origin: null")
        await client.send(request, *[bytes(1 << 16)] * (size >> 16))
        assert (await client.response()).status == 403
        await client.gone()
        assert upstream.connections == []
