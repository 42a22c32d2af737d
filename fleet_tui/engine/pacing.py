"""How often the engine looks, and how long it waits before it tries again.

One value for the loop, the watchers of agents and the standby, so that a simulation or a test can
bring its own. How long somebody else may take is no pace: deadlines stand where they are kept.
"""

import msgspec


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's own intervals. How often an agent is looked at says the fleet file."""

    tick_ms: int = 250
    """How often the loop notices that time passed."""
    store_again_ms: int = 1_000
    """How often a ledger that could not be written is tried again."""
    loss_pause_s: float = 1.0
    """Between two losses that are told: an agent that hangs up again and again is no endless
    loop."""
    tail_again_s: float = 5.0
    """Before a log that could not be read is read again."""
    collect_every_s: float = 600.0
    """How often a host is told what it may forget."""
    collect_again_s: float = 1.0
    """Between two batches, while there are more and the host deletes some of each."""
    kept_every_s: float = 86_400.0
    """Between two times that a host is asked what it holds of runs; the first is soon after a
    start."""
    room_every_s: float = 2.0
    """How often a standby looks whether the trouble is over."""
    max_wait_s: float = 60.0
    """A ledger that fails each time it is opened is tried again this often at the least."""


USUAL = Pacing()
