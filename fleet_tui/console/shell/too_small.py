"""Shown on a terminal that is too small for panes: the counts, and the size needed."""

from textual.app import ComposeResult
from textual.containers import Vertical

from fleet_tui.console.shell.header import counts
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.glyphs import Glyphs
from fleet_tui.console.views.block import Block
from fleet_tui.core.status import FleetStatus
from fleet_tui.core.text import words


class TooSmall(Vertical):
    """A card of counts; shown instead of the body below 60x16."""

    def compose(self) -> ComposeResult:
        """The lines of the card."""
        yield Block()

    def show(self, status: FleetStatus, glyphs: Glyphs) -> None:
        """Show the counts of a fleet."""
        self.query_one(Block).show(card(status, glyphs))


def card(status: FleetStatus, glyphs: Glyphs) -> list[Line]:
    """The lines: agents, queue, alerts, and how to see more."""
    loud = Tone.ERROR if status.alerts_crit else Tone.WARN
    return [
        (
            Cell(words.plural(status.agents, "agent"), Tone.TITLE),
            Cell("  "),
            *counts(status, glyphs),
        ),
        (
            Cell(f"{words.grouped(status.waiting)} waiting, {status.running} running"),
            Cell(f", {status.held} held" if status.held else "", Tone.ERROR),
        ),
        (
            Cell(
                words.plural(status.alerts_open, "alert"),
                loud if status.alerts_open else Tone.PLAIN,
            ),
        ),
        (),
        (Cell("Too small for panes: 60x16 is the least.", Tone.DIM),),
    ]
