"""The configuration of the demo's private daemon."""

from budgetwire.places import Places

DAILY_LIMIT_CENTS = 400
MONTHLY_LIMIT_CENTS = 4_000
OPUS_LIMIT_CENTS = 80
"""For each project: reached within some minutes, from when on requests are held."""
HOLD_SECONDS = 120

_CONFIG = """\
[proxy]
listen = "127.0.0.1:0"

[upstreams.anthropic]
url = "{upstream}"

[upstreams.openai]
url = "{upstream}"

[upstreams.gemini]
url = "{upstream}"

[alerts]
desktop = false
"""

_BUDGET = f"""\
[budget]
enabled = true
daily_limit_cents = {DAILY_LIMIT_CENTS}
monthly_limit_cents = {MONTHLY_LIMIT_CENTS}
alert_threshold_pct = [50, 80, 95]
reject_on_exceed = true

[[limits]]
name = "opus"
window = "day"
limit_cents = {OPUS_LIMIT_CENTS}
match = {{ model = "claude-opus-*" }}
per = "project"
thresholds_pct = [80]
on_exceed = "hold"
hold_seconds = {HOLD_SECONDS}
"""


def write_settings(places: Places, upstream: str) -> None:
    """Write both files, with every provider's upstream at that base URL."""
    places.config.write_text(_CONFIG.format(upstream=upstream), encoding="utf-8")
    places.budget.write_text(_BUDGET, encoding="utf-8")
