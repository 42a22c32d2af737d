"""The failed work of an agent, and the breaker that keeps further work from it.

Opened and closed by :mod:`fleet_tui.core.agents.outcomes`; these are the values that the state
holds.
"""

import msgspec

from fleet_tui.core.ids import RunId, TaskId
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_STRIKES = 16
"""Strikes of an agent that are remembered."""
MAX_HIT = 1_000
"""Tasks that an open breaker counts."""

MAX_CANARIES = 16
"""Canary runs of an agent that are remembered, because its gateway holds a session for each."""

SETTLED_MS = 60_000
"""A trial run that lasts this long does not count as failing at once."""

SETTLED_CAP_MS = 600_000
"""The longest that a trial run has to last, however late others failed."""

PROBATION_MS = 600_000
"""A failure within this time after a canary run shows that such runs do not predict the agent's
work."""


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """A run that an agent refused or failed for a reason of its own."""

    run: RunId
    task: TaskId
    at_ms: int
    harmless: bool
    """Whether the run never started."""
    took_ms: int = 0
    """From its start to its failure."""


class CanaryRun(msgspec.Struct, frozen=True, kw_only=True):
    """A canary run: see :mod:`fleet_tui.core.agents.canary`."""

    run: RunId
    since_ms: int
    ended_at_ms: int | None = None
    """None while it is in progress."""
    cost_microusd: int = 0
    has_unknown_cost: bool = False
    """Whether its cost is unknown or incomplete."""


class Probation(msgspec.Struct, frozen=True, kw_only=True):
    """Only a canary run has succeeded on the agent so far: one more failure of its work opens the
    breaker again."""

    since_ms: int
    harmless: bool
    """As of the breaker that the canary run closed."""


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """Why an agent that answers gets no work: it refused or failed its last runs. Now and then it
    is tried, by a canary run or with one task."""

    since_ms: int
    until_ms: int
    """No trial before this instant."""
    opens: int = 1
    """How many times in a row it opened; each time the wait is longer."""
    harmless: bool
    """Whether it only refused starts, so that a trial costs a task only time."""
    reason: str
    """In our own words."""
    detail: Untrusted = NOTHING_SAID
    """In the agent's words."""
    hit: tuple[TaskId, ...] = ()
    """Tasks that it refused or failed, the first MAX_HIT."""
    settled_ms: int = SETTLED_MS
    """A trial run that lasts this long is not failing like those before."""
    trial: RunId | None = None
    """The run of a task that is the current trial."""
    relapsed: bool = False
    """Whether it failed its work right after a canary run succeeded: such runs do not show what
    fails, so it is tried with tasks."""
