"""Warnings that matter for reading the screen: below the header, on every screen.

An engine that is away or degraded, a problem of the console itself, and failover that is stopped.
"""

from collections.abc import Iterator

from textual.strip import Strip

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.document import wrap
from fleet_tui.console.widgets.paint import Painted
from fleet_tui.core.modes import EngineMode, ModeNow
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import Link, Mode, View

MAX_LINES = 4
MAX_REASON_CHARS = 80


def lines(view: View, problem: str, offset_minutes: int, thaw_key: str) -> Iterator[Line]:
    """One line per warning. ``problem`` is a problem of the console, safe text; ``thaw_key`` thaws
    a frozen fleet."""
    if view.link is Link.RECONNECTING:
        why = safe_line(view.link_detail) or "the engine does not answer"
        known = f"as of {words.clock(view.state.at_ms, offset_minutes)} - "
        as_of, again = (known, "; trying again") if view.state.seq else ("", "")
        yield (Cell(f" {as_of}{why}{again}", Tone.WARN),)
    elif problem:
        yield (Cell(f" {problem}", Tone.ERROR),)
    if view.engine.mode is not EngineMode.NORMAL:
        yield mode_line(view.engine, offset_minutes, "" if view.mode is Mode.REVIEW else thaw_key)
    if view.state.braked_pools:
        names = ", ".join(safe_line(pool) for pool in view.state.braked_pools)
        yield (Cell(f" failover is stopped in {names}: too many were lost at once", Tone.WARN),)


def mode_line(engine: ModeNow, offset_minutes: int, thaw_key: str) -> Line:
    """``FROZEN since 12:01:10 by ops: migration. No work is started; … J lets it start work``.

    The way out is shown only where it is possible, which it is not in a recording, without a
    ``thaw_key``.
    """
    since = f" since {words.clock(engine.since_ms, offset_minutes)}" if engine.since_ms else ""
    by = f" by {safe_line(engine.by, 32)}" if engine.by else ""
    why = f": {safe_line(engine.reason, MAX_REASON_CHARS)}" if engine.reason else ""
    trusted = f" Trusted up to event {engine.trusted_seq}." if engine.trusted_seq else ""
    means = engine.mode.meaning
    return (
        Cell(f" {engine.mode.label}", Tone.ERROR),
        Cell(f"{since}{by}{why}. "),
        Cell(f"{means[0].upper()}{means[1:]}.{trusted} ", Tone.DIM),
        *(_way_out(engine, thaw_key) if thaw_key else ()),
    )


def _way_out(engine: ModeNow, thaw_key: str) -> Line:
    if engine.mode is EngineMode.FROZEN:
        return (Cell(thaw_key, Tone.KEY), Cell(" lets it start work"))
    return (Cell(engine.way_out),)


class Band(Painted):
    """The warning lines; no height when there are none."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._said: tuple[Line, ...] = ()
        self._shown: tuple[Line, ...] = ()

    def show(self, said: tuple[Line, ...]) -> None:
        """Show these lines; nothing happens if they are unchanged."""
        if said != self._said:
            self._said = said
            self._fit()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._fit()

    def _fit(self) -> None:
        width = max(1, self.size.width or self.screen.size.width)
        broken = [part for line in self._said for part in wrap(line, width, 1)]
        self._shown = tuple(broken[:MAX_LINES])
        self.display = bool(self._shown)
        self.styles.height = max(1, len(self._shown))
        self.refresh()

    @property
    def taken(self) -> int:
        """Lines of the screen it takes."""
        return len(self._shown)

    def render_line(self, y: int) -> Strip:
        """One of the lines."""
        return self.paint(self._shown[y] if y < len(self._shown) else (), self.size.width)
