"""The application: one feed, one pump, one registry of actions.

The pump waits for the feed and hands (previous, next) to the screen in view, at most ten times a
second and at once after the operator's own command. Nothing here knows where the views come from.
"""

from textual.app import App

from fleet_tui.console.glyphs import UNICODE, Glyphs
from fleet_tui.console.messages import Loudness
from fleet_tui.console.places import Place
from fleet_tui.console.selection import Scope
from fleet_tui.core.commands import Command, Reply
from fleet_tui.feed.feed import Feed, Timeline, View


class FleetApp(App[int]):
    """The console over a feed. ``timeline`` is the same feed where it can move through time."""

    def __init__(
        self,
        feed: Feed,
        *,
        glyphs: Glyphs = UNICODE,
        theme: str = "fleet-dark",
        low_bandwidth: bool = False,
        banner: str | None = None,
        timeline: Timeline | None = None,
        utc_offset_minutes: int = 0,
    ) -> None:
        super().__init__()
        self.feed = feed
        self.timeline = timeline
        self.glyphs = glyphs
        self.utc_offset_minutes = utc_offset_minutes
        """How far the clocks on screen are ahead of UTC."""
        self.view: View = feed.view()
        """The view on screen; older than the feed's while the display is paused."""
        self.window_ms = 30 * 60_000
        """The time window of charts and rates."""

    @property
    def can_act(self) -> bool:
        """Whether acting actions are offered."""
        return self.feed.can_act

    @property
    def scopes(self) -> frozenset[Scope]:
        """What can be done anywhere."""
        own = {Scope.ANYWHERE} | ({Scope.REVIEW} if self.timeline is not None else set())
        return frozenset(own)

    def go(self, place: Place) -> None:
        """Open a place: a root replaces everything, anything else goes on top."""

    def last(self) -> None:
        """To the view before this one, and again back."""

    def travel(self, steps: int) -> None:
        """Back (-1) or forward (1) in the history of places."""

    def tell(
        self,
        text: str,
        loudness: Loudness = Loudness.INFORMATION,
        *,
        opens: Place | None = None,
    ) -> None:
        """Show a toast (safe text, our words) and keep it for ``:messages``."""

    async def send(self, command: Command) -> Reply:
        """Send a command, tell what came of it, and show its result at once."""
        return await self.feed.send(command)

    def next_window(self) -> None:
        """The next time window."""

    def toggle_pause(self) -> None:
        """Stop or resume what is shown; in a recording stop or resume time."""

    def save_view(self) -> None:
        """Save the screen as text and SVG."""

    def open_palette(self) -> None:
        """Find anything by name."""

    def redraw(self) -> None:
        """Paint everything anew."""

    def leave(self) -> None:
        """Quit."""

    async def step_time(self, events: int) -> None:
        """In a recording: go that many events on, or back when negative."""

    async def next_mark(self, *, backward: bool) -> None:
        """In a recording: go to the next or previous notable event."""

    def change_speed(self, factor: float) -> None:
        """In a recording: play faster or slower."""
