"""Long work in short slices, between which the loop handles keys and paints."""

import asyncio
import heapq
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

SLICE_MS = 20
"""CPU time of one slice; not noticeable while typing."""

REST_MS = 10
"""Time for the loop between two slices."""

SORTED_AT_ONCE = 2_000
"""Sorting this many takes a few milliseconds."""

Key = tuple[int, float, str]


class Slices:
    """Works through an iterator; every step of it must be short.

    The first slice is done before :meth:`start` returns.
    """

    def __init__(self, clock_s: Callable[[], float] = time.thread_time) -> None:
        """``clock_s`` returns the CPU time used so far."""
        self._clock_s = clock_s
        self._steps: Iterator[object] = iter(())
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether there is more to do."""
        return self._timer is not None

    def start(self, steps: Iterator[object]) -> None:
        """Start this work; earlier work is dropped."""
        self.stop()
        self._steps = steps
        self._go_on()

    def stop(self) -> None:
        """Drop the remaining work."""
        self._steps = iter(())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        self._timer = None
        steps, clock_s = self._steps, self._clock_s
        until_s = clock_s() + SLICE_MS / 1_000
        for _ in steps:
            if clock_s() >= until_s:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(REST_MS / 1_000, self._go_on)
                return


def in_order(
    things: Sequence[T], key: Callable[[T], Key], *, descending: bool
) -> Generator[None, None, list[T]]:
    """The items sorted as by ``sorted``, in short steps."""
    runs: list[list[T]] = []
    for start in range(0, len(things), SORTED_AT_ONCE):
        runs.append(sorted(things[start : start + SORTED_AT_ONCE], key=key, reverse=descending))
        yield
    ordered: list[T] = []
    for thing in heapq.merge(*runs, key=key, reverse=descending):
        ordered.append(thing)
        yield
    return ordered
