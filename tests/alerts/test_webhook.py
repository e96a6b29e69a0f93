import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import time

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from alerts.receiver import PATH, TOKEN, Post, receiver, silence, status
from budgetd.alerts.backoff import LONGEST
from budgetd.alerts.channels.channel import Delivered, Failed, Gone, Message, Retry
from budgetd.alerts.channels.signature import key_of, sign
from budgetd.alerts.channels.webhook import MOST_ANSWER, Webhook
from budgetd.alerts.target import Kept
from support.stream import Stream
from support.tls import CERTIFICATE, server_context
from support.upstream import Upstream, once

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
MESSAGE = Message("msg_1", '{"text": "dépassé ▲", "n": 1.50}')
NOW = 1_795_435_200.0


def webhook(url: str, secret: Kept | None = None, timeout_seconds: float = 10) -> Webhook:
    return Webhook(Kept("url", url), secret, timeout_seconds)


def secret_in(path: Path, text: str = SECRET) -> Kept:
    path.write_text(f"{text}\n")
    return Kept("secret", file=str(path))


async def test_the_body_arrives_byte_for_byte_with_its_id_and_time() -> None:
    async with receiver() as there:
        assert await webhook(there.url).deliver(MESSAGE, NOW + 0.9) == Delivered("answered 200")
    (post,) = there.posts
    assert post.body == MESSAGE.body.encode()
    assert post.path == PATH
    assert post.headers["content-type"] == "application/json"
    assert post.headers["webhook-id"] == "msg_1"
    assert post.headers["webhook-timestamp"] == "1795435200"
    assert post.headers["user-agent"].startswith("budgetd/")
    assert "webhook-signature" not in post.headers


async def test_the_signature_is_what_standard_webhooks_asks_for(tmp_path: Path) -> None:
    async with receiver() as there:
        channel = webhook(there.url, secret_in(tmp_path / "secret"))
        assert isinstance(await channel.deliver(MESSAGE, time()), Delivered)
    (post,) = there.posts
    assert Verifier(SECRET).verify(post.body, post.headers) == {"text": "dépassé ▲", "n": 1.5}
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(post.body + b" ", post.headers)


@given(st.binary(min_size=1, max_size=80), st.uuids(), st.integers(1, 4 * 10**9), st.text(), st.booleans())
def test_any_message_is_signed_as_the_package_signs_it(
    key: bytes, id: object, at: int, body: str, padded: bool
) -> None:
    body = body.encode(errors="replace").decode()
    encoded = base64.b64encode(key).decode()
    secret = "whsec_" + (encoded if padded else encoded.rstrip("="))
    expected = Verifier(secret).sign(str(id), datetime.fromtimestamp(at, UTC), body)
    assert sign(key_of(secret), str(id), at, body.encode()) == expected


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64", "c2VjcmV0", "whsec_ä", "whsec_a"])
def test_what_is_no_signing_secret_is_told(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        key_of(secret)


async def test_a_secret_that_is_not_there_keeps_the_message_from_going_out_unsigned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY", "  ")
    bad = secret_in(tmp_path / "secret", "sk-live-123456")
    async with receiver() as there:
        for secret, said in (
            (Kept("secret", env="NOT_SET"), "$NOT_SET"),
            (Kept("secret", env="EMPTY"), "$EMPTY"),
            (Kept("secret", file=str(tmp_path / "missing")), "no such file"),
            (bad, "whsec_"),
        ):
            verdict = await webhook(there.url, secret).deliver(MESSAGE, NOW)
            assert isinstance(verdict, Failed)
            assert said in verdict.reason.replace("No such", "no such")
            assert "sk-live" not in verdict.reason
    assert there.posts == []


async def test_a_url_may_be_kept_elsewhere_and_is_read_anew_at_each_attempt(tmp_path: Path) -> None:
    async with receiver() as old, receiver() as new:
        place = tmp_path / "url"
        place.write_text(old.url)
        channel = Webhook(Kept("url", file=str(place)), None, 10)
        await channel.deliver(MESSAGE, NOW)
        place.write_text(new.url)
        await channel.deliver(MESSAGE, NOW)
        assert (len(old.posts), len(new.posts)) == (1, 1)
        assert channel.target == new.url.removesuffix(PATH)
        place.write_text("http://hooks.example.com/in-the-clear")
        verdict = await channel.deliver(MESSAGE, NOW)
        assert verdict == Failed("its url is neither https:// nor http:// to this machine")


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(code: int) -> None:
    async with receiver(status(code)) as there:
        assert await webhook(there.url).deliver(MESSAGE, NOW) == Retry(f"answered {code}")


@pytest.mark.parametrize("code", [300, 301, 302, 303, 304, 307, 308])
async def test_a_redirect_is_a_failure_and_not_followed(code: int) -> None:
    async with receiver() as elsewhere, receiver(status(code, Location=elsewhere.url)) as there:
        verdict = await webhook(there.url).deliver(MESSAGE, NOW)
    assert isinstance(verdict, Failed)
    assert f"answered {code}" in verdict.reason
    assert TOKEN not in verdict.reason
    assert elsewhere.posts == []


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 413, 422])
async def test_what_a_person_has_to_mend_is_not_tried_again(code: int) -> None:
    async with receiver(status(code, "bad\n  request ")) as there:
        assert await webhook(there.url).deliver(MESSAGE, NOW) == Failed(f"answered {code}: bad request")


