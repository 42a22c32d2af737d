"""What an agent failed that was given to it, and the breaker that keeps more work from it.

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
"""Canary runs of an agent that are remembered, for its gateway holds a session of each."""

SETTLED_MS = 60_000
"""A run on trial that goes on for so long does not fail at once."""

SETTLED_CAP_MS = 600_000
"""The longest that a run on trial has to go on, however late others failed."""

PROBATION_MS = 600_000
"""So long after a canary run a failure says that such runs tell nothing about the agent's work."""


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """A run that an agent refused or failed for a reason of its own."""

    run: RunId
    task: TaskId
    at_ms: int
    harmless: bool
    """Whether nothing of the run was started."""
    took_ms: int = 0
    """From its start to its failure."""


class CanaryRun(msgspec.Struct, frozen=True, kw_only=True):
    """A canary run: see :mod:`fleet_tui.core.agents.canary`."""

    run: RunId
    since_ms: int
    ended_at_ms: int | None = None
    """None while it is under way."""
    cost_microusd: int = 0
    has_unknown_cost: bool = False
    """Whether what it cost is not known, or not whole."""


class Probation(msgspec.Struct, frozen=True, kw_only=True):
    """That nothing but a canary run speaks for an agent yet: one more failure of its work opens the
    breaker again."""

    since_ms: int
    harmless: bool
    """As the breaker was that the canary run closed."""


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """Why an agent that answers gets no work: what it got last, it refused or failed. Now and
    then it is tried, by a canary run or with one task."""

    since_ms: int
    until_ms: int
    """No trial before this instant."""
    opens: int = 1
    """How many times in a row it opened; each time the wait is longer."""
    harmless: bool
    """Whether it only refused, so that a trial costs a task nothing but time."""
    reason: str
    """Our words."""
    detail: Untrusted = NOTHING_SAID
    """The agent's words."""
    hit: tuple[TaskId, ...] = ()
    """Tasks that it refused or failed, the first MAX_HIT."""
    settled_ms: int = SETTLED_MS
    """A run on trial that goes on for so long is no failure like those before."""
    trial: RunId | None = None
    """The task's run that is on trial now."""
    relapsed: bool = False
    """Whether it failed its work right after a canary run went well: these tell nothing about what
    it fails, so it is tried with tasks."""
