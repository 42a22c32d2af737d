"""How long nothing was heard of a run, and what happens when that goes on.

A gateway that hangs keeps its connection open, so its run counts as running until the connection
is given up; that nothing is heard of it is known from the looks at its agent.
"""

import msgspec

from fleet_tui.core.agents.brake import is_braked
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.attempts import after_silence
from fleet_tui.core.tasks.heartbeat import AfterSilence, silent_since
from fleet_tui.core.tasks.model import AttemptPhase, Task
from fleet_tui.core.text import words


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is heard of an open run."""

    since_ms: int
    ends_at_ms: int | None
    """When waiting ends at the earliest; None for never."""
    then: AfterSilence
    """What happens then."""
    is_sure: bool
    """Whether the run is unknown already, so that ``ends_at_ms`` is the time and no bound."""
    patience_ms: int = 0
    """How long is waited once the run is unknown."""


def silence_of(state: FleetState, task: Task) -> Silence | None:
    """The silence of a task's open run; None while something is heard of it, or nothing runs."""
    attempt = task.open_attempt
    if attempt is None:
        return None
    since_ms, unknown_ms = silent_since(state, attempt), attempt.unknown_since_ms
    if since_ms is None:
        return None
    is_sure = attempt.phase is AttemptPhase.UNKNOWN
    counted_ms = unknown_ms if is_sure and unknown_ms is not None else since_ms
    patience = state.fleet.lost_after_ms
    waits = patience is None or is_braked(state, attempt.agent)
    return Silence(
        since_ms=since_ms,
        ends_at_ms=None if waits or patience is None else counted_ms + patience,
        then=after_silence(state, task, attempt),
        is_sure=is_sure,
        patience_ms=patience or 0,
    )


def in_words(silence: Silence, now_ms: int, offset_minutes: int = 0) -> str:
    """``nothing heard for 40s; moved at 12:04:31``; the clock leads UTC by so many minutes."""
    heard = f"nothing heard for {words.age(silence.since_ms, now_ms)}"
    if silence.ends_at_ms is None:
        return f"{heard}; it is waited for"
    when, at_ms = "at", silence.ends_at_ms
    if not silence.is_sure:
        # The wait begins when the run counts as unknown, so a bound that has passed is none.
        passed = at_ms <= now_ms
        when, at_ms = "not before", now_ms + silence.patience_ms if passed else at_ms
    return f"{heard}; {silence.then} {when} {words.clock(at_ms, offset_minutes)}"
