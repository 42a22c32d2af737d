"""The application's interface for the layers below it: views, panes and actions.

:class:`Console` is the application for views and actions, :class:`Stage` is the current screen for
actions. Both are protocols, so no lower layer has to import a higher one:
``tests/hygiene/test_circles.py`` finds import cycles, deferred and type-only ones included.
"""

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from textual.screen import Screen
from textual.worker import Worker

from fleet_tui.console.actions.selection import Context, Scope, Selection
from fleet_tui.console.shell.memory import Notices
from fleet_tui.console.shell.messages import Loudness
from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.playback import Playback
from fleet_tui.console.shell.timeline import ReviewFeed, SessionSource
from fleet_tui.console.text.glyphs import Glyphs
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Reply
from fleet_tui.core.plans import Impact
from fleet_tui.core.status import FleetStatus
from fleet_tui.feed.feed import Feed, Timeline, View

T = TypeVar("T")
Work = Coroutine[Any, Any, None]
"""The coroutine of a worker."""


class Console(Protocol):
    """The application."""

    feed: Feed
    timeline: Timeline | None
    sessions: SessionSource | None
    playback: Playback
    glyphs: Glyphs
    utc_offset_minutes: int
    view: View
    status: FleetStatus
    window_ms: int
    lost_ms: int | None
    problem: str
    banner: str
    note_text: str
    undo: tuple[Command, ...]
    """The commands that undo the last action of this console; empty where there are none."""
    notices: Notices

    @property
    def can_act(self) -> bool:
        """Whether acting actions are offered."""
        ...

    def keyed(self, text: str) -> str:
        """Our own text with the operator's keys filled in: ``{submit} submits one``."""
        ...

    def go(self, place: Place) -> None:
        """Open a place."""

    def last(self) -> None:
        """Go to the previous stack of places; a second call returns."""

    def up(self) -> bool:
        """Leave a drill-down; False at a root."""
        ...

    def travel(self, steps: int) -> None:
        """Back (-1) or forward (1) in the history of places."""

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        """Send a command, report the outcome, and show its result at once."""
        ...

    def tell(
        self,
        text: str,
        loudness: Loudness = Loudness.INFORMATION,
        *,
        opens: Place | None = None,
    ) -> None:
        """Show a toast and keep it for ``:messages``."""

    async def push_screen_wait(self, screen: Screen[T]) -> T | Any:  # as Textual types it
        """Show a dialog and wait for its answer."""
        ...

    def run_worker(
        self, work: Work, *, group: str = "default", exclusive: bool = False
    ) -> Worker[None]:
        """Run a worker in the background."""
        ...

    async def review(self, feed: ReviewFeed) -> None:
        """Show a recording; the live feed is kept for returning."""

    def next_window(self) -> None:
        """The next time window."""

    def toggle_pause(self) -> None:
        """Pause or resume the display."""

    def redraw(self) -> None:
        """Repaint everything."""

    def open_palette(self) -> None:
        """Find anything by name."""

    def copy_text(self, text: str) -> None:
        """Copy by every available method."""

    def save_view(self) -> None:
        """Save the screen as text and SVG."""

    def action_suspend_process(self) -> None:
        """Suspend to the shell."""

    def leave(self, code: int = 0) -> None:
        """Quit; the terminal is restored."""


class Stage(Protocol):
    """The current screen."""

    place: Place
    shown: View | None

    @property
    def console(self) -> Console:
        """The application."""
        ...

    @property
    def scopes(self) -> frozenset[Scope]:
        """Scopes that apply whichever pane has the focus."""
        ...

    def context(self) -> Context:
        """Everything that decides which actions are available now."""
        ...

    def run_worker(
        self, work: Work, *, group: str = "default", exclusive: bool = False
    ) -> Worker[None]:
        """Run a worker in the background until the screen is removed."""
        ...

    def show(self, previous: View | None, view: View) -> None:
        """Show a view."""

    def back(self, *, may_leave: bool) -> None:
        """Close the zoom, filter or marks, else leave."""

    def step_focus(self, step: int) -> None:
        """Focus the next (1) or previous (-1) pane."""

    def open_filter(self) -> None:
        """Type a filter for the pane in focus."""

    def toggle_filter(self) -> None:
        """Switch the filter off, or on again."""

    def toggle_problems(self) -> None:
        """Show only rows with problems, or everything."""

    def choose_sort(self) -> None:
        """Choose a column to sort by."""

    def toggle_zoom(self) -> None:
        """Show the pane in focus alone, or all panes."""

    def toggle_wide(self) -> None:
        """More columns, or wrapped lines."""

    def toggle_follow(self) -> None:
        """Follow the newest lines, or stop."""

    def toggle_histogram(self) -> None:
        """Show or hide the histogram of log lines."""

    def next_error(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) error."""

    def copy(self, chosen: Selection) -> None:
        """Copy the selected row."""

    def copy_marked(self) -> None:
        """Copy the text selected with the mouse, else show how to quit."""

    def open_command_line(self, text: str = "") -> None:
        """Type a command."""

    def open_menu(self) -> None:
        """Lists all actions with their keys and why they are unavailable."""

    def open_help(self) -> None:
        """The keys and how to read the pane in focus."""
