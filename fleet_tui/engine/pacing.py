"""How often the engine acts by itself, and how long it waits before it tries again.

One value for the loop, the watchers of agents and the standby, so that a simulation or a test can
pass its own. Deadlines for others are not a matter of pace: each is kept where it is used.
"""

import msgspec

from fleet_tui.core.backoff import Backoff


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's own intervals. The fleet file says how often an agent is probed."""

    tick_ms: int = 250
    """How often the loop notices that time passed."""
    store_again_ms: int = 1_000
    """How often a ledger that could not be written is retried."""
    loss_pause_s: float = 1.0
    """Between two losses of a connection that are reported: an agent that hangs up again and again
    must not keep the loop busy."""
    tail_again_s: float = 5.0
    """Before a log that could not be read is read again."""
    collect_every_s: float = 600.0
    """How often a host is told which runs it may forget."""
    collect_again_s: float = 1.0
    """Between two batches, while there are more and the host deletes some of each."""
    kept_every_s: float = 86_400.0
    """How often a host is asked which runs it still holds; the first time is soon after a start."""
    room_every_s: float = 2.0
    """How often a standby checks whether the trouble is over."""
    max_wait_s: float = 60.0
    """The longest wait before a ledger that fails each time it is opened is opened again."""

    @property
    def reopen(self) -> Backoff:
        """Waits before a ledger that failed is opened again."""
        return Backoff(int(self.room_every_s * 1_000), int(self.max_wait_s * 1_000))


USUAL = Pacing()
