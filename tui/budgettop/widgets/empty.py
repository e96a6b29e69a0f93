"""What a new user sees: the lines to paste so that a client goes through the daemon."""

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static
from typing_extensions import override

from budgettop.view import View

ADVICE = """\
Point a client here. Its API key goes along untouched; its cost shows up.
Claude Code   export ANTHROPIC_BASE_URL=@
Gemini CLI    export GOOGLE_GEMINI_BASE_URL=@
Python SDKs   both, and: export OPENAI_BASE_URL=@/v1
Codex         in ~/.codex/config.toml:
  model_provider = "budget"
  [model_providers.budget]
  name = "budget"
  base_url = "@/v1"
  wire_api = "responses"
  env_key = "OPENAI_API_KEY"
  supports_websockets = false
curl @/v1/chat/completions \\
  -H "authorization: Bearer $OPENAI_API_KEY" \\
  --json '{"model":"gpt-5-mini","messages":[{"role":"user","content":"hi"}]}'
"""


class EmptyState(VerticalScroll, can_focus=True):
    """Shown in the place of the panels until the first request was seen."""

    def __init__(self) -> None:
        super().__init__(id="empty")
        self.border_title = "Nothing seen yet"
        self._listen = ""

    @override
    def compose(self):
        yield Static(id="paste", markup=False)

    def show(self, view: View) -> None:
        """Take the address to be named."""
        if view.listen != self._listen:
            self._listen = view.listen
            self.query_one("#paste", Static).update(_advice(f"http://{view.listen}"))


def _advice(base: str) -> Content:
    """What is to be pasted stands out: it is indented, or follows ``export``."""
    lines = [_line(line) for line in ADVICE.replace("@", base).splitlines()]
    return Content("\n").join(lines)


def _line(line: str) -> Content:
    before, export, name = line.partition("export ")
    if export:
        return Content.assemble(before, (export + name, "bold"))
    return Content.styled(line, "bold" if line.startswith("  ") else "")
