"""What a new user sees: the lines to paste so that a client goes through the daemon."""

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static
from typing_extensions import override

from budgettop.view import View
from budgetwire import setup

ADVICE = "Point a client here. Its API key goes along untouched; its cost shows up."
NOTIFIES = "Alerts are shown on this desktop; off with [alerts] desktop = false in config.toml."

NAMES = 14
"""Cells of the names on the left."""


class EmptyState(VerticalScroll, can_focus=True):
    """Shown in the place of the panels until the first request was seen."""

    def __init__(self) -> None:
        super().__init__(id="empty")
        self.border_title = "Nothing seen yet"
        self._shown = ("", False)

    @override
    def compose(self):
        yield Static(id="paste", markup=False)

    def show(self, view: View) -> None:
        """Take the address to be named."""
        shown = view.listen, view.notifies
        if shown != self._shown:
            self._shown = shown
            self.query_one("#paste", Static).update(_advice(f"http://{view.listen}", notifies=view.notifies))


def _advice(base: str, *, notifies: bool) -> Content:
    """What is to be pasted stands out."""
    anthropic, *hints = setup.CLAUDE_CODE
    base_url = setup.exports(base, anthropic)
    pasted = (
        ("All at once", 'eval "$(budgetd env --shell)"'),
        ("Claude Code", base_url),
        *(("", setup.exports(base, hint)) for hint in hints),
        ("opencode", base_url),
        ("Codex", setup.CODEX.format(base)),
        ("  by ChatGPT", setup.CODEX_CHATGPT.format(base)),
        ("Gemini CLI", setup.exports(base, "GOOGLE_GEMINI_BASE_URL")),
        ("", "gemini --skip-trust"),
        ("  a new one", "in ~/.gemini/settings.json:"),
        ("", setup.GEMINI_SETTINGS),
        ("OpenAI SDKs", setup.exports(base, "OPENAI_BASE_URL")),
    )
    lines = [Content.assemble(name.ljust(NAMES), (line, "bold")) for name, line in pasted]
    return Content("\n").join([Content(ADVICE), *lines, *([Content(NOTIFIES)] if notifies else [])])
