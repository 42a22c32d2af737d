"""Pools, regions and clients at a glance, where there is room at the side."""

from textual.app import ComposeResult

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.views.block import Block
from fleet_tui.console.views.overview import rows
from fleet_tui.console.views.pane import Pane
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import View

BUSY_BAR = 14
"""Cells of a pool's bar."""

BUSY_WARN_PERCENT = 95


class SidePane(Pane):
    """How much of each pool works, and who may use what."""

    help_text = "Pools: agents that take work, and how busy their slots are."

    def compose_pane(self) -> ComposeResult:
        """A block of lines."""
        yield Block()

    def show(self, previous: View | None, view: View) -> None:
        """Show the pools of a view."""
        if previous is not None and previous.state is view.state:
            return
        self.set_title(Cell("Pools", Tone.TITLE))
        self.query_one(Block).show(self._lines(view))

    def _lines(self, view: View) -> list[Line]:
        glyphs = self.console.glyphs
        lines: list[Line] = []
        for pool in rows.pool_rows(view.state):
            tone = Tone.PLAIN if pool.up == pool.agents else Tone.WARN
            braked = Cell("  frozen", Tone.ERROR) if pool.is_braked else Cell("")
            lines.append(
                (Cell(f"{pool.name:<9}"), Cell(f"{pool.up}/{pool.agents} up", tone), braked)
            )
            busy = pool.busy_percent
            bar = glyphs.bar(pool.slots_used, pool.slots, BUSY_BAR)
            loud = Tone.WARN if busy >= BUSY_WARN_PERCENT else Tone.PLAIN
            lines.append((Cell(f"  {bar}", Tone.DIM), Cell(f" {busy:.0f}% busy", loud)))
        lines += [(), (Cell("Regions", Tone.TITLE),)]
        lines += [
            (Cell(f"{safe_line(name):<9}{count:>3} agents"),)
            for name, count in rows.region_counts(view.state.fleet)
        ]
        lines += [(), (Cell("Clients", Tone.TITLE),)]
        lines += [
            (
                Cell(f"{safe_line(name):<9}"),
                Cell(f"{'' if name == 'shared' else 'isolated':<9}", Tone.DIM),
                Cell(f"{count:>3}"),
            )
            for name, count in rows.client_counts(view.state.fleet)
        ]
        return lines
