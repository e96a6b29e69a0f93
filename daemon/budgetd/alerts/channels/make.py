"""The channel that a section of the configuration comes to."""

from collections.abc import Callable, Mapping

from budgetd.alerts.channels.apprise import Apprise
from budgetd.alerts.channels.channel import Channel
from budgetd.alerts.channels.exec import Exec
from budgetd.alerts.channels.webhook import Webhook
from budgetd.alerts.settings import ChannelSection
from budgetd.alerts.target import Kept, TargetError, mark

Make = Callable[[ChannelSection], Channel]


def mark_of(section: ChannelSection) -> str:
    """What tells the url of a channel from another; empty for what has none, or one that cannot be read."""
    try:
        return mark(_url_of(section).read())
    except TargetError:
        return ""


def _url_of(section: ChannelSection) -> Kept:
    """Where the url of a webhook or of apprise is."""
    return Kept("url", section.url, section.url_env, section.url_file)


def _webhook(section: ChannelSection) -> Channel:
    signed = section.secret_env is not None or section.secret_file is not None
    secret = Kept("secret", None, section.secret_env, section.secret_file) if signed else None
    return Webhook(_url_of(section), secret, section.timeout_seconds)


def _apprise(section: ChannelSection) -> Channel:
    return Apprise(_url_of(section), section.timeout_seconds)


def _exec(section: ChannelSection) -> Channel:
    return Exec(section.command or (), section.timeout_seconds)


MAKE: Mapping[str, Make] = {"webhook": _webhook, "apprise": _apprise, "exec": _exec}
"""By kind. Who can show notifications on this desktop adds that kind."""
