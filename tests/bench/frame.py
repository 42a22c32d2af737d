"""What a benchmark is here: rows, each a figure beside a peer or limit measured in the same run.

Absolute figures drift with the machine; ratios hold. A benchmark is a function that yields rows; it
is listed in ``tests.bench.catalogue`` and named on the command line by its key.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

REPEATS = 5
LEAST_BATCH_S = 0.02
"""A batch that takes less is made longer: clocks are coarse."""


class Unavailable(Exception):
    """Raised by a benchmark that this machine cannot run; the text says why."""


class Wish(StrEnum):
    """How a target is meant."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


class Target(msgspec.Struct, frozen=True):
    """What the figure should be, in the row's own unit."""

    wish: Wish
    figure: float

    def is_met_by(self, figure: float) -> bool:
        """Whether a figure is on the right side."""
        return figure <= self.figure if self.wish is Wish.AT_MOST else figure >= self.figure


def at_most(figure: float) -> Target:
    """A cost."""
    return Target(Wish.AT_MOST, figure)


def at_least(figure: float) -> Target:
    """A rate."""
    return Target(Wish.AT_LEAST, figure)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison. ``peer`` is in the same unit as ``figure`` and was measured beside it."""

    name: str
    figure: float
    unit: str
    peer_name: str
    peer: float
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the peer; below 1 is less."""
        return self.figure / self.peer if self.peer else None

    @property
    def is_met(self) -> bool | None:
        """None without a target."""
        return None if self.target is None else self.target.is_met_by(self.figure)


Benchmark = Callable[[], Iterator[Row]]


@dataclass
class Cost:
    """What one call costs: the median of several batches."""

    cpu_us: float
    wall_us: float

    @property
    def per_cpu_second(self) -> float:
        """How many fit in a second of one core."""
        return 1e6 / self.cpu_us

    @property
    def per_second(self) -> float:
        """How many were done in a second of wall time."""
        return 1e6 / self.wall_us


def cost_of(call: Callable[[], object], per_call: int = 1) -> Cost:
    """Call again and again and take the median; ``per_call`` is how many things one call does."""
    gc.collect()
    gc.disable()
    try:
        batch = 1
        while (took_s := _batch(call, batch)[1]) < LEAST_BATCH_S:
            batch = max(batch + 1, int(batch * min(10, LEAST_BATCH_S / max(took_s, 1e-6))))
        samples = [_batch(call, batch) for _ in range(REPEATS)]
    finally:
        gc.enable()
    cpu_s, wall_s = (statistics.median(column) for column in zip(*samples, strict=True))
    return Cost(1e6 * cpu_s / batch / per_call, 1e6 * wall_s / batch / per_call)


def _batch(call: Callable[[], object], times: int) -> tuple[float, float]:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    for _ in range(times):
        call()
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def table(rows: Sequence[Row]) -> list[str]:
    """The rows for people to read."""
    titles = ("WHAT", "FIGURE", "PEER OR LIMIT, SAME RUN", "RATIO", "TARGET")
    cells = [titles]
    for row in rows:
        target = "" if row.target is None else f"{row.target.wish} {number(row.target.figure)}"
        if row.is_met is not None:
            target += "  met" if row.is_met else "  MISSED"
        ratio = "-" if row.ratio is None else f"{row.ratio:.3g}x"
        figure = f"{number(row.figure)} {row.unit}"
        cells.append((row.name, figure, f"{number(row.peer)}  {row.peer_name}", ratio, target))
    widths = [max(len(row[n]) for row in cells) for n in range(len(titles))]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def number(value: float) -> str:
    """Three digits that matter, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