async def test_410_says_that_nothing_shall_be_sent_any_more() -> None:
    async with receiver(status(410)) as there:
        assert await webhook(there.url).deliver(MESSAGE, NOW) == Gone("answered 410")


async def test_retry_after_is_honoured_within_bounds() -> None:
    async with receiver(status(429, Retry_After="77")) as there:
        assert await webhook(there.url).deliver(MESSAGE, NOW) == Retry("answered 429", 77)
    async with receiver(status(503, Retry_After="86400000")) as there:
        assert await webhook(there.url).deliver(MESSAGE, NOW) == Retry("answered 503", LONGEST)


async def test_a_receiver_that_does_not_answer_in_time_is_tried_again() -> None:
    async with receiver(silence) as there:
        verdict = await webhook(there.url, timeout_seconds=0.05).deliver(MESSAGE, NOW)
    assert verdict == Retry("did not answer within 0.05 s")


async def test_an_answer_that_never_ends_is_judged_by_its_status() -> None:
    async def endless(peer: Stream) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 500 Oh\r\nContent-Type: text/plain\r\nContent-Length: 99999999\r\n\r\n")
        await asyncio.Event().wait()

    async with Upstream(endless) as there:
        verdict = await webhook(there.url, timeout_seconds=0.2).deliver(MESSAGE, NOW)
    assert verdict == Retry("answered 500")


async def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    async with receiver() as there:
        pass
    verdict = await webhook(there.url).deliver(MESSAGE, NOW)
    assert verdict == Retry("cannot be reached: connection refused")


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\x00" * 100],
)
async def test_a_receiver_that_speaks_no_http_is_tried_again(answer: bytes) -> None:
    async with Upstream(once(answer)) as there:
        verdict = await webhook(f"{there.url}{PATH}").deliver(MESSAGE, NOW)
    assert isinstance(verdict, Retry)
    assert TOKEN not in verdict.reason


@pytest.mark.parametrize("host", ["exa mple.com", "[::1", "example.com:99999", "-" * 300])
async def test_a_url_that_leads_nowhere_is_told_without_it(host: str) -> None:
    verdict = await webhook(f"https://{host}/{TOKEN}").deliver(MESSAGE, NOW)
    assert isinstance(verdict, Failed | Retry)
    assert TOKEN not in verdict.reason


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted() -> None:
    async with Upstream(once(b"HTTP/1.1 200 OK\r\n\r\n"), tls=server_context()) as there:
        url = there.url.replace("127.0.0.1", "localhost")
        verdict = await webhook(url).deliver(MESSAGE, NOW)
    assert verdict == Retry("its certificate is not valid")
    assert there.requests == []


async def test_a_certificate_of_an_extra_authority_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(CERTIFICATE))
    async with Upstream(once(b"HTTP/1.1 200 OK\r\n\r\n"), tls=server_context()) as there:
        url = there.url.replace("127.0.0.1", "localhost")
        assert await webhook(url).deliver(MESSAGE, NOW) == Delivered("answered 200")


async def test_what_a_receiver_says_is_shown_short_plain_and_without_the_url() -> None:
    async def echo(post: Post) -> web.Response:
        return web.Response(
            status=404, text=f"no hook\x1b[31m at {post.path}?key=s3cr3t {TOKEN} " + "x" * 10**6
        )

    async with receiver(echo) as there:
        verdict = await webhook(f"{there.url}?key=s3cr3t").deliver(MESSAGE, NOW)
    assert isinstance(verdict, Failed)
    assert verdict.reason.startswith("answered 404: no hook [31m at …")
    assert TOKEN not in verdict.reason
    assert "s3cr3t" not in verdict.reason
    assert len(verdict.reason) < 200 < MOST_ANSWER


async def test_a_page_of_html_is_not_shown() -> None:
    async def page(post: Post) -> web.Response:
        return web.Response(status=502, text="<html><h1>Bad Gateway", content_type="text/html")

    async with receiver(page) as there:
        assert await webhook(there.url).deliver(MESSAGE, NOW) == Retry("answered 502")


async def test_no_proxy_is_asked_for_a_receiver_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _proxy() as proxy, receiver() as there:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert isinstance(await webhook(there.url).deliver(MESSAGE, NOW), Delivered)
    assert proxy.connections == []


async def test_a_receiver_elsewhere_is_reached_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _proxy() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        verdict = await webhook("https://hooks.example.com/T0KEN").deliver(MESSAGE, NOW)
    assert verdict == Retry("the proxy on the way to it answered 503")
    assert proxy.received.startswith(b"CONNECT hooks.example.com:443 ")


@asynccontextmanager
async def _proxy() -> AsyncGenerator[Upstream]:
    async with Upstream(once(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")) as proxy:
        yield proxy
