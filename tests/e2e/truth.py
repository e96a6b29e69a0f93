"""What an exchange used and cost, worked out from the provider's own reports and genai-prices' own sums.

Nothing of the daemon is asked; this is what its ledger is held against.
"""

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from genai_prices import Usage, calc_price

from e2e.exchange import Exchange

PROVIDERS = {"gemini": "google", "vertex": "google", "bedrock": "aws", "xai": "x-ai"}
"""What genai-prices calls an upstream, where it is not our name."""

COUNTS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "output_tokens",
    "reasoning_tokens",
    "output_audio_tokens",
    "output_image_tokens",
    "images",
    "input_audio_ms",
)
"""Columns of the ledger that the reports decide."""

FREE = {"ollama"}
"""Providers that bill nothing."""


@dataclass(frozen=True)
class Truth:
    """What was reported: counts by column; what others' models were billed; a price the provider states."""

    counts: Counter[str]
    others: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    stated_nusd: int | None = None


def hold_against_the_truth(row: sqlite3.Row, exchange: Exchange) -> None:
    """See that a row of the ledger holds the usage and the cost of an exchange of a metered API."""
    truth = reported(exchange)
    if exchange.status >= 400 or (truth is None and is_error(exchange)):
        assert (row["basis"], row["cost_nusd"]) == ("reported", 0)
    elif truth is None and exchange.dialect == "openai.speech":
        # Sound says nothing of itself: what was to be spoken is billed, at $15 a million characters.
        spoken = len(json.loads(exchange.request_body)["input"])
        assert (row["basis"], row["input_characters"], row["output_tokens"]) == ("reported", spoken, 0)
        assert row["cost_nusd"] == spoken * 15_000
    elif truth is None:
        assert row["basis"] == "estimated"
        assert row["cost_nusd"] > 0
    else:
        assert {name: row[name] for name in COUNTS} == {name: truth.counts[name] for name in COUNTS}
        assert row["basis"] == ("reported" if truth.stated_nusd is None else "billed")
        cost = cost_nusd(exchange, truth, row["admitted_at"])
        if cost is None:
            assert row["price_id"]  # of its maker, of its nearest relative, or its provider's dearest
            assert row["cost_nusd"] > 0
        else:
            assert row["cost_nusd"] == cost


def is_error(exchange: Exchange) -> bool:
    """Whether the whole answer is an error, whatever its status: one recorded Azure answer of 200 is."""
    try:
        body = json.loads(exchange.response_body)
    except ValueError:
        return False
    return isinstance(body, dict) and body.keys() == {"error"}


def reported(exchange: Exchange) -> Truth | None:
    """The truth about an exchange of a metered API; None if the provider reported nothing."""
    if not exchange.reports:
        return None
    read = {
        "anthropic.messages": _anthropic,
        "openai.chat": _chat,
        "openai.responses": _responses,
        "openai.embeddings": _embeddings,
        "openai.images": _images,
        "openai.speech": _speech,
        "openai.transcriptions": _transcript,
        "gemini.generate": _gemini,
        "cohere": _cohere,
        "bedrock.converse": _bedrock,
        "bedrock.invoke": _bedrock,
        "ollama": _ollama,
    }[exchange.dialect or ""]
    return read(exchange)


def cost_nusd(exchange: Exchange, truth: Truth, at: float) -> int | None:
    """What it cost at a time, to the nanodollar; None where genai-prices does not know the model."""
    if truth.stated_nusd is not None:
        return truth.stated_nusd
    if exchange.provider in FREE:
        return 0
    provider = PROVIDERS.get(exchange.provider, exchange.provider)
    tier = exchange.tier_answered
    for model in (exchange.model_answered, exchange.model_asked):
        own = _price(provider, model, tier, truth.counts, at)
        if own is not None:
            others = [_price(provider, other, tier, used, at) for other, used in truth.others.items()]
            return None if None in others else own + sum(cost for cost in others if cost is not None)
    return None


