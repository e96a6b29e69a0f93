"""A framed part of the screen that scrolls when it holds more than it can show."""

from textual.containers import VerticalScroll

from budgettop.view import View


class Panel(VerticalScroll, can_focus=True):
    """Base of the screens' panels: a title in the frame, arrows scroll, Tab goes from one to the next."""

    _offered: tuple[object, ...] = ()

    def show(self, view: View) -> None:
        """Take what is to be shown; called four times a second at most."""
        raise NotImplementedError

    def offer(self, *what: object) -> None:
        """Have the bottom line follow what can be done with what is selected here."""
        if what != self._offered:
            self._offered = what
            self.screen.refresh_bindings()
