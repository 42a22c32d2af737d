"""Folding events of tasks: a task after an event, and the effects on its agents, the routing
decisions and the totals."""

from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.agents.fold import excused, with_run
from fleet_tui.core.ledger.draft import Draft
from fleet_tui.core.routing.decision import Pending, PendingCode
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.tasks.commands import Verdict
from fleet_tui.core.tasks.events import (
    TaskBlamed,
    TaskCancelRequested,
    TaskDropped,
    TaskEdited,
    TaskEnded,
    TaskEvent,
    TaskExpedited,
    TaskHeld,
    TaskNeedsOperator,
    TaskPending,
    TaskPlaced,
    TaskReleased,
    TaskReprioritized,
    TaskResolved,
    TaskRetrying,
    TaskSubmitted,
)
from fleet_tui.core.tasks.keys import key_mark
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, HoldRecord, Task, TaskPhase
from fleet_tui.core.tasks.retry_budget import counted


def fold_task(draft: Draft, event: TaskEvent) -> None:
    """The task, and what else a fact about it changes."""
    if isinstance(event, TaskSubmitted):
        _submitted(draft, event)
        return
    task = draft.tasks.find(event.task)
    if task is None:
        return
    match event:
        case TaskPlaced():
            _placed(draft, task, event)
        case TaskEnded():
            _ended(draft, task, event)
        case TaskPending(pending=pending):
            draft.tasks.put(replace(task, pending=pending))
            if pending.decision is not None:
                _record_decision(draft, task, pending, attempt=0)
        case TaskRetrying(not_before_ms=not_before_ms, reason=reason):
            draft.tasks.put(
                replace(
                    task,
                    phase=TaskPhase.WAITING,
                    not_before_ms=not_before_ms,
                    requeued_at_ms=(
                        max(draft.at_ms, not_before_ms)
                        if task.phase.is_closed
                        else task.requeued_at_ms
                    ),
                    duplicate_possible=task.duplicate_possible or event.duplicate_possible,
                    # The cancel was carried out or overruled.
                    cancel_requested_by=None,
                    dropped_by=None,
                    reason=reason,
                    ended_at_ms=None,
                    pending=Pending(code=PendingCode.BACKOFF, since_ms=draft.at_ms, detail=reason),
                )
            )
        case TaskBlamed(agents=names):
            for agent in (draft.agents.get(name) for name in names):
                if agent is not None:
                    draft.put_agent(excused(agent, task))
        case TaskNeedsOperator(reason=reason):
            draft.tasks.put(
                replace(task, phase=TaskPhase.NEEDS_OPERATOR, reason=reason, pending=None)
            )
        case TaskResolved():
            _resolved(draft, task, event)
        case TaskCancelRequested(by=by):
            draft.tasks.put(replace(task, cancel_requested_by=by))
        case TaskHeld() | TaskReleased() | TaskExpedited() | TaskReprioritized():
            _queued(draft, task, event)
        case TaskEdited(spec=spec, payload_sha256=digest):
            draft.tasks.put(
                replace(task, spec=spec, payload_sha256=digest, asked=task.submitted_spec)
            )
        case TaskDropped(by=by):
            draft.tasks.put(replace(task, dropped_by=by))
            draft.totals = replace(draft.totals, dropped=draft.totals.dropped + 1)
        case _:
            assert_never(event)


def _submitted(draft: Draft, event: TaskSubmitted) -> None:
    draft.tasks.put(
        Task(
            id=event.task,
            number=event.number,
            key=event.key,
            spec=event.spec,
            by=event.by,
            submitted_at_ms=draft.at_ms,
            payload_sha256=event.payload_sha256,
            pending=Pending(code=PendingCode.NEW, since_ms=draft.at_ms),
        )
    )
    mark = key_mark(event.task, event.spec, event.payload_sha256)
    draft.tasks.remember_key(event.key, mark)
    draft.totals = replace(draft.totals, submitted=draft.totals.submitted + 1)


