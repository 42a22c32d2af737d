"""How long to wait before the next try.

Full jitter (a wait drawn evenly between nothing and a growing ceiling) spreads a herd best; see
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015. The draw comes from the run id, so a
replay of the ledger waits exactly as long as the engine did.
"""

import hashlib

from fleet_tui.core.fleet import RetryPolicy
from fleet_tui.core.ids import RunId


def ceiling_ms(policy: RetryPolicy, tries: int) -> int:
    """The longest wait after that many tries (1 or more), in milliseconds."""
    assert tries >= 1, tries
    grown = policy.backoff_base_ms * policy.factor ** min(tries - 1, 63)
    return int(min(grown, policy.backoff_cap_ms))


def wait_ms(policy: RetryPolicy, tries: int, run: RunId) -> int:
    """The wait after a run that was the last of that many tries, in milliseconds."""
    return int(ceiling_ms(policy, tries) * fraction_of(run))


def fraction_of(text: str) -> float:
    """A number in [0, 1) that depends on the text alone and is spread evenly over texts."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56


def trace_id_of(run: RunId) -> str:
    """The 32 hex digits that mark a run in its agent's log (W3C Trace Context, ``trace-id``)."""
    return hashlib.sha256(b"trace:" + run.encode()).hexdigest()[:32]
