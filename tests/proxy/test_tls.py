"""Upstreams over TLS: verified always, reached through `HTTPS_PROXY` where that is set."""

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from budgetd.proxy import pool
from budgetd.tls import client_context
from proxy.setting import ASK, OK
from support.daemon import InProcess, Running, process, running
from support.stream import PATIENCE, Message, Stream, connected
from support.tls import CERTIFICATE, server_context
from support.upstream import Script, Upstream, always, once


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


def secured(upstream: Upstream) -> str:
    return f"https://localhost:{upstream.port}"


async def ask(daemon: Running) -> Message:
    async with daemon.connect() as client:
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        return await client.response()


@pytest.mark.usefixtures("trusted")
async def test_a_trusted_upstream_is_reached_and_its_connection_used_again(home: Path) -> None:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n", b"0\r\n\r\n"
    async with (
        Upstream(always(*chunks), tls=server_context()) as upstream,
        running(home, {"anthropic": secured(upstream)}) as daemon,
    ):
        for _ in range(3):
            assert (await ask(daemon)).raw == b"".join(chunks)
        assert len(upstream.connections) == 1
        assert upstream.requests[0].values(b"host") == [f"localhost:{upstream.port}".encode()]


async def test_a_real_daemon_trusts_what_ssl_cert_file_names_and_nothing_else(home: Path) -> None:
    async with Upstream(always(OK), tls=server_context()) as upstream:
        upstreams = {"anthropic": secured(upstream)}
        async with process(home, upstreams, environ={"SSL_CERT_FILE": str(CERTIFICATE)}) as daemon:
            assert (await ask(daemon)).raw == OK
        async with process(home, upstreams) as daemon:
            assert (await ask(daemon)).status == 502
        assert len(upstream.requests) == 1


async def test_a_real_daemon_trusts_what_node_extra_ca_certs_names_besides(home: Path) -> None:
    async with Upstream(always(OK), tls=server_context()) as upstream:
        environ = {"NODE_EXTRA_CA_CERTS": str(CERTIFICATE)}
        async with process(home, {"anthropic": secured(upstream)}, environ=environ) as daemon:
            assert (await ask(daemon)).raw == OK


def test_extra_authorities_take_no_other_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")  # the system's stand in a folder too, read when needed
    before = client_context().cert_store_stats()["x509_ca"]
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(CERTIFICATE))
    context = client_context()
    assert context.cert_store_stats()["x509_ca"] == before + 1
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


async def test_extra_authorities_do_not_make_another_name_trusted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(CERTIFICATE))
    async with (
        Upstream(always(OK), tls=server_context()) as upstream,
        running(home, {"anthropic": upstream.url}) as daemon,  # by its number
    ):
        assert (await ask(daemon)).status == 502
        assert upstream.received == b""


@pytest.mark.parametrize("name", ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("", "does not hold certificates in PEM form"),
        ("hello", "does not hold certificates in PEM form"),
    ],
    ids=["missing", "empty", "no PEM"],
)
async def test_a_file_of_authorities_that_cannot_be_read_is_told_and_checks_go_on(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    content: str | None,
    why: str,
) -> None:
    path = home / "company.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(name, str(path))
    sentence = f"{name} names {path}, which {why}. Correct it and start budgetd again"
    async with (
        Upstream(always(OK), tls=server_context()) as upstream,
        running(home, {"anthropic": secured(upstream)}) as daemon,
    ):
        assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == [sentence]
        answer = await ask(daemon)
        assert answer.status == 502
        assert f"{sentence}. The request was not sent." in answer.body.decode()
        assert upstream.received == b""


async def test_a_certificate_that_is_not_trusted_is_refused_in_words(home: Path) -> None:
    async with (
        Upstream(always(OK), tls=server_context()) as upstream,
        running(home, {"anthropic": secured(upstream)}) as daemon,
    ):
        answer = await ask(daemon)
        assert answer.status == 502
        assert b"the certificate of localhost is not to be trusted: self" in answer.body
        assert b"set NODE_EXTRA_CA_CERTS to the file of its certificate authority" in answer.body
        assert upstream.received == b""
        assert (await daemon.rows(1))[0]["outcome"] == "failed"


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_for_another_name_is_refused(home: Path) -> None:
    async with (
        Upstream(always(OK), tls=server_context()) as upstream,
        running(home, {"anthropic": upstream.url}) as daemon,  # by its number
    ):
        answer = await ask(daemon)
        assert answer.status == 502
        assert b"not to be trusted" in answer.body
        assert upstream.received == b""


@pytest.mark.usefixtures("trusted")
async def test_an_upstream_that_does_not_speak_tls_is_a_502(home: Path) -> None:
    async def script(peer: Stream) -> None:
        await peer.read_some()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with Upstream(script) as upstream, running(home, {"anthropic": secured(upstream)}) as daemon:
        answer = await ask(daemon)
        assert answer.status == 502
        assert b"was not sent" in answer.body


