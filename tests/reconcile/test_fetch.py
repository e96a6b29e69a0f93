"""Invoices over HTTP, from a real server that answers in three shapes."""

import pytest
from aiohttp import web

from budgetd.reconcile.errors import ReconcileError
from budgetd.reconcile.fetch import fetch_invoice
from budgetd.reconcile.invoice import Invoice
from reconcile.billing import ADMIN_KEY, Billing
from support.tls import CERTIFICATE, server_context
from support.upstream import Upstream, always, once

SINCE, UNTIL = "2026-11-10", "2026-11-19"
PROVIDERS = ("anthropic", "openai", "openrouter")


async def fetch(billing: Billing, provider: str = "anthropic", **more: object) -> Invoice:
    return await fetch_invoice(provider, ADMIN_KEY, SINCE, UNTIL, **({"url": billing.url} | more))


async def failure(billing: Billing, provider: str = "anthropic", **more: object) -> str:
    with pytest.raises(ReconcileError) as error:
        await fetch(billing, provider, **more)
    assert ADMIN_KEY not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_all_pages_of_any_shape_come_to_the_same_sums(billing: Billing, provider: str) -> None:
    for number in range(10):
        billing.add(f"2026-11-{10 + number}", "some-model", f"0.{number}0000000000000004")
        billing.add(f"2026-11-{10 + number}", "some-model", "1.23456", "output")
    billing.missing = {"2026-11-13"}
    invoice = await fetch(billing, provider)
    assert len(invoice.days) == 9
    assert "2026-11-13" not in invoice.days
    assert {line.model for line in invoice.lines} == {"some-model"}
    sums = [sum(line.nusd for line in invoice.lines if line.day == day) for day in sorted(invoice.days)]
    assert sums == [1_234_560_000 + number * 100_000_000 for number in range(10) if number != 3]
    assert invoice.source == "127.0.0.1"


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
async def test_the_days_that_are_asked_for_are_asked_for_page_by_page(
    billing: Billing, provider: str
) -> None:
    invoice = await fetch(billing, provider)
    assert len(billing.asked) == 4
    assert min(invoice.days) == SINCE
    assert max(invoice.days) == UNTIL


async def test_openrouter_tells_the_credits_too(billing: Billing) -> None:
    invoice = await fetch(billing, "openrouter")
    assert "OpenRouter says $25.75 of $100.50 in credits is used in all." in invoice.notes


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "does not know the key (401). It takes an admin key"),
        (403, "may not read invoices at 127.0.0.1 (403). It takes an admin key"),
        (404, "no invoices at this address (404); check --url"),
        (429, "asked too often (429); try again in a few minutes"),
        (500, "in trouble (500); try again later"),
        (503, "in trouble (503); try again later"),
        (418, "answered 418"),
    ],
)
@pytest.mark.parametrize("provider", ["anthropic", "openai"])
async def test_a_refusal_is_told_with_what_to_do(
    billing: Billing, provider: str, status: int, message: str
) -> None:
    billing.refusal = web.json_response({"error": {"message": ADMIN_KEY}}, status=status)
    assert message in await failure(billing, provider)


async def test_a_provider_that_says_when_to_come_again_is_believed(billing: Billing) -> None:
    billing.refusal = web.Response(status=429, headers={"Retry-After": "17"})
    assert "(429); try again in 17 s." in await failure(billing)


async def test_the_key_does_not_follow_a_redirection(billing: Billing) -> None:
    async with Billing().serving() as elsewhere:
        billing.refusal = web.Response(status=302, headers={"Location": elsewhere.url})
        assert "redirects elsewhere (302)" in await failure(billing)
        assert elsewhere.asked == []


async def test_a_wrong_key_is_answered_by_the_kind_that_it_takes(billing: Billing) -> None:
    with pytest.raises(ReconcileError, match="management key"):
        await fetch_invoice("openrouter", "wrong", SINCE, UNTIL, url=billing.url)


async def test_a_page_that_is_cut_short_is_no_invoice(billing: Billing) -> None:
    billing.refusal = web.Response(text='{"data":[{"starting_at":"2026-11-10T00:00:00Z","resul')
    assert "cut short or not JSON" in await failure(billing)


async def test_a_connection_that_breaks_off_is_no_invoice(billing: Billing) -> None:
    async with Upstream(once(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data":[')) as upstream:
        assert "127.0.0.1 could not be read" in await failure(billing, url=upstream.url)


async def test_a_provider_that_says_nothing_is_given_up_on(billing: Billing) -> None:
    billing.silent = True
    assert "did not answer in time" in await failure(billing, total_seconds=0.2)
    assert "did not answer in time" in await failure(billing, silent_seconds=0.2)


async def test_the_same_page_again_and_again_is_given_up_on(billing: Billing) -> None:
    billing.same_page_for_ever = True
    assert "the same page again and again" in await failure(billing)


async def test_pages_without_end_are_given_up_on(billing: Billing) -> None:
    billing.page_days = 1
    with pytest.raises(ReconcileError, match="more than 100 pages"):
        await fetch_invoice("openai", ADMIN_KEY, "2026-01-01", UNTIL, url=billing.url)


async def test_nobody_there_is_said_so(billing: Billing) -> None:
    async with Billing().serving() as gone:
        url = gone.url
    assert "127.0.0.1 could not be read" in await failure(billing, url=url)


@pytest.mark.parametrize(
    "url", ["http://billing.example.com", "ftp://127.0.0.1", "127.0.0.1:80", "https://", "http://[::1", "x"]
)
async def test_a_key_is_sent_in_the_open_to_this_machine_only(billing: Billing, url: str) -> None:
    assert "over https:// only" in await failure(billing, url=url)


async def test_a_proxy_does_not_see_what_stays_on_this_machine(
    billing: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Billing().serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        await fetch(billing)
        assert proxy.asked == []


async def test_an_extra_authority_is_trusted_and_no_other(
    billing: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = b'{"data": [], "has_more": false, "next_page": null}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(page)
    async with Upstream(always(answer + page), tls=server_context()) as there:
        url = f"https://localhost:{there.port}"
        assert "cannot prove who it is" in await failure(billing, url=url)
        assert there.requests == []
        monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(CERTIFICATE))
        assert (await fetch(billing, url=url)).lines == ()
        assert there.requests
