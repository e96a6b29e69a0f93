"""States made by hand."""

import math
from datetime import UTC, datetime

import msgspec

from budgetwire.messages import (
    Alert,
    Burn,
    Change,
    Channel,
    Daemon,
    Delivery,
    InFlight,
    Limit,
    Request,
    Snapshot,
    Spend,
    Spending,
)

NOW = datetime(2026, 11, 23, 15, 4, 12, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
USD = 1_000_000_000


RAISE = "To raise it, press e in budgettop or edit daily in budget.toml; g grants more for this window."


def usd(amount: float) -> int:
    return round(amount * USD)


def limit(name: str, cap: float, spent: float, reserved: float = 0.0, **more: object) -> Limit:
    facts: dict[str, object] = {
        "window": "month" if name == "monthly" else "day",
        "starts_at": MIDNIGHT,
        "ends_at": MIDNIGHT + 86400 if name != "monthly" else datetime(2026, 12, 1, tzinfo=UTC).timestamp(),
        "thresholds_pct": [80],
        "on_exceed": "refuse",
    }
    return Limit(
        name=name, limit_nusd=usd(cap), spent_nusd=usd(spent), reserved_nusd=usd(reserved), **(facts | more)
    )


def in_flight(id: int, **more: object) -> InFlight:
    facts: dict[str, object] = {
        "started_at": NOW - 12,
        "phase": "answering",
        "upstream": "anthropic",
        "model": "claude-opus-4-8",
        "user": "",
        "project": "acme-api",
        "session": "main",
        "client": "claude",
        "input_tokens": 41_200,
        "output_tokens": 1_234,
        "cost_nusd": usd(0.31),
        "reserved_nusd": usd(0.48),
    }
    return InFlight(id=id, **(facts | more))


def held(id: int, **more: object) -> InFlight:
    facts: dict[str, object] = {
        "phase": "held",
        "held_by": "opus",
        "held_subject": "acme-api",
        "held_until": NOW + 112,
        "cost_nusd": 0,
        "output_tokens": 0,
    }
    return in_flight(id, **(facts | more))


def opus(subject: str, spent: float, reserved: float = 0.0, **more: object) -> Limit:
    """A counter of a limit that holds, for each project."""
    facts: dict[str, object] = {
        "subject": subject,
        "per": "project",
        "match": {"model": "claude-opus-*"},
        "on_exceed": "hold",
    }
    return limit("opus", 5, spent, reserved, **(facts | more))


def change(id: int, action: str, subject: str, **more: object) -> Change:
    facts: dict[str, object] = {
        "at": NOW - 60 * id,
        "uid": 1000,
        "name": "budgettop",
        "before": "",
        "after": "",
    }
    return Change(id=id, action=action, subject=subject, **(facts | more))


def alert(id: int, message: str, severity: str = "warning", **more: object) -> Alert:
    facts: dict[str, object] = {"rule": "threshold", "limit": "daily", "fired_at": NOW - 60 * id}
    return Alert(id=id, message=message, severity=severity, **(facts | more))


def spends(*pairs: tuple[str, float]) -> list[Spend]:
    return [Spend(subject=name, cost_nusd=usd(cost), requests=round(cost * 20) + 1) for name, cost in pairs]


def daemon(**more: object) -> Daemon:
    return Daemon(**({"listen": "127.0.0.1:8766", "timezone": "UTC"} | more))


def minutes() -> list[int]:
    return [usd(0.03 * (1 + math.sin(at / 7)) + 0.05 * (at % 13 == 4) + 0.02 * (at > 48)) for at in range(60)]


def empty() -> Snapshot:
    burn = Burn(nusd_per_hour=0, minutes_nusd=[0] * 60, today_nusd=0, yesterday_nusd=0, month_nusd=0)
    nothing = Spending(project=[], model=[], user=[], session=[])
    return Snapshot(
        seq=1, at=NOW, daemon=daemon(), limits=[], in_flight=[], alerts=[], burn=burn, spending=nothing
    )


def busy() -> Snapshot:
    return Snapshot(
        seq=1,
        at=NOW,
        daemon=daemon(),
        limits=[
            limit("daily", 10, 6.42, 0.61, forecast_nusd=usd(13.1), cap_at=NOW + 4 * 3600 + 360),
            limit("monthly", 200, 71.30, 0.61, forecast_nusd=usd(148)),
        ],
        in_flight=[
            in_flight(1),
            in_flight(
                2,
                started_at=NOW - 3,
                model="gpt-5.4",
                upstream="openai",
                project="scraper",
                session="",
                client="codex",
                input_tokens=3_100,
                output_tokens=210,
                cost_nusd=usd(0.0134),
                reserved_nusd=usd(0.06),
            ),
            in_flight(
                3,
                started_at=NOW - 1,
                phase="sent",
                model="gemini-3-pro",
                upstream="gemini",
                project="notes",
                session="",
                client="gemini",
                input_tokens=812,
                output_tokens=0,
                cost_nusd=0,
                reserved_nusd=usd(0.07),
            ),
        ],
        alerts=[
            alert(2, "daily passed 50 % of $10.00"),
            alert(44, "Price of claude-next-6 is unknown: reserved at Anthropic's dearest price", "info"),
            alert(
                120,
                "monthly passed 30 %",
                state="acknowledged",
                acknowledged_at=NOW - 3600,
                acknowledged_by="ada",
                acknowledged_from="budgetd cli",
            ),
        ],
        burn=Burn(
            nusd_per_hour=usd(1.84),
            minutes_nusd=minutes(),
            today_nusd=usd(6.42),
            yesterday_nusd=usd(4.10),
            month_nusd=usd(71.30),
            month_forecast_nusd=usd(148),
            requests_today=212,
        ),
        spending=Spending(
            project=spends(("acme-api", 4.61), ("scraper", 1.20), ("notes", 0.61)),
            model=spends(
                ("claude-opus-4-8", 4.02), ("gpt-5.4", 1.31), ("gemini-3-pro", 0.61), ("gpt-5.4-mini", 0.48)
            ),
            user=spends(("ada", 5.1), ("grace", 1.32)),
            session=spends(("main", 3.2), ("fix-login", 1.41), ("", 1.81)),
        ),
    )


def request(id: int, **more: object) -> Request:
    facts: dict[str, object] = {
        "admitted_at": NOW - 20 * (300 - id),
        "settled_at": NOW - 20 * (300 - id) + 7,
        "upstream": "anthropic",
        "provider": "anthropic",
        "dialect": "anthropic.messages",
        "method": "POST",
        "path": "/v1/messages",
        "model": "claude-opus-4-8",
        "model_billed": "claude-opus-4-8",
        "user": "ada",
        "project": "acme-api",
        "session": "main",
        "key": "k_3f9a0c",
        "client": "claude",
        "stream": True,
        "status": 200,
        "outcome": "ok",
        "basis": "reported",
        "input_tokens": 41_200,
        "cache_read_tokens": 38_000,
        "cache_write_tokens": 900,
        "output_tokens": 1_234,
        "reasoning_tokens": 0,
        "web_searches": 0,
        "cost_nusd": usd(0.31),
        "reserved_nusd": usd(0.48),
        "expected_nusd": usd(0.40),
        "worst_nusd": usd(4.8),
        "price_id": "genai-prices/anthropic/claude-opus-4-8@2026-11-01",
        "ttft_seconds": 0.84,
        "duration_seconds": 7.1,
        "request_bytes": 161_022,
        "response_bytes": 9_120,
        "provider_request_id": "req_011CU",
    }
    return Request(id=id, **(facts | more))


def tight() -> Snapshot:
    """A limit of each standing, wide names, and many requests."""
    state = busy()
    return msgspec.structs.replace(
        state,
        limits=[
            limit("daily", 10, 11.23, 0.4, refused=12, forecast_nusd=usd(15)),
            limit("monthly", 200, 171.30, 0.61, forecast_nusd=usd(248), cap_at=NOW + 86400 * 3),
            limit("研究チーム per day", 5, 4.61, 0.5, thresholds_pct=[50, 80, 95], on_exceed="alert"),
            limit("notes", 1204.0, 0.004),
        ],
        in_flight=[
            in_flight(
                id,
                started_at=NOW - id * 37,
                model=["claude-opus-4-8", "gpt-5.4", "中文模型-very-long-name-of-a-model-2026-11-01"][id % 3],
                project=["acme-api", "研究", "scraper"][id % 3],
                session=f"session-{id}",
                phase=["answering", "sent", "draining"][id % 3],
                cost_nusd=usd(0.02 * id),
                reserved_nusd=usd(0.3),
            )
            for id in range(1, 22)
        ],
        alerts=[
            alert(1, "daily is over its cap: $11.23 of $10.00, requests are refused", "critical"),
            *(alert(id, f"monthly passed {id} %") for id in range(2, 30)),
        ],
    )


def holding() -> Snapshot:
    """Limits of the long form, one of which holds two requests, and a downgraded one."""
    state = busy()
    return msgspec.structs.replace(
        state,
        limits=[
            *state.limits,
            opus("acme-api", 4.61, 0.39),
            opus("acme-web", 1.20),
            limit(
                "agents",
                3,
                2.2,
                0.1,
                window="5h",
                ends_at=None,
                granted_nusd=usd(2),
                guarantee="strict",
                match={"client": "claude,codex"},
                headroom_nusd=usd(0.25),
                unknown_nusd=usd(0.4),
            ),
            limit(
                "scraper",
                20,
                19.99,
                0.01,
                window="total",
                ends_at=None,
                on_exceed="downgrade",
                fallback_model="claude-haiku-4-5",
                match={"project": "scraper"},
            ),
            limit("research", 8, 0.5, window="week", paused=True, match={"user": "grace"}),
        ],
        in_flight=[
            *state.in_flight,
            held(7),
            held(8, started_at=NOW - 2, held_until=NOW + 118, session="fix-login", reserved_nusd=usd(0.12)),
            in_flight(
                9,
                started_at=NOW - 6,
                model="claude-haiku-4-5",
                asked_model="claude-opus-4-8",
                project="scraper",
                session="",
                cost_nusd=usd(0.004),
                reserved_nusd=usd(0.02),
            ),
        ],
        alerts=[
            alert(1, "opus / acme-api holds a request of $0.48: allow it, grant more or refuse it"),
            *state.alerts,
        ],
    )


def changes() -> list[Change]:
    return [
        change(1, "grant", "agents", after="2000000000"),
        change(14, "approve", "request 812", name="ada"),
        change(30, "set_limit", "daily", before="8000000000", after="10000000000"),
        change(60, "set_limit", "notes", before='{"name": "notes", "limit_cents": 700}'),
        change(99, "pause", "research", name="budgetd pause", before="running", after="paused"),
        change(2000, "set_limit", "研究チーム", after="5000000000"),
    ]


def many(count: int = 60) -> Snapshot:
    """As many counters, some of projects with wide names."""
    state = busy()
    subjects = [f"研究-{at:02}" if at % 5 == 2 else f"project-{at:02}" for at in range(count - 2)]
    counters = [opus(subject, 4.9 - at / 13, 0.05 * (at % 3)) for at, subject in enumerate(subjects)]
    return msgspec.structs.replace(state, limits=[*state.limits, *counters])


def alerted() -> Snapshot:
    """Alerts in every state, one of them about a held request."""
    state = holding()
    return msgspec.structs.replace(
        state,
        alerts=[
            alert(
                60,
                "opus / acme-api holds 2 requests: $0.48 needed, $0.00 of $5.00 left",
                rule="held",
                limit="opus",
                subject="acme-api",
                fired_at=NOW - 8,
                request_id=7,
                advice="In budgettop: enter allows it once, f grants $5, x refuses it.",
            ),
            alert(
                59,
                "daily cap reached: $10.02 of $10.00 spent; further requests are refused",
                "critical",
                rule="cap",
                fired_at=NOW - 120,
                advice=RAISE,
            ),
            alert(
                58,
                "daily refuses requests: $0.48 needed, $0.00 of $10.00 left",
                rule="refused",
                fired_at=NOW - 118,
                last_at=NOW - 2,
                count=500,
                advice=RAISE,
            ),
            alert(
                57,
                "monthly passed 80 %: $171.30 of $200.00 spent",
                limit="monthly",
                fired_at=NOW - 4000,
                state="snoozed",
                snoozed_until=NOW + 3588,
            ),
            alert(
                56,
                "No price is known of anthropic/claude-next-6",
                "info",
                rule="unknown_model",
                limit="",
                subject="anthropic/claude-next-6",
                fired_at=NOW - 9000,
                state="acknowledged",
                acknowledged_at=NOW - 3600,
                acknowledged_by="ada",
                acknowledged_from="desktop",
            ),
            alert(
                55,
                "研究チーム passed 50 %: $2.51 of $5.00 spent",
                limit="研究チーム",
                fired_at=NOW - 90_000,
                state="resolved",
                resolved_at=NOW - 80_000,
                resolved_by="the limit was raised",
            ),
        ],
    )


def delivery(id: int, alert_id: int, channel: str, **more: object) -> Delivery:
    facts: dict[str, object] = {
        "event": "fired",
        "message_id": f"msg_{id}",
        "created_at": NOW - 100,
        "due_at": NOW - 100,
        "attempts": 1,
        "state": "delivered",
        "delivered_at": NOW - 99,
        "error": "",
    }
    return Delivery(id=id, alert_id=alert_id, channel=channel, **(facts | more))


def deliveries(alert_id: int) -> list[Delivery]:
    """One message of each state."""
    down = "monitoring.example.com answered 503"
    return [
        delivery(
            3, alert_id, "ops", state="pending", attempts=3, due_at=NOW + 300, error=down, event="updated"
        ),
        delivery(2, alert_id, "desktop"),
        delivery(1, alert_id, "mail", state="dead", attempts=7, error="apprise is not installed"),
    ]


def channels() -> list[Channel]:
    """One that works, one that fails, one that was disabled, and one that is switched off."""
    return [
        Channel(
            "ops", "webhook", "https://monitoring.example.com", "warning", error="answered 503", pending=2
        ),
        Channel("desktop", "desktop", "this desktop", "info", delivered_at=NOW - 99),
        Channel(
            "mail", "apprise", "mailtos", "critical", disabled_at=NOW - 7200, disabled_reason="gone", dead=3
        ),
        Channel(
            "log",
            "exec",
            "logger",
            "info",
            disabled_reason="the channel is switched off",
            error="exit code 1",
        ),
    ]
