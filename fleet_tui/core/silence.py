"""How long nothing was heard of a run, and what happens when that goes on.

A gateway that hangs keeps its connection open, so its run counts as running until the connection
is given up; that nothing is heard of it is known from the looks at its agent.
"""

import msgspec

from fleet_tui.core import words
from fleet_tui.core.attempts import may_run_twice, tries_left
from fleet_tui.core.brake import is_braked
from fleet_tui.core.state import Attempt, AttemptPhase, FleetState, Task


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is heard of an open run."""

    since_ms: int
    ends_at_ms: int | None
    """When waiting ends at the earliest; None for never."""
    then: str
    """What happens then, such as ``moved``."""
    is_sure: bool
    """Whether the run is unknown already, so that ``ends_at_ms`` is the time and no bound."""


def silence_of(state: FleetState, task: Task) -> Silence | None:
    """The silence of a task's open run; None while something is heard of it, or nothing runs."""
    attempt = task.open_attempt
    if attempt is None:
        return None
    since_ms = _silent_since(state, attempt)
    if since_ms is None:
        return None
    patience = state.fleet.lost_after_ms
    waits = patience is None or is_braked(state, attempt.agent)
    moved = may_run_twice(task) and tries_left(state, task)
    return Silence(
        since_ms=since_ms,
        ends_at_ms=None if waits or patience is None else since_ms + patience,
        then="moved" if moved else "yours to decide",
        is_sure=attempt.phase is AttemptPhase.UNKNOWN,
    )


def _silent_since(state: FleetState, attempt: Attempt) -> int | None:
    if attempt.phase is AttemptPhase.UNKNOWN:
        return attempt.unknown_since_ms
    agent = state.agents.get(attempt.agent)
    if agent is None or agent.failure is None or agent.in_service:
        return None
    return agent.since_ms


def in_words(silence: Silence, now_ms: int, offset_minutes: int = 0) -> str:
    """``nothing heard for 40s; moved at 12:04:31``; the clock leads UTC by so many minutes."""
    heard = f"nothing heard for {words.age(silence.since_ms, now_ms)}"
    if silence.ends_at_ms is None:
        return f"{heard}; it is waited for"
    when = "at" if silence.is_sure else "not before"
    return f"{heard}; {silence.then} {when} {words.clock(silence.ends_at_ms, offset_minutes)}"
