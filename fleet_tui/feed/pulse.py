"""The fleet's samples in a view: as far back as charts go, and few enough for each frame."""

from collections.abc import Sequence

from fleet_tui.core.agents.vitals import FleetSample
from fleet_tui.journal.telemetry.samples import SampleReader

FINE_MS = 3_600_000
"""This far back every sample is kept; before that the last of each COARSE_MS."""
COARSE_MS = 300_000
DAY_MS = 86_400_000
"""How far back the charts go."""
MAX_FINE = 2_000


class Pulse:
    """The samples up to a moving moment, which usually moves forward."""

    def __init__(self) -> None:
        self.samples: Sequence[FleetSample] = ()
        """Oldest first. A new value where they changed."""
        self._until_ms = 0

    def read(self, reader: SampleReader, now_ms: int, ahead_ms: int = 0) -> Sequence[FleetSample]:
        """Those up to a moment, and up to ``ahead_ms`` later, if clocks may differ."""
        before, self._until_ms = self._until_ms, now_ms
        border_ms = _border(now_ms)
        until_ms = now_ms + ahead_ms
        if not self.samples or not 0 <= now_ms - before <= FINE_MS:
            first_ms = border_ms - DAY_MS + FINE_MS + COARSE_MS
            coarse = reader.fleet_samples_every(first_ms, border_ms, COARSE_MS)
            fine = reader.fleet_samples(border_ms + 1, until_ms, MAX_FINE)
            self.samples = (*coarse, *fine)
            return self.samples
        fresh = reader.fleet_samples(self.samples[-1].at_ms + 1, until_ms, MAX_FINE)
        if fresh:
            self.samples = (*self.samples, *fresh)
        if border_ms != _border(before):
            self.samples = _thinned(self.samples, border_ms)
        return self.samples


def _border(now_ms: int) -> int:
    """From here on every sample is kept."""
    return (now_ms - FINE_MS) // COARSE_MS * COARSE_MS


def _thinned(samples: Sequence[FleetSample], border_ms: int) -> Sequence[FleetSample]:
    """The last of each step up to the border, and all after it."""
    oldest_ms = border_ms - DAY_MS + FINE_MS
    coarse = {-(-s.at_ms // COARSE_MS): s for s in samples if oldest_ms < s.at_ms <= border_ms}
    return (*coarse.values(), *(s for s in samples if s.at_ms > border_ms))
