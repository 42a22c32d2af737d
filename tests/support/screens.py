"""Small apps around one widget, and what their screen says."""

from typing import TypeVar

from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget

_Kind = TypeVar("_Kind", bound=Message)


class Bench(App[None]):
    """Shows the widgets it is given and keeps the messages that reach it."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, *widgets: Widget) -> None:
        super().__init__()
        self._widgets = widgets
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield from self._widgets

    def kinds(self, kind: type[_Kind]) -> list[_Kind]:
        """The messages of exactly one kind, in order."""
        return [message for message in self.heard if type(message) is kind]


def screen_lines(app: App[None]) -> list[str]:
    """The text on screen, line by line, without the blanks at the end."""
    strips = app.screen._compositor.render_strips()
    return ["".join(part.text for part in strip).rstrip() for strip in strips]


async def settle(pilot: Pilot[None]) -> None:
    """Wait until nothing is left to handle or to paint."""
    await pilot.pause()
    await pilot.pause()
