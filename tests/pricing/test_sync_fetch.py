"""Fetching a price list from servers that behave, and from such that do not."""

import asyncio
import gzip

import pytest

from budgetd.pricing.sync.errors import SyncError
from budgetd.pricing.sync.fetch import MOST_BYTES, fetch, origin
from support.stream import Stream, chunked
from support.tls import CERTIFICATE, server_context
from support.upstream import Upstream, once

LIST = b'{"a": 1}'


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def complaint(upstream: Upstream, **patience: float) -> str:
    """What is said of a fetch that fails; never what may be a token in the address."""
    async with upstream:
        with pytest.raises(SyncError) as caught:
            await fetch(f"{upstream.url}/prices.json?token=s3cret", **patience)
        said = str(caught.value).replace(upstream.url, "SERVER")
        assert "s3cret" not in said
        return said


async def test_a_list_comes_with_its_tag_and_its_origin() -> None:
    async with Upstream(once(answer("200 OK", 'ETag: "7"', body=LIST))) as upstream:
        fetched = await fetch(f"{upstream.url}/prices.json?token=s3cret")
        assert fetched
        assert (fetched.content, fetched.etag, fetched.origin) == (LIST, '"7"', upstream.url)
        assert upstream.requests[0].values(b"if-none-match") == []


async def test_a_list_that_is_had_already_is_not_sent_again() -> None:
    async with Upstream(once(answer("304 Not Modified"))) as upstream:
        assert await fetch(upstream.url, '"7"') is None
        assert upstream.requests[0].values(b"if-none-match") == [b'"7"']


async def test_a_list_may_come_compressed_and_in_chunks() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with Upstream(once(head, chunked(gzip.compress(LIST)))) as upstream:
        fetched = await fetch(upstream.url)
        assert fetched
        assert fetched.content == LIST


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer("500 Internal Server Error"), "SERVER answered 500 Internal Server Error."),
        (answer("404 Not Found", body=b"no"), "SERVER answered 404 Not Found."),
        (answer("204 No Content"), "SERVER answered 204 No Content."),
        (answer("304 Not Modified"), "SERVER answered 304 Not Modified."),
        (answer("200 OK", body=LIST)[:-3], "SERVER could not be read: the connection broke off."),
        (b"not HTTP\r\n\r\n", "SERVER could not be read: the connection broke off."),
        (b"", "SERVER could not be read: the connection broke off."),
        (answer("302 Found", "Location: http://127.0.0.1:1/"), "SERVER redirects elsewhere (302)"),
        (answer("302 Found", "Location: /other"), "SERVER redirects elsewhere (302)"),  # not https
        (answer("302 Found", "Location: http://["), "SERVER redirects elsewhere (302)"),
        (answer("302 Found"), "SERVER answered 302 Found."),
    ],
)
async def test_a_failure_is_told_in_a_sentence(response: bytes, expected: str) -> None:
    assert (await complaint(Upstream(once(response)))).startswith(expected)


async def test_nobody_there_is_told() -> None:
    async with Upstream(once()) as upstream:
        url = upstream.url
    with pytest.raises(SyncError, match=r"could not be read: connection refused\.$"):
        await fetch(url)


@pytest.mark.parametrize("zipped", [False, True])
async def test_a_list_without_end_is_cut_off(zipped: bool) -> None:
    body = b" " * (MOST_BYTES + 4_000_000)
    body, encoding = (gzip.compress(body), ["Content-Encoding: gzip"]) if zipped else (body, [])
    assert "sends more than 16 MiB" in await complaint(Upstream(once(answer("200 OK", *encoding, body=body))))


async def test_silence_is_not_waited_out() -> None:
    async def silent(peer: Stream) -> None:
        await peer.request()
        await peer.send(answer("200 OK", body=LIST)[:-3])
        await asyncio.Event().wait()

    assert "did not answer in time" in await complaint(Upstream(silent), silent_seconds=0.1)
    assert "did not answer in time" in await complaint(Upstream(silent), total_seconds=0.1)


async def test_a_redirection_within_the_same_https_origin_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))

    async def moved(peer: Stream) -> None:
        request = await peer.request()
        found = request.target == b"/new"
        await peer.send(answer("200 OK", body=LIST) if found else answer("301 Moved", "Location: /new"))

    async with Upstream(moved, tls=server_context()) as upstream:
        fetched = await fetch(f"https://localhost:{upstream.port}/old")
        assert fetched
        assert fetched.content == LIST


async def test_a_redirection_in_a_circle_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    loop = once(answer("301 Moved", "Location: /", "Connection: close"))
    async with Upstream(loop, tls=server_context()) as upstream:
        with pytest.raises(SyncError, match="redirects without end"):
            await fetch(f"https://localhost:{upstream.port}/")


async def test_an_extra_authority_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(CERTIFICATE))
    async with Upstream(once(answer("200 OK", body=LIST)), tls=server_context()) as upstream:
        fetched = await fetch(f"https://localhost:{upstream.port}/")
        assert fetched
        assert fetched.content == LIST


async def test_a_server_that_cannot_prove_who_it_is_is_not_believed() -> None:
    async with Upstream(once(answer("200 OK", body=LIST)), tls=server_context()) as upstream:
        with pytest.raises(SyncError, match="cannot prove who it is"):
            await fetch(f"https://localhost:{upstream.port}/")


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Upstream(once(answer("200 OK", body=LIST))) as upstream:
        monkeypatch.setenv("HTTP_PROXY", upstream.url)
        await fetch("http://prices.example/list.json")
        assert upstream.requests[0].target == b"http://prices.example/list.json"


@pytest.mark.parametrize(
    "url", ["", "prices.json", "ftp://host/", "file:///etc/passwd", "http://", "http://["]
)
async def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(SyncError, match="must begin with"):
        await fetch(url)


def test_only_scheme_and_host_of_an_address_are_shown() -> None:
    assert origin("https://me:s3cret@prices.example:8443/x?token=s3cret") == "https://prices.example:8443"
