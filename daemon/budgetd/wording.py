"""What a client is told when its request is not let through. Pure."""

import shlex
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from budgetd.alerts.finding import shown
from budgetd.blocks import Block
from budgetd.budget.decision import Refused
from budgetwire.money import format_usd

PAUSED = "Spending is paused on this machine. To resume, press space in budgettop or run `budgetd resume`."

ON_OVERAGE = " Your plan's paid extra usage is on, so that this request would cost money."


def why_repeated(block: Block, zone: ZoneInfo) -> str:
    """Who killed what this repeats, until when it is refused, and how to go on."""

    def clock(at: float) -> str:
        return f"{datetime.fromtimestamp(at, UTC).astimezone(zone):%H:%M:%S}"

    whose = "this session" if block.origin.session else "this kind"
    return (
        f"Request {block.request_id} of {whose} was killed by {block.by} at {clock(block.at)}, so that its"
        f" repeats are refused until {clock(block.until)}. To let it go on now, run"
        f" `budgetd approve {block.request_id}` or press enter on it in budgettop."
    )


def why_unknown(provider: str, model: str) -> str:
    """What to do about a model without a price, where the person wants such refused."""
    what = f"The price of {model} at {provider}" if model else f"What this request costs at {provider}"
    return (
        f'{what} is not known, and unknown_model = "refuse" in config.toml. Take over newer prices with'
        f' `budgetd sync-pricing`, or state one under [pricing.overrides."{provider}/{model or "*"}"].'
    )


def why_in_short(refused: Refused) -> str:
    """Which limit, and how it stands, for the log."""
    window = refused.window
    whose = f"{window.limit.name} / {shown(window.subject)}" if window.subject else window.limit.name
    if refused.reason == "paused":
        return f"{whose} is paused"
    if refused.reason == "unbounded" or refused.amount_nusd is None:
        return f"{whose} is strict, and its cost has no bound"
    return (
        f"{whose} has no room ({format_usd(window.spent_nusd)} of {format_usd(window.cap_nusd)} spent,"
        f" {format_usd(window.reserved_nusd)} reserved, {format_usd(refused.amount_nusd)} needed)"
    )


def why_refused(refused: Refused, unbounded: str, zone: ZoneInfo) -> str:
    """Which limit, how it stands, when it resets, what to do.

    Args:
        refused: the guard's answer.
        unbounded: why the request's cost has no bound, and the remedy; where a strict limit asks for one.
        zone: where the person is.
    """
    window = refused.window
    limit = window.limit
    whose = f"{limit.name} limit" + (f" for {window.subject}" if window.subject else "")
    if refused.reason == "paused":
        resume = f"budgetd resume {shlex.quote(limit.name)}"
        return f"Requests under the {whose} are paused. To resume: `{resume}`."
    if refused.reason == "unbounded" or refused.amount_nusd is None:
        return f"The {whose} is strict, and the cost of this request has no bound. {unbounded}"
    cap_nusd = limit.limit_nusd + window.granted_nusd
    spent = f"{format_usd(window.spent_nusd)} spent"
    if window.reserved_nusd:
        spent += f" and {format_usd(window.reserved_nusd)} reserved by requests in flight"
    release = ""
    if window.withheld_nusd:
        spent += f" and {format_usd(window.withheld_nusd)} kept for requests whose cost nobody stated"
        whose_counter = f" --subject {shlex.quote(window.subject)}" if window.subject else ""
        release = (
            f"; `budgetd limits release {shlex.quote(limit.name)}{whose_counter}` lets go of what is kept"
        )
    needed = f"{'up to' if limit.guarantee == 'strict' else 'about'} {format_usd(refused.amount_nusd)} needed"
    resets = ""
    if window.ends_at is not None:
        resets = (
            f" It resets on {datetime.fromtimestamp(window.ends_at, UTC).astimezone(zone):%a %d %b at %H:%M}."
        )
    return (
        f"The {whose} of {format_usd(cap_nusd)} has no room for this request: {spent},"
        f" {format_usd(max(0, window.room_nusd))} left, {needed}.{resets}"
        f" To raise it, press e in budgettop or edit budget.toml{release}."
    )
