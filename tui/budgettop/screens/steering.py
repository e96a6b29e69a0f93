"""The base of the screens on which limits are steered: the keys that act upon the selected counter."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from budgettop.screens.room import Room
from budgettop.widgets.amount_editor import AmountEditor
from budgettop.widgets.grant_editor import GrantEditor
from budgettop.widgets.limit_editor import LimitEditor
from budgetwire.messages import Limit, Pause, Resume


class Steering(Room):
    """Edit, grant, pause and undo, whatever the list that limits are selected in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit", id="edit"),
        Binding("g", "grant", "grant", id="grant"),
        Binding("P", "pause_limit", "pause limit", id="pause-limit"),
        Binding("P", "resume_limit", "resume limit", id="resume-limit"),
        Binding("u", "undo", "undo", id="undo"),
    ]

    @property
    def chosen(self) -> tuple[str, Limit | None]:
        """The limit that keys act upon: its name, and its selected counter."""
        raise NotImplementedError

    async def open(self, editor: AmountEditor) -> None:
        """Show an editor where the selected counter is."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that would do nothing."""
        if not self.built:
            return True
        live = self.top.view.stand == "live"
        limit = self.chosen[1]
        if action in ("edit", "undo"):
            return live
        if action == "grant":
            return live and limit is not None
        if action == "pause_limit":
            return live and limit is not None and not limit.paused
        if action == "resume_limit":
            return live and limit is not None and limit.paused
        return super().check_action(action, parameters)

    async def action_edit(self) -> None:
        """Edit the selected limit in its place."""
        await self.open(LimitEditor(*self.chosen))

    async def action_grant(self) -> None:
        """Grant the selected counter something on top, in its place."""
        limit = self.chosen[1]
        if limit is not None:
            await self.open(GrantEditor(limit, self.top.view))

    def action_pause_limit(self) -> None:
        """Have refused what matches the selected limit."""
        name, _ = self.chosen
        self.top.ask(lambda call: Pause(id=call, limit=name))

    def action_resume_limit(self) -> None:
        """Have admitted again what matches the selected limit."""
        name, _ = self.chosen
        self.top.ask(lambda call: Resume(id=call, limit=name))

    def action_undo(self) -> None:
        """Take back the last thing that was done to any limit."""
        self.top.undo()
