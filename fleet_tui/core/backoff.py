"""Waits before the next try.

A ceiling grows with each failure in a row up to a cap. Where many retry at once, the wait is drawn
between zero and the ceiling (full jitter), which spreads them best; see "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015. A single party waits for the ceiling itself.
"""

from typing import NamedTuple

MAX_GROWTHS = 63
"""After this many failures the ceiling stops growing, whatever the factor."""


class Backoff(NamedTuple):
    """Waits in milliseconds."""

    base_ms: int
    cap_ms: int
    factor: float = 2.0

    def ceiling_ms(self, tries: int) -> int:
        """The longest wait after that many tries in a row (1 or more) that failed."""
        assert tries >= 1, tries
        grown = self.base_ms * self.factor ** min(tries - 1, MAX_GROWTHS)
        return int(min(grown, self.cap_ms))

    def wait_ms(self, tries: int, share: float) -> int:
        """The wait with full jitter; ``share`` is drawn evenly from 0 up to 1, without 1."""
        return int(self.ceiling_ms(tries) * share)
