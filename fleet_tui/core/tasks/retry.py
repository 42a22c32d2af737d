"""How long a task waits before it is tried again.

The draw comes from the run id, so a replay of the ledger waits exactly as long as the engine did.
"""

import hashlib

from fleet_tui.core.fleet import RetryPolicy
from fleet_tui.core.ids import RunId


def wait_ms(policy: RetryPolicy, tries: int, run: RunId) -> int:
    """The wait after a run that was the last of that many tries, in milliseconds."""
    return policy.backoff.wait_ms(tries, fraction_of(run))


def fraction_of(text: str) -> float:
    """A number in [0, 1) that depends on the text alone and is spread evenly over texts."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56


def trace_id_of(run: RunId) -> str:
    """The 32 hex digits that mark a run in its agent's log (W3C Trace Context, ``trace-id``)."""
    return hashlib.sha256(b"trace:" + run.encode()).hexdigest()[:32]
