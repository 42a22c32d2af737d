"""Bounds the number of connected hosts: each connection takes a file descriptor, and the ledger,
the socket and the consoles need theirs first."""

from collections.abc import Callable, Hashable
from typing import Final

KEPT_S: Final = 60.0
"""A host that was connected and is lost keeps its place this long: it may have runs of ours."""


class Places:
    """Places for connections. First come, first served; a host without one asks again later."""

    def __init__(self, count: int | None = None, *, limit: int = 0) -> None:
        """``count`` places, None for no bound; ``limit`` is the number of file descriptors from
        which this follows, for the message."""
        self.count = count
        self.limit = limit
        self._taken: dict[Hashable, float | None] = {}
        """The holders of places, and since when (monotonic seconds) each has no connection."""

    @property
    def words(self) -> str:
        """The message for a host without a place."""
        return f"file descriptors run out (limit {self.limit})"

    def take(self, key: Hashable, clock: Callable[[], float]) -> bool:
        """Take a place; False when all are taken by others."""
        if key in self._taken or self.count is None or len(self._taken) < self.count:
            self._taken.setdefault(key, None)
            return True
        now_s = clock()
        for other, lost_s in self._taken.items():
            if lost_s is not None and now_s - lost_s >= KEPT_S:
                del self._taken[other]
                self._taken[key] = None
                return True
        return False

    def connected(self, key: Hashable) -> None:
        """The place is used, if there is one."""
        if key in self._taken:
            self._taken[key] = None

    def lost(self, key: Hashable, clock: Callable[[], float]) -> None:
        """The connection is gone; the place is kept for a while."""
        if key in self._taken and self._taken[key] is None:
            self._taken[key] = clock()

    def leave(self, key: Hashable) -> None:
        """Release the place."""
        self._taken.pop(key, None)
