"""The command palette: what the keys do right now, found by name."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import Screen

from budgettop.themes import THEMES

NAMES = {
    "overview": ("Overview", "Budgets, burn, in flight, alerts, where it goes"),
    "requests": ("Requests", "The ledger's newest rows"),
    "limits": ("Limits", "Every counter with all it is about, and who changed what"),
    "alerts": ("Alerts", "Every alert on record, and the channels they are sent to"),
    "held": ("Held requests", "Go to what waits for your decision"),
    "allow": ("Allow once", "Let the held request through, whatever the limit"),
    "allow-more": ("Allow $5 more", "Grant it to the limit that holds the request"),
    "refuse": ("Refuse", "Refuse the held request"),
    "kill": ("Kill request", "Cut the selected request on both sides, after asking"),
    "edit": ("Edit limit", "Change, set or remove the selected limit"),
    "grant": ("Grant", "Let the selected limit go beyond its cap until its window ends"),
    "undo": ("Undo", "Take back the last edit of a limit, or the last grant"),
    "pause-limit": ("Pause limit", "Refuse what matches the selected limit"),
    "resume-limit": ("Resume limit", "Admit again what matches the selected limit"),
    "pause": ("Pause", "Refuse everything that can cost"),
    "resume": ("Resume", "Admit requests again"),
    "acknowledge": ("Acknowledge alert", "The selected one, or on overview the newest that fires"),
    "acknowledge-all": ("Acknowledge all alerts", "They stay listed"),
    "snooze": ("Snooze alert", "Hear no more of it for an hour"),
    "snooze-tomorrow": ("Snooze alert until tomorrow", "It fires again then, if it is not over"),
    "test": ("Test channels", "Send a test to the selected channel, or to all"),
    "redeliver": ("Redeliver", "Send again what was given up on, to the selected channel or to all"),
    "next-cut": ("Where it goes, by …", "Project, model, user, session"),
    "older": ("Older", "Fetch the rows before the oldest one"),
    "newest": ("Newest request", "Go to the top"),
    "help": ("Help", "Keys and signs"),
    "quit": ("Quit", "budgetd goes on forwarding and guarding"),
}
"""By the id of a binding; the palette runs the same action."""


def commands(app: App[None], screen: Screen[Any]) -> Iterable[SystemCommand]:
    """Return the commands that are of use on a screen."""
    for active in screen.active_bindings.values():
        if active.enabled and (name := NAMES.get(active.binding.id or "")):
            title, what = name
            run = partial(app.run_action, active.binding.action, active.node)
            yield SystemCommand(title, f"{what} ({active.binding.key_display or active.binding.key})", run)
    if not app.no_color:
        for theme in THEMES:
            yield SystemCommand(
                f"Theme: {theme}", "Change the colours", partial(setattr, app, "theme", theme)
            )
