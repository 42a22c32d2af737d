"""The world that simulated agents live in: how time passes, and machines whose vitals wander.

Everything here is a function of a seed and of the pace's time, so it does not matter who looks
first or how often.
"""

import asyncio
import math
import random
from collections.abc import Callable
from functools import lru_cache

import msgspec

GIB = 1024**3
CPU_COUNT = 8
MEMORY_BYTES = 32 * GIB
DISK_BYTES = 256 * GIB
LEAK_BYTES_PER_RUN = 400_000
"""What a gateway's process keeps of every run it made."""

KNOTS_CACHED = 8_192


class Pace:
    """How time passes: ``speed`` simulated seconds go by in one second of the event loop.

    ``clock`` tells the wall's time in milliseconds since the epoch; it is what agents write into
    their logs and answers, and is not scaled here.
    """

    def __init__(self, clock: Callable[[], int], speed: float = 1.0) -> None:
        assert speed > 0, speed
        self._clock = clock
        self.speed = speed

    def now_ms(self) -> int:
        """What the agents' wall clocks show."""
        return self._clock()

    def elapsed_s(self) -> float:
        """Simulated seconds on a clock that only goes forward; its zero means nothing."""
        return asyncio.get_running_loop().time() * self.speed

    def real_s(self, simulated_s: float) -> float:
        """How long the event loop sleeps for so many simulated seconds."""
        return max(0.0, simulated_s) / self.speed

    async def sleep(self, simulated_s: float) -> None:
        """Let simulated time go by."""
        await asyncio.sleep(self.real_s(simulated_s))


class HostVitals(msgspec.Struct, frozen=True, kw_only=True):
    """A machine at one moment."""

    cpu_percent: float
    load_average: tuple[float, float, float]
    memory_free_bytes: int
    disk_free_bytes: int


class Host:
    """A machine of the fleet. Its load is what runs on it plus a wandering rest."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.busy = 0
        """Runs at work on this machine now, over all its agents."""
        self._stream = f"{seed}/host/{name}"
        nature = random.Random(self._stream)  # noqa: S311 - a simulation, not a secret
        self._idle_percent = nature.uniform(4, 14)
        self._memory_used = nature.uniform(0.25, 0.55)
        self._disk_used = nature.uniform(0.2, 0.7)

    def vitals(self, elapsed_s: float) -> HostVitals:
        """How it stands at ``elapsed_s`` of the pace."""
        swing = wander(f"{self._stream}/cpu", elapsed_s, period_s=40)
        work = 100 * (1 - math.exp(-self.busy / 6))
        cpu = min(99.0, self._idle_percent + 10 * swing + 0.75 * work)
        memory = min(0.97, self._memory_used + 0.012 * self.busy + 0.04 * swing)
        filling = wander(f"{self._stream}/disk", elapsed_s, period_s=1_800)
        load = cpu / 100 * CPU_COUNT
        return HostVitals(
            cpu_percent=round(cpu, 1),
            load_average=(round(load, 2), round(0.8 * load + 0.2, 2), round(0.6 * load + 0.4, 2)),
            memory_free_bytes=int(MEMORY_BYTES * (1 - memory)),
            disk_free_bytes=int(DISK_BYTES * (1 - self._disk_used - 0.02 * filling)),
        )


def wander(stream: str, at_s: float, *, period_s: float) -> float:
    """A value between 0 and 1 that walks smoothly: the same for the same stream and moment."""
    knot, part = divmod(at_s / period_s, 1.0)
    ease = part * part * (3 - 2 * part)
    before, after = _knot(stream, int(knot)), _knot(stream, int(knot) + 1)
    return before + (after - before) * ease


@lru_cache(maxsize=KNOTS_CACHED)
def _knot(stream: str, number: int) -> float:
    return random.Random(f"{stream}/{number}").random()  # noqa: S311 - a simulation