def _price(provider: str, model: str, tier: str, counts: Counter[str], at: float) -> int | None:
    usage = Usage(
        input_tokens=counts["input_tokens"],
        cache_read_tokens=counts["cache_read_tokens"],
        cache_write_tokens=counts["cache_write_tokens"],
        cache_write_1h_tokens=counts["cache_write_1h_tokens"],
        input_audio_tokens=counts["input_audio_tokens"],
        cache_audio_read_tokens=counts["cache_read_audio_tokens"],
        input_image_tokens=counts["input_image_tokens"],
        audio_seconds=Decimal(counts["input_audio_ms"]) / 1000,
        input_audio_seconds=Decimal(counts["input_audio_ms"]) / 1000,
        output_tokens=counts["output_tokens"],
        output_reasoning_tokens=counts["reasoning_tokens"],
        output_audio_tokens=counts["output_audio_tokens"],
        output_image_tokens=counts["output_image_tokens"],
        web_searches=counts["web_searches"],
    )
    try:
        price = calc_price(
            usage,
            model,
            provider_id=provider,
            genai_request_timestamp=datetime.fromtimestamp(at, UTC),
            price_context={"service_tier": tier},
        )
    except LookupError:
        return None
    return int((price.total_price * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def _anthropic(exchange: Exchange) -> Truth:
    last: dict[str, Any] = {}
    for report in exchange.reports:
        last.update({name: value for name, value in report.items() if value is not None})
    counts, others = _anthropic_counts(last), dict[str, Counter[str]]()
    for iteration in last.get("iterations", []):
        if iteration["type"] != "message":
            model = iteration.get("model", exchange.model_answered)
            target = counts if model == exchange.model_answered else others.setdefault(model, Counter())
            target.update(_anthropic_counts(iteration))
    counts["web_searches"] = last.get("server_tool_use", {}).get("web_search_requests", 0)
    counts["reasoning_tokens"] = last.get("output_tokens_details", {}).get("thinking_tokens", 0)
    return Truth(counts, others)


def _anthropic_counts(report: dict[str, Any]) -> Counter[str]:
    read, written = report.get("cache_read_input_tokens", 0), report.get("cache_creation_input_tokens", 0)
    return Counter(
        input_tokens=report["input_tokens"] + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=report.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0),
        output_tokens=report["output_tokens"],
    )


def _chat(exchange: Exchange) -> Truth:
    report = exchange.reports[-1]
    into = report.get("prompt_tokens_details") or {}
    out = report.get("completion_tokens_details") or {}
    written = into.get("cache_write_tokens") or 0
    output = max(report["completion_tokens"], report["total_tokens"] - report["prompt_tokens"])
    counts = Counter(
        input_tokens=report["prompt_tokens"],
        # Or it reports the same tokens as read and as written; a token is one of both.
        cache_read_tokens=min(into.get("cached_tokens") or 0, report["prompt_tokens"] - written),
        cache_write_tokens=written,
        # xAI leaves reasoning out of the output; the total tells.
        output_tokens=output,
        # One recorded provider counts more reasoning than output; a part cannot exceed its total.
        reasoning_tokens=min(out.get("reasoning_tokens") or 0, output),
        web_searches=(report.get("server_tool_use_details") or {}).get("web_search_requests", 0),
    )
    return Truth(counts, stated_nusd=_stated(report))


def _stated(report: dict[str, Any]) -> int | None:
    if "cost_in_usd_ticks" in report:
        return report["cost_in_usd_ticks"] // 10
    if "cost" not in report:
        return None
    # With a key of one's own, the provider behind the gateway charges for itself.
    behind = report["cost_details"]["upstream_inference_cost"] if report.get("is_byok") else 0
    return round((Decimal(str(report["cost"])) + Decimal(str(behind))) * 10**9)


def _embeddings(exchange: Exchange) -> Truth:
    return Truth(Counter(input_tokens=exchange.reports[-1]["prompt_tokens"]))


def _images(exchange: Exchange) -> Truth:
    report = exchange.reports[-1]
    return Truth(
        Counter(
            input_tokens=report["input_tokens"],
            input_image_tokens=report["input_tokens_details"]["image_tokens"],
            output_tokens=report["output_tokens"],
            output_image_tokens=report["output_tokens"],
        )
    )


def _speech(exchange: Exchange) -> Truth:
    report = exchange.reports[-1]
    spoken = report["output_tokens"]
    return Truth(
        Counter(input_tokens=report["input_tokens"], output_tokens=spoken, output_audio_tokens=spoken)
    )


def _transcript(exchange: Exchange) -> Truth:
    report = exchange.reports[-1]
    if report["type"] == "duration":
        return Truth(Counter(input_audio_ms=report["seconds"] * 1000))
    return Truth(
        Counter(
            input_tokens=report["input_tokens"],
            input_audio_tokens=report["input_token_details"]["audio_tokens"],
            output_tokens=report["output_tokens"],
        )
    )


def _cohere(exchange: Exchange) -> Truth:
    billed = exchange.reports[-1]["billed_units"]
    return Truth(Counter(input_tokens=billed["input_tokens"], output_tokens=billed.get("output_tokens", 0)))


def _bedrock(exchange: Exchange) -> Truth:
    report = exchange.reports[0]
    if "inputTextTokenCount" in report:
        # Of Titan's stream the corpus lists the first count alone; the last event has both.
        return Truth(Counter(input_tokens=6, output_tokens=3))
    if "input_tokens" in report:
        return Truth(_anthropic_counts(report))
    read, written = report.get("cacheReadInputTokens", 0), report.get("cacheWriteInputTokens", 0)
    return Truth(
        Counter(
            input_tokens=report["inputTokens"] + read + written,
            cache_read_tokens=read,
            cache_write_tokens=written,
            output_tokens=report["outputTokens"],
        )
    )


def _ollama(exchange: Exchange) -> Truth:
    report = exchange.reports[-1]
    return Truth(Counter(input_tokens=report["prompt_eval_count"], output_tokens=report["eval_count"]))


def _searches(response: bytes) -> int:
    """Web searches bill apart from tokens, and no usage object of OpenAI's counts them."""
    events = [json.loads(line[6:]) for line in response.splitlines() if line.startswith(b"data: {")]
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    return sum(item["type"] == "web_search_call" and item["action"]["type"] == "search" for item in items)


def _responses(exchange: Exchange) -> Truth:
    report = exchange.reports[-1]
    into, out = report.get("input_tokens_details") or {}, report.get("output_tokens_details") or {}
    return Truth(
        Counter(
            input_tokens=report["input_tokens"],
            cache_read_tokens=into.get("cached_tokens") or 0,
            cache_write_tokens=into.get("cache_write_tokens") or 0,
            output_tokens=report["output_tokens"],
            reasoning_tokens=out.get("reasoning_tokens") or 0,
            web_searches=_searches(exchange.response_body),
        )
    )


def _gemini(exchange: Exchange) -> Truth:
    def most(name: str) -> int:
        return max(report.get(name) or 0 for report in exchange.reports)

    def audio(name: str) -> int:
        return max(
            sum(part["tokenCount"] for part in report.get(name, []) if part["modality"] == "AUDIO")
            for report in exchange.reports
        )

    thoughts = most("thoughtsTokenCount")
    return Truth(
        Counter(
            input_tokens=most("promptTokenCount") + most("toolUsePromptTokenCount"),
            cache_read_tokens=most("cachedContentTokenCount"),
            input_audio_tokens=audio("promptTokensDetails"),
            cache_read_audio_tokens=audio("cacheTokensDetails"),
            output_tokens=most("candidatesTokenCount") + thoughts,
            reasoning_tokens=thoughts,
        )
    )
