"""The base of the dashboard's screens: header, banner and footer around a body."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

import msgspec
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static
from typing_extensions import override

from budgettop.view import View
from budgettop.widgets.banner import Banner
from budgettop.widgets.drawn import COMPONENTS
from budgettop.widgets.header import Header
from budgettop.widgets.key_bar import KeyBar
from budgetwire.errors import CallError, Unreachable
from budgetwire.messages import Call, State

if TYPE_CHECKING:
    from budgettop.app import BudgetTop

R = TypeVar("R", bound=State)

MIN_WIDTH, MIN_HEIGHT = 60, 16
FRESH_SECONDS = 1.0
"""The shortest time between two looks at the record while things change."""


class Room(Screen[None]):
    """A screen with a name of its own, reached by a number."""

    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS

    PLACE: ClassVar[str]
    """The id of the binding that leads here."""

    built = False
    """Whether the widgets are there; a screen is resumed and drawn for the first time before they are."""

    _looked_at = 0.0
    _looked_of: object = None

    def body(self) -> ComposeResult:
        """Yield what stands between banner and footer."""
        raise NotImplementedError

    def show_body(self, view: View) -> None:
        """Hand the view to what stands between banner and footer."""
        raise NotImplementedError

    @override
    def compose(self) -> ComposeResult:
        yield Header(demo=self.top.demo)
        yield Banner()
        yield from self.body()
        yield Static(
            f"budgettop needs {MIN_WIDTH} × {MIN_HEIGHT} cells.\nMake the window larger.", id="too-small"
        )
        yield KeyBar(self.PLACE)

    @property
    def top(self) -> "BudgetTop":
        """The app, which is the one that talks to the daemon."""
        return cast("BudgetTop", self.app)

    def on_mount(self) -> None:
        """Begin to show, now that there is something to show it on."""
        self.built = True
        self.show(self.top.view)

    def on_screen_resume(self) -> None:
        """Catch up with what happened meanwhile."""
        self.show(self.top.view)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.refresh_bindings()

    def show(self, view: View) -> None:
        """Draw the view; called whenever it changed and once a second."""
        if not self.built or not self.top.is_running:  # while the app quits, widgets go one by one
            return
        self.set_class(view.stand in ("lost", "refused"), "-stale")
        self.query_one(Header).show(view)
        self.query_one(Banner).show(view)
        self.show_body(view)

    def outdated(self, view: View, state: object, stale_seconds: float = math.inf) -> bool:
        """Return whether the record is to be looked up now; who asks does so then.

        Args:
            view: what is shown; without a link, or behind another screen, nothing is looked up.
            state: the record can only have changed if this has.
            stale_seconds: after so long it may have changed all the same.
        """
        if view.stand != "live" or view.snapshot is None or not self.is_current:
            return False
        since = abs(view.now - self._looked_at)
        if (state == self._looked_of or since < FRESH_SECONDS) and since < stale_seconds:
            return False
        self._looked_of, self._looked_at = state, view.now
        return True

    def look_again(self) -> None:
        """Have the record looked up again soon, for what was asked for did not come."""
        self._looked_of = None

    def look_up(
        self,
        make: Callable[[int], Call],
        reply: type[R],
        take: Callable[[R], None],
        failed: Callable[[CallError | Unreachable], None],
    ) -> None:
        """Ask the daemon in the background. An answer is given up for when the same kind is asked for again.

        Args:
            make: makes the call of an id.
            reply: what is answered.
            take: is given the answer, unless the app quits.
            failed: is given why there is none.
        """

        async def ask() -> None:
            try:
                result = await self.top.link.call(make)
            except (CallError, Unreachable) as error:
                failed(error)
            else:
                if self.top.is_running:
                    take(msgspec.convert(result, reply))

        self.run_worker(ask(), group=reply.__name__, exclusive=True)