@pytest.mark.usefixtures("trusted")
async def test_a_break_over_tls_is_a_break(home: Path) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
    async with (
        Upstream(once(cut), tls=server_context()) as upstream,
        running(home, {"anthropic": secured(upstream)}) as daemon,
        daemon.connect() as client,
    ):
        await client.send(daemon.request("POST", "/v1/messages", body=ASK))
        await client.gone()
        assert client.received == cut
        assert (await daemon.rows(1))[0]["outcome"] == "broken"
        assert len(upstream.requests) == 1


def tunnelling(answer: bytes = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n") -> Script:
    """A proxy that connects to whatever it is asked for."""

    async def script(peer: Stream) -> None:
        asked = await peer.request()
        host, _, port = asked.target.decode().rpartition(":")
        assert host == "localhost"
        async with connected("127.0.0.1", int(port)) as there:
            await peer.send(*(answer[at : at + 1] for at in range(len(answer))))
            await asyncio.gather(copy(peer, there), copy(there, peer))

    return script


async def copy(source: Stream, sink: Stream) -> None:
    try:
        while data := await source.read_some():
            await sink.send(data)
    finally:
        sink.close()


@asynccontextmanager
async def through(
    proxy: Script, home: Path, monkeypatch: pytest.MonkeyPatch, login: str = "", **environ: str
) -> AsyncGenerator[tuple[InProcess, Upstream, Upstream]]:
    """A daemon, the proxy it is told to use, and an upstream."""
    async with Upstream(proxy) as tunnel, Upstream(always(OK), tls=server_context()) as upstream:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{login}127.0.0.1:{tunnel.port}")
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        async with running(home, {"anthropic": secured(upstream)}) as daemon:
            yield daemon, tunnel, upstream


@pytest.mark.usefixtures("trusted")
async def test_https_proxy_is_asked_for_a_tunnel_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with through(tunnelling(), home, monkeypatch) as (daemon, tunnel, upstream):
        for _ in range(3):
            assert (await ask(daemon)).raw == OK
        to = f"localhost:{upstream.port}"
        assert [got.raw for got in tunnel.requests] == [
            f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode()
        ]
        assert b"claude" not in tunnel.received  # what passes is between the two ends


@pytest.mark.usefixtures("trusted")
async def test_https_proxy_is_given_its_credentials(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with through(tunnelling(), home, monkeypatch, "al%40ice:p%3Aw@") as (daemon, tunnel, upstream):
        assert (await ask(daemon)).raw == OK
        login = b"Basic " + base64.b64encode(b"al@ice:p:w")
        assert tunnel.requests[0].values(b"proxy-authorization") == [login]
        assert b"proxy-authorization" not in upstream.received.lower()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", b"407 Proxy Auth"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n<html>", b"403 Forbidden"),
        (b"HTTP/1.1 200", b"closed"),
        (b"", b"closed"),
        (b"x" * 100_000, b"no end"),
        (b"SSH-2.0\r\n\r\n", b"SSH-2.0"),
    ],
)
@pytest.mark.usefixtures("trusted")
async def test_a_proxy_that_does_not_let_through_is_a_502_that_names_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, told: bytes
) -> None:
    async with through(once(answer), home, monkeypatch, "alice:marker@") as (daemon, _, upstream):
        got = await ask(daemon)
        assert got.status == 502
        assert told in got.body
        assert b"was not sent" in got.body
        assert b"marker" not in got.body
        assert upstream.connections == []
        assert (await daemon.rows(1))[0]["outcome"] == "failed"


@pytest.mark.usefixtures("trusted")
async def test_a_proxy_that_says_nothing_is_a_504(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 0.05)
    closed = asyncio.Event()

    async def script(peer: Stream) -> None:
        await peer.gone()
        closed.set()

    async with through(script, home, monkeypatch) as (daemon, _, _):
        assert (await ask(daemon)).status == 504
        async with asyncio.timeout(PATIENCE):
            await closed.wait()  # nothing is left open


@pytest.mark.parametrize(
    "proxy", ["https://127.0.0.1:1", "socks5://127.0.0.1:1", "http://", "http://[x", "x:99999"]
)
async def test_a_proxy_of_another_kind_is_refused_in_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    async with running(home, {"anthropic": "https://localhost:1"}) as daemon:
        answer = await ask(daemon)
        assert answer.status == 502
        assert b"HTTPS_PROXY must be an http:// address" in answer.body


@pytest.mark.parametrize(
    "environ", [{"NO_PROXY": "localhost"}, {"NO_PROXY": "*"}, {"no_proxy": "a.b,localhost"}]
)
@pytest.mark.usefixtures("trusted")
async def test_no_proxy_is_heeded(
    home: Path, monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str]
) -> None:
    async with through(tunnelling(), home, monkeypatch, **environ) as (daemon, tunnel, _):
        assert (await ask(daemon)).raw == OK
        assert tunnel.connections == []


async def test_plain_http_upstreams_are_reached_directly(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with Upstream(always(OK)) as upstream, running(home, {"anthropic": upstream.url}) as daemon:
        assert (await ask(daemon)).raw == OK
