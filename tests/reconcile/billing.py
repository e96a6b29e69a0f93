"""A provider's billing: a real server that answers in the shapes of three of them, page by page."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import web

from budgetd.reconcile.days import day_in, day_of, following, starts_at

ADMIN_KEY = "sk-admin-secret"


@dataclass
class Charge:
    """What is billed for one thing on one day."""

    day: str
    model: str | None
    dollars: str
    """As a decimal, so that no digit is lost on the way."""
    what: str = ""
    tier: str | None = None


@dataclass
class Billing:
    """Bills, and what was asked of it."""

    charges: list[Charge] = field(default_factory=list[Charge])
    missing: set[str] = field(default_factory=set[str])
    """Days that have no bucket."""
    page_days: int = 3
    refusal: web.Response | None = None
    """Sent in place of the next answer."""
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    silent: bool = False
    """Nothing is answered until `stalled` is set."""
    same_page_for_ever: bool = False
    asked: list[str] = field(default_factory=list[str])
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, day: str) -> list[Charge]:
        return [charge for charge in self.charges if charge.day == day]

    def add(self, day: str, model: str | None, dollars: str, what: str = "", tier: str | None = None) -> None:
        self.charges.append(Charge(day, model, dollars, what, tier))

    def drop(self, day: str, what: str) -> None:
        self.charges = [charge for charge in self.charges if (charge.day, charge.what) != (day, what)]

    # the three shapes

    def anthropic(self, query: Any) -> str:
        assert query.getall("group_by[]") == ["description"]
        days, rest = self._page(day_in(query["starting_at"]), day_in(query["ending_at"]), query)
        buckets = ",".join(
            f'{{"starting_at":"{day}T00:00:00Z","ending_at":"{following(day)}T00:00:00Z",'
            f'"results":[{",".join(_anthropic(charge) for charge in self.on(day))}]}}'
            for day in days
        )
        return f'{{"data":[{buckets}],"has_more":{_json(bool(rest))},"next_page":{_json(rest)}}}'

    def openai(self, query: Any) -> str:
        assert query.getall("group_by") == ["line_item"]
        days, rest = self._page(day_of(int(query["start_time"])), day_of(int(query["end_time"])), query)
        buckets = ",".join(
            f'{{"object":"bucket","start_time":{int(starts_at(day))},'
            f'"end_time":{int(starts_at(following(day)))},'
            f'"results":[{",".join(_openai(charge) for charge in self.on(day))}]}}'
            for day in days
        )
        page = f'"has_more":{_json(bool(rest))},"next_page":{_json(rest)}'
        return f'{{"object":"page","data":[{buckets}],{page}}}'

    def openrouter(self) -> str:
        items = ",".join(
            f'{{"date":"{charge.day}","model":{_json(charge.model)},"model_permaslug":{_json(charge.model)},'
            f'"endpoint_id":"e","provider_name":"Z","usage":{charge.dollars},"byok_usage_inference":0,'
            '"requests":5,"prompt_tokens":50,"completion_tokens":125,"reasoning_tokens":0}'
            for charge in self.charges
            if charge.day not in self.missing
        )
        return f'{{"data":[{items}]}}'

    def _page(self, since: str, until: str, query: Any) -> tuple[list[str], str | None]:
        """The days of the page that is asked for, and where the next one begins."""
        first = query.get("page", "page_" + since).removeprefix("page_")
        days, day = list[str](), first
        while day < until and len(days) < self.page_days:
            days.append(day)
            day = following(day)
        rest = f"page_{first if self.same_page_for_ever else day}" if day < until else None
        return [day for day in days if day not in self.missing], rest

    # serving

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if self.silent:
            await self.stalled.wait()
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            return refusal
        if ADMIN_KEY not in (request.headers.get("x-api-key"), request.headers.get("Authorization", "")[7:]):
            return web.json_response({"error": {"message": "no such key"}}, status=401)
        match request.path:
            case "/v1/organizations/cost_report":
                assert request.headers["anthropic-version"]
                text = self.anthropic(request.query)
            case "/v1/organization/costs":
                text = self.openai(request.query)
            case "/api/v1/activity":
                text = self.openrouter()
            case "/api/v1/credits":
                text = '{"data":{"total_credits":100.5,"total_usage":25.75}}'
            case _:
                return web.Response(status=404)
        return web.Response(text=text, content_type="application/json")

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncGenerator["Billing"]:
        app = web.Application()
        app.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            self.stalled.set()
            await runner.cleanup()


def _anthropic(charge: Charge) -> str:
    """An amount is in cents, as a decimal string; where there is no model, hardly anything is said."""
    cents = format(Decimal(charge.dollars) * 100, "f")
    return (
        f'{{"currency":"USD","amount":"{cents}","description":{_json(charge.what or None)},'
        f'"workspace_id":null,"cost_type":{_json("tokens" if charge.model else "web_search")},'
        '"context_window":null,'
        f'"model":{_json(charge.model)},"service_tier":{_json(charge.tier)},"token_type":null,'
        '"inference_geo":null}'
    )


def _openai(charge: Charge) -> str:
    """An amount is a float in dollars; the model is a part of the line item."""
    item = f"{charge.model}, {charge.what or 'input'}" if charge.model else charge.what or None
    return (
        f'{{"object":"organization.costs.result","amount":{{"value":{charge.dollars},"currency":"usd"}},'
        f'"line_item":{_json(item)},"project_id":null,"organization_id":"org-1"}}'
    )


def _json(value: str | bool | None) -> str:
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
