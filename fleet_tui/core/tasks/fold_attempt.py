"""Folding events of attempts: an attempt after an event, and the effects on its task, its agent and
the totals."""

from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.agents.fold import pay, without_run
from fleet_tui.core.ids import split_run_id
from fleet_tui.core.ledger.draft import Draft
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptCancelRefused,
    AttemptCheckpointed,
    AttemptDied,
    AttemptEvent,
    AttemptFinished,
    AttemptGivenUp,
    AttemptLate,
    AttemptNotStarted,
    AttemptSeen,
    AttemptStarted,
    AttemptStopped,
    AttemptSuspended,
    AttemptTold,
    AttemptTroubled,
    AttemptUnknown,
)
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, CancelCause
from fleet_tui.core.text.untrusted import Untrusted

_STOPPED_PHASE = {
    CancelCause.OPERATOR: AttemptPhase.CANCELLED,
    CancelCause.PREEMPTION: AttemptPhase.CANCELLED,
    CancelCause.DEADLINE: AttemptPhase.TIMED_OUT,
    CancelCause.HEARTBEAT: AttemptPhase.TIMED_OUT,
}


def fold_attempt(draft: Draft, event: AttemptEvent) -> None:
    """The attempt, its task, its agent and the totals after a fact about the attempt."""
    task_id, number = split_run_id(event.run)
    task = draft.tasks.find(task_id)
    if task is None or not 1 <= number <= len(task.attempts):
        return
    before = task.attempts[number - 1]
    after = next_attempt(before, event, draft.at_ms)
    attempts = (*task.attempts[: number - 1], after, *task.attempts[number:])
    draft.tasks.put(replace(task, attempts=attempts))
    match event:
        case AttemptFinished() | AttemptStopped() | AttemptLate() | AttemptTold():
            pay(draft, after.agent, event.usage, event.cost_microusd)
        case (
            AttemptStarted()
            | AttemptSeen()
            | AttemptNotStarted()
            | AttemptCheckpointed()
            | AttemptUnknown()
            | AttemptDied()
            | AttemptCancelling()
            | AttemptCancelRefused()
            | AttemptTroubled()
            | AttemptSuspended()
            | AttemptGivenUp()
        ):
            pass
        case _:
            assert_never(event)
    if before.phase.is_open and not after.phase.is_open:
        _free_slot(draft, after)


def _free_slot(draft: Draft, ended: Attempt) -> None:
    agent = draft.agents.get(ended.agent)
    if agent is not None:
        draft.put_agent(without_run(agent, ended, draft.at_ms))


def next_attempt(attempt: Attempt, event: AttemptEvent, at_ms: int) -> Attempt:
    """The attempt after an event. The most frequent kinds first."""
    match event:
        case AttemptStarted(boot_id=boot_id):
            return _running(attempt, at_ms, boot_id or attempt.boot_id, attempt.resumed_by_agent)
        case AttemptFinished():
            return _finished(attempt, event, at_ms)
        case AttemptSeen(resumed_by_agent=resumed):
            return _running(attempt, at_ms, attempt.boot_id, attempt.resumed_by_agent or resumed)
        case AttemptUnknown():
            return _unknown(attempt, event, at_ms)
        case AttemptNotStarted(reason=reason, detail=detail, fenced=fenced, blame=blame):
            phase = AttemptPhase.FENCED if fenced else AttemptPhase.NOT_STARTED
            return replace(_closed(attempt, phase, at_ms, reason, detail), blame=blame)
        case AttemptCheckpointed(checkpoint=checkpoint):
            return replace(attempt, checkpoint=checkpoint)
        case AttemptDied(reason=reason):
            return _closed(attempt, AttemptPhase.DIED, at_ms, reason, attempt.detail)
        case AttemptGivenUp(reason=reason):
            return _closed(attempt, AttemptPhase.GIVEN_UP, at_ms, reason, attempt.detail)
        case AttemptCancelling(cause=cause):
            return replace(attempt, phase=AttemptPhase.CANCELLING, cancel_cause=cause)
        case AttemptTroubled(trouble=trouble):
            return replace(attempt, model_trouble=trouble)
        case AttemptSuspended(suspended=suspended):
            return replace(attempt, suspended_at_ms=at_ms if suspended else None)
        case AttemptCancelRefused(detail=detail):
            return replace(attempt, cancel_refused=detail)
        case AttemptStopped():
            return _stopped(attempt, event, at_ms)
        case AttemptLate():
            return replace(
                attempt,
                late=True,
                late_ok=event.ok,
                late_failure=event.failure,
                detail=event.detail or attempt.detail,
                answer=event.answer,
                usage=event.usage,
                cost_microusd=event.cost_microusd,
            )
        case AttemptTold(says=says):
            return replace(
                attempt, late_word=says, usage=event.usage, cost_microusd=event.cost_microusd
            )
        case _:
            assert_never(event)


def _running(attempt: Attempt, at_ms: int, boot_id: str | None, resumed: bool) -> Attempt:
    """It runs. A requested stop stays requested."""
    return replace(
        attempt,
        phase=AttemptPhase.RUNNING if attempt.cancel_cause is None else AttemptPhase.CANCELLING,
        started_at_ms=attempt.started_at_ms or at_ms,
        boot_id=boot_id,
        resumed_by_agent=resumed,
        unknown_since_ms=None,
        lost=None,
    )


def _unknown(attempt: Attempt, event: AttemptUnknown, at_ms: int) -> Attempt:
    return replace(
        attempt,
        phase=AttemptPhase.UNKNOWN,
        unknown_since_ms=attempt.unknown_since_ms or at_ms,
        lost=event.reason,
        detail=event.detail,
    )


def _finished(attempt: Attempt, event: AttemptFinished, at_ms: int) -> Attempt:
    return replace(
        attempt,
        phase=AttemptPhase.SUCCEEDED if event.ok else AttemptPhase.FAILED,
        ended_at_ms=at_ms,
        unknown_since_ms=None,
        reason=event.failure,
        blame=event.blame,
        detail=event.detail,
        answer=event.answer,
        usage=event.usage,
        cost_microusd=event.cost_microusd,
    )


def _stopped(attempt: Attempt, event: AttemptStopped, at_ms: int) -> Attempt:
    cause = attempt.cancel_cause or CancelCause.OPERATOR
    return replace(
        attempt,
        phase=_STOPPED_PHASE[cause],
        ended_at_ms=at_ms,
        unknown_since_ms=None,
        reason=cause,
        usage=event.usage,
        cost_microusd=event.cost_microusd,
    )


def _closed(
    attempt: Attempt, phase: AttemptPhase, at_ms: int, reason: str, detail: Untrusted
) -> Attempt:
    return replace(
        attempt,
        phase=phase,
        ended_at_ms=at_ms,
        unknown_since_ms=None,
        reason=reason,
        detail=detail,
    )
