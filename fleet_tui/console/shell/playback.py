"""Moving through the time of a recording: play, step, go to an instant, faster and slower.

Everything here does nothing while the console shows a live fleet.
"""

from typing import Protocol

from fleet_tui.feed.feed import Timeline

MAX_SPEED, MIN_SPEED = 256.0, 0.25


class Display(Protocol):
    """The display of the recording."""

    timeline: Timeline | None

    def show_now(self) -> None:
        """Show the newest view without waiting for the next refresh."""

    def show_again(self) -> None:
        """Show the current view again, such as after a change of display settings."""

    def tell(self, text: str) -> None:
        """Show a message to the operator."""

    async def back_to_live(self) -> bool:
        """End the review; False where there is no live fleet to go back to."""
        ...


class Playback:
    """The actions of the keys of a recording, for one application."""

    def __init__(self, app: Display) -> None:
        self._app = app

    def toggle(self) -> None:
        """Pause or resume playing."""
        timeline = self._app.timeline
        if timeline is not None:
            if timeline.playing:
                timeline.pause()
            else:
                timeline.play()
            self._app.show_now()

    async def step(self, events: int) -> None:
        """Go that many events on, or back when negative."""
        if self._app.timeline is not None:
            await self._app.timeline.step(events)
            self._app.show_now()

    async def next_mark(self, *, backward: bool) -> None:
        """Go to the next or previous notable event."""
        if self._app.timeline is not None:
            if not await self._app.timeline.next_mark(backward):
                self._app.tell("no notable event further " + ("back" if backward else "on"))
            self._app.show_now()

    async def seek(self, at_ms: int) -> None:
        """Go to an instant."""
        if self._app.timeline is not None:
            await self._app.timeline.seek(at_ms)
            self._app.show_now()

    async def to_the_end(self) -> None:
        """Back to the live fleet if there is one, else to the recording's end."""
        if not await self._app.back_to_live() and self._app.timeline is not None:
            await self.seek(self._app.timeline.end_ms)

    def change_speed(self, factor: float) -> None:
        """Play faster or slower."""
        timeline = self._app.timeline
        if timeline is not None:
            timeline.set_speed(min(MAX_SPEED, max(MIN_SPEED, timeline.speed * factor)))
            self._app.show_now()
            self._app.show_again()
