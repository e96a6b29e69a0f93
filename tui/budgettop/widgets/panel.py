"""A framed part of the screen that scrolls when it holds more than it can show."""

from textual.containers import VerticalScroll
from textual.content import Content
from typing_extensions import override

from budgettop.view import View


class Panel(VerticalScroll, can_focus=True):
    """Base of the screens' panels: a title in the frame, arrows scroll, Tab goes from one to the next."""

    _offered: tuple[object, ...] = ()

    @override
    def render_str(self, text_content: str | Content) -> Content:
        """Take a title as it is: it may name what anybody can name, and is no markup."""
        return text_content if isinstance(text_content, Content) else Content(text_content)

    def show(self, view: View) -> None:
        """Take what is to be shown; called four times a second at most."""
        raise NotImplementedError

    def offer(self, *what: object) -> None:
        """Have the bottom line follow what can be done with what is selected here."""
        if what != self._offered:
            self._offered = what
            self.screen.refresh_bindings()
