"""A framed part of the screen that scrolls when it holds more than it can show."""

from textual.containers import VerticalScroll

from budgettop.view import View


class Panel(VerticalScroll, can_focus=True):
    """Base of the overview's panels: a title in the frame, arrows scroll, Tab goes from one to the next."""

    def show(self, view: View) -> None:
        """Take what is to be shown; called four times a second at most."""
        raise NotImplementedError