def _placed(draft: Draft, task: Task, event: TaskPlaced) -> None:
    draft.recent_starts = counted(draft.recent_starts, draft.at_ms, retry=task.is_retry)
    attempt = Attempt(
        run_id=event.run,
        number=event.number,
        agent=event.agent,
        phase=AttemptPhase.PLANNED,
        planned_at_ms=draft.at_ms,
        decision=event.decision,
        epoch=draft.engine.epoch,
    )
    task = replace(task, phase=TaskPhase.ACTIVE, pending=None, attempts=(*task.attempts, attempt))
    draft.tasks.put(task)
    agent = draft.agents.get(event.agent)
    if agent is not None:
        draft.put_agent(with_run(agent, attempt))
    if event.decision.pool is not None:
        draft.turns = {**draft.turns, event.decision.pool: event.agent}
    draft.totals = replace(draft.totals, attempts=draft.totals.attempts + 1)
    _record_decision(draft, task, None, attempt=event.number)


def _record_decision(draft: Draft, task: Task, pending: Pending | None, attempt: int) -> None:
    decision = pending.decision if pending is not None else task.attempts[-1].decision
    assert decision is not None
    draft.new_decisions.append(
        DecisionRecord(
            seq=draft.seq,
            at_ms=draft.at_ms,
            task=task.id,
            task_number=task.number,
            priority=task.spec.priority,
            decision=decision,
            attempt=attempt,
            pending=pending,
        )
    )
    draft.totals = replace(draft.totals, decisions=draft.totals.decisions + 1)


def _resolved(draft: Draft, task: Task, event: TaskResolved) -> None:
    again = event.verdict is not Verdict.RAN
    draft.tasks.put(
        replace(
            task,
            reason=f"{event.by}: {event.reason}",
            judged=task.attempt.run_id if task.attempt is not None else None,
            requeued_at_ms=draft.at_ms if again else task.requeued_at_ms,
        )
    )


def _queued(
    draft: Draft,
    task: Task,
    event: TaskHeld | TaskReleased | TaskExpedited | TaskReprioritized,
) -> None:
    match event:
        case TaskHeld(by=by, reason=reason):
            why = f"held by {by}" + (f": {reason}" if reason else "")
            pending = Pending(code=PendingCode.HOLD, since_ms=draft.at_ms, detail=why)
            hold = HoldRecord(by=by, reason=reason, since_ms=draft.at_ms)
            task = replace(task, hold=hold, pending=pending)
        case TaskReleased():
            waits = task.phase is TaskPhase.WAITING
            new = Pending(code=PendingCode.NEW, since_ms=draft.at_ms) if waits else None
            task = replace(task, hold=None, pending=new)
        case TaskExpedited():
            task = replace(task, expedited_at_ms=draft.at_ms)
        case TaskReprioritized(priority=priority):
            spec = replace(task.spec, priority=priority)
            task = replace(task, spec=spec, asked=task.submitted_spec)
        case _:
            assert_never(event)
    draft.tasks.put(task)


def _ended(draft: Draft, task: Task, event: TaskEnded) -> None:
    draft.tasks.put(
        replace(task, phase=event.phase, reason=event.reason, ended_at_ms=draft.at_ms, pending=None)
    )
    t = draft.totals
    match event.phase:
        case TaskPhase.SUCCEEDED:
            draft.totals = replace(t, succeeded=t.succeeded + 1)
        case TaskPhase.FAILED:
            draft.totals = replace(t, failed=t.failed + 1)
        case TaskPhase.CANCELLED:
            draft.totals = replace(t, cancelled=t.cancelled + 1)
        case TaskPhase.EXPIRED:
            draft.totals = replace(t, expired=t.expired + 1)
        case TaskPhase.WAITING | TaskPhase.ACTIVE | TaskPhase.NEEDS_OPERATOR:
            raise AssertionError(f"a task cannot end as {event.phase}")
        case _:
            assert_never(event.phase)
