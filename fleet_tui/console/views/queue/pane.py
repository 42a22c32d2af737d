"""The queue: its depth, trend, priorities, pools and waits."""

from collections.abc import Sequence
from itertools import accumulate

from rich.cells import cell_len

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.glyphs import Glyphs
from fleet_tui.console.text.looks import trend_sign
from fleet_tui.console.views.block import BlockPane
from fleet_tui.console.widgets.spark import MAX_STRETCHES, chart_lines, curve
from fleet_tui.core.fleet import Priority
from fleet_tui.core.status import FleetStatus
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import View


def summary(status: FleetStatus, glyphs: Glyphs, width: int) -> Line:
    """``128 waiting ↗+18/min  3 held  oldest 42s``, and when it will be empty if it shrinks; the
    parts that have room, none of them cut."""
    trend = status.queue_trend_per_minute
    rising = trend is not None and trend >= 1
    told = f" {trend_sign(status, glyphs)}{words.change_per_minute(trend)}" if trend else ""
    parts = [
        Cell(f"{words.grouped(status.waiting)} waiting", Tone.TITLE),
        Cell(told, Tone.WARN if rising else Tone.PLAIN),
    ]
    if status.held:
        parts.append(Cell(f"  {status.held} held", Tone.ERROR))
    if status.oldest_wait_ms is not None:
        parts.append(Cell(f"  oldest {words.duration(status.oldest_wait_ms)}"))
    if trend is not None and trend <= -1 and status.waiting:
        parts.append(Cell(f"  clear ~{words.about(status.waiting / -trend * 60_000)}"))
    ends = accumulate(cell_len(part.text) for part in parts)
    return tuple(part for part, end in zip(parts, ends, strict=True) if end <= width)


def unknown(status: FleetStatus) -> Cell:
    """``0 unknown``: runs in unknown state. Always on the main screen."""
    return Cell(f"{words.count(status.unknown)} unknown", Tone.WARN if status.unknown else Tone.DIM)


def priority_lines(status: FleetStatus, glyphs: Glyphs, width: int) -> list[Line]:
    """``P1 high   █░░░  19  wait 4.8s`` for each priority."""
    bar = max(4, width - 30)
    made: list[Line] = []
    for priority in Priority:
        waiting = status.waiting_by_priority.get(priority, 0)
        wait_ms = status.wait_ms_p95_by_priority.get(priority)
        made.append(
            (
                Cell(f"P{priority.value} {priority.word:<6} "),
                Cell(glyphs.bar(waiting, status.waiting, bar), Tone.DIM),
                Cell(f" {words.count(waiting):>4}"),
                Cell(f"  wait {words.seconds(wait_ms)}", Tone.DIM),
            )
        )
    return made


def pool_lines(status: FleetStatus, pools: Sequence[str], glyphs: Glyphs, width: int) -> list[Line]:
    """``general ███░░ 71`` for each pool."""
    bar = max(4, width - 30)
    waits = {str(pool): count for pool, count in status.waiting_by_pool.items()}
    return [
        (
            Cell(f"{safe_line(pool)[:9]:<9} "),
            Cell(glyphs.bar(waits.get(pool, 0), status.waiting, bar), Tone.DIM),
            Cell(f" {words.count(waits.get(pool, 0)):>4}"),
        )
        for pool in pools
    ]


class QueuePane(BlockPane):
    """The queue as numbers, a curve, and shares by priority and pool; one line where narrow."""

    help_text = (
        "Tasks that wait for an agent. The curve is the depth over the time window "
        "({window}).\nwait is the 95th percentile from submission to placement over 15 "
        "minutes.\nunknown counts runs whose host does not report an outcome; they are never run "
        "twice."
    )

    def titles(self, view: View) -> Sequence[Cell]:
        """``Queue depth - last 30m, 0 unknown``."""
        del view
        return (
            Cell("Queue depth", Tone.TITLE),
            Cell(f" - last {words.about(self.console.window_ms)}, "),
            unknown(self.console.status),
        )

    def lines(self, view: View, width: int, height: int) -> Sequence[Line]:
        """All of it, or one line where there is no box."""
        return self._all(view, width, height) if self.is_boxed else [self._one_line(view, width)]

    def _curve(self, view: View, columns: int) -> list[float]:
        points = ((sample.at_ms, float(sample.depth)) for sample in view.samples)
        return curve(points, view.now_ms, self.console.window_ms, columns)

    def _all(self, view: View, width: int, height: int) -> list[Line]:
        status, glyphs = self.console.status, self.console.glyphs
        if not view.state.fleet.agents and not view.state.open_tasks:
            return [
                (
                    Cell(
                        self.console.keyed("The queue is empty. {submit} submits a task."), Tone.DIM
                    ),
                )
            ]
        pools = [str(pool) for pool in view.state.fleet.pools]
        room = height - 5 - len(pools)
        tall = 1 if room < 5 else 3
        columns = min(width, MAX_STRETCHES)
        chart = chart_lines(self._curve(view, columns), width, tall, glyphs=glyphs)
        return [
            summary(status, glyphs, width),
            *((Cell(line),) for line in chart),
            *priority_lines(status, glyphs, width),
            *pool_lines(status, pools, glyphs, width),
        ]

    def _one_line(self, view: View, width: int) -> Line:
        status, glyphs = self.console.status, self.console.glyphs
        trend = status.queue_trend_per_minute
        head = f" Queue {words.count(status.waiting)} {trend_sign(status, glyphs)}"
        head += words.change_per_minute(trend) if trend else ""
        shares = "  ".join(
            f"P{p.value} {words.count(status.waiting_by_priority.get(p, 0))}" for p in Priority
        )
        lost = unknown(status)
        room = width - len(head) - len(shares) - len(lost.text) - 7
        columns = max(0, min(room, MAX_STRETCHES))
        curve = (
            chart_lines(self._curve(view, columns), columns, 1, glyphs=glyphs) if columns else [""]
        )
        return (
            Cell(head, Tone.TITLE),
            Cell("  "),
            Cell(curve[0]),
            Cell(f"  {shares}  "),
            lost,
        )
