"""How long a run has been silent, and what happens if it stays silent.

A gateway that hangs keeps its connection open, so its run counts as running until the connection is
given up; the silence is known from the probes of its agent.
"""

from enum import StrEnum

import msgspec

from fleet_tui.core.agents.brake import is_braked
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task
from fleet_tui.core.tasks.tries import may_move, tries_left
from fleet_tui.core.text import words


class AfterSilence(StrEnum):
    """What happens to a task once its silent run is given up, as shown to operators."""

    CANCELLED = "counts as cancelled"
    MOVED = "moved"
    JUDGED = "yours to decide"


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """The silence of an open run."""

    since_ms: int
    ends_at_ms: int | None
    """When waiting ends at the earliest; None for never."""
    then: AfterSilence
    """What happens then."""
    is_sure: bool
    """Whether the run is unknown already, so that ``ends_at_ms`` is exact and not just a bound."""
    patience_ms: int = 0
    """How long to wait once the run is unknown."""


def silent_since(state: FleetState, attempt: Attempt) -> int | None:
    """Since when an open run has been silent: it is unknown, or its agent fails its probes and is
    out of service. None while it is not silent."""
    known = [attempt.unknown_since_ms] if attempt.phase is AttemptPhase.UNKNOWN else []
    agent = state.agents.get(attempt.agent)
    if agent is not None and agent.silent_since_ms is not None:
        known.append(max(agent.silent_since_ms, attempt.planned_at_ms))
    return min((at for at in known if at is not None), default=None)


def after_silence(state: FleetState, task: Task, attempt: Attempt) -> AfterSilence:
    """What would happen to a task now if its open run were given up."""
    if task.cancel_requested_by is not None:
        return AfterSilence.CANCELLED
    if may_move(state, task, attempt) and tries_left(state, task):
        return AfterSilence.MOVED
    return AfterSilence.JUDGED


def silence_of(state: FleetState, task: Task) -> Silence | None:
    """The silence of a task's open run; None while it is not silent, or nothing runs."""
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
    """``no sign of life for 40s; moved at 12:04:31``; times are that many minutes ahead of UTC."""
    heard = f"no sign of life for {words.age(silence.since_ms, now_ms)}"
    if silence.ends_at_ms is None:
        return f"{heard}; still waiting"
    when, at_ms = "at", silence.ends_at_ms
    if not silence.is_sure:
        # The wait begins when the run counts as unknown, so a bound in the past is meaningless.
        passed = at_ms <= now_ms
        when, at_ms = "not before", now_ms + silence.patience_ms if passed else at_ms
    return f"{heard}; {silence.then} {when} {words.clock(at_ms, offset_minutes)}"
