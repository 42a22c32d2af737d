"""Pools, regions and clients at a glance, where there is space at the side."""

from collections.abc import Sequence

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.views.block import BlockPane
from fleet_tui.console.views.overview import rows
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import View

BUSY_BAR = 14
"""Cells of a pool's bar."""

BUSY_WARN_PERCENT = 95


class SidePane(BlockPane):
    """The load of each pool, and agents by region and client."""

    help_text = "Pools: agents that take work, and how busy their slots are."

    def show(self, previous: View | None, view: View) -> None:
        """Show the pools of a view; they do not depend on the time."""
        if previous is None or previous.state is not view.state:
            super().show(previous, view)

    def titles(self, view: View) -> Sequence[Cell]:
        """``Pools``."""
        del view
        return (Cell("Pools", Tone.TITLE),)

    def lines(self, view: View, width: int, height: int) -> Sequence[Line]:
        """Pools, regions and clients, counted."""
        del width, height
        glyphs = self.console.glyphs
        lines: list[Line] = []
        for pool in rows.pool_rows(view.state):
            tone = Tone.PLAIN if pool.up == pool.agents else Tone.WARN
            braked = Cell("  stopped", Tone.ERROR) if pool.is_braked else Cell("")
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
