"""Sentences for the events of tasks and their attempts."""

from typing import assert_never

from fleet_tui.core.agents.model_trouble import in_words
from fleet_tui.core.agents.vitals import ModelTrouble
from fleet_tui.core.ids import TaskId, split_run_id
from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import Level
from fleet_tui.core.tasks.attempts import find_attempt
from fleet_tui.core.tasks.codes import (
    died_words,
    failed_words,
    not_started_words,
)
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
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.text import words
from fleet_tui.core.text.untrusted import NOTHING_SAID


def task_sentence(event: TaskEvent, state: FleetState) -> Sentence:
    """The sentence for an event of a task. ``state`` is the state after it."""
    label = _label(state, event.task)
    match event:
        case TaskSubmitted(by=by):
            priority = event.spec.priority.name
            return Sentence(
                level=Level.INFO, text=f"{label} submitted by {by}, {priority}", task=event.task
            )
        case TaskPending(pending=pending):
            level = Level.ERROR if pending.code.is_held else Level.INFO
            word = "held" if pending.code.is_held else "waits"
            return Sentence(level=level, text=f"{label} {word}: {pending.detail}", task=event.task)
        case TaskPlaced(agent=agent, decision=decision, number=number):
            note = f", {decision.note}" if decision.note else ""
            level = Level.WARN if number > 1 else Level.INFO
            text = f"{label} -> {agent} by {decision.strategy}{note}"
            return Sentence(level=level, text=text, task=event.task, agent=agent)
        case TaskRetrying(reason=reason, duplicate_possible=twice):
            warning = "; it may run twice" if twice else ""
            text = f"{label} queued again: {reason}{warning}"
            return Sentence(level=Level.WARN, text=text, task=event.task)
        case TaskBlamed(reason=reason):
            text = f"{label} itself is at fault, not its agents: {reason}"
            return Sentence(level=Level.WARN, text=text, task=event.task)
        case TaskNeedsOperator(reason=reason):
            return Sentence(
                level=Level.ERROR, text=f"{label} needs an operator: {reason}", task=event.task
            )
        case TaskResolved(by=by, verdict=verdict, reason=reason):
            return Sentence(
                level=Level.INFO,
                text=f'{label}: verdict "{verdict.text}" by {by}: {reason}',
                task=event.task,
            )
        case TaskCancelRequested(by=by):
            return Sentence(
                level=Level.INFO, text=f"cancel of {label} requested by {by}", task=event.task
            )
        case TaskHeld(by=by, reason=reason):
            why = f": {reason}" if reason else ""
            return Sentence(level=Level.INFO, text=f"{label} held by {by}{why}", task=event.task)
        case TaskReleased(by=by):
            return Sentence(level=Level.INFO, text=f"{label} released by {by}", task=event.task)
        case TaskExpedited(by=by, reason=reason):
            why = f": {reason}" if reason else ""
            text = f"{label} expedited by {by}{why}"
            return Sentence(level=Level.INFO, text=text, task=event.task)
        case TaskReprioritized(by=by, priority=priority):
            text = f"{label} set to {priority.name} by {by}"
            return Sentence(level=Level.INFO, text=text, task=event.task)
        case TaskEdited(by=by):
            return Sentence(level=Level.INFO, text=f"{label} edited by {by}", task=event.task)
        case TaskDropped(by=by, reason=reason):
            text = f"{label} dropped by {by}: {reason}"
            return Sentence(level=Level.INFO, text=text, task=event.task)
        case TaskEnded(phase=phase, reason=reason):
            level = Level.INFO if phase is TaskPhase.SUCCEEDED else Level.WARN
            why = f": {reason}" if reason else ""
            return Sentence(level=level, text=f"{label} {phase}{why}", task=event.task)
        case _:
            assert_never(event)


def _cost(event: AttemptFinished) -> str:
    """The cost of a run, to a hundredth of a cent where it is fully known."""
    if event.usage.unusable:
        return words.cost(event.cost_microusd, is_unknown=True)
    return f"${event.cost_microusd / 1_000_000:.4f}"


def attempt_sentence(event: AttemptEvent, state: FleetState) -> Sentence:
    """The sentence for an event of an attempt. ``state`` is the state after it."""
    task_id, number = split_run_id(event.run)
    found = find_attempt(state, event.run)
    agent = found[1].agent if found is not None else None
    where = f"{_label(state, task_id)} attempt {number} on {agent or '?'}"
    match event:
        case AttemptStarted():
            level, text, detail = Level.DEBUG, "started", NOTHING_SAID
        case AttemptSeen(resumed_by_agent=resumed):
            how = "resumed by the agent itself" if resumed else "found running"
            level, text, detail = Level.INFO, how, NOTHING_SAID
        case AttemptNotStarted(reason=reason, detail=detail):
            level, text = Level.WARN, f"did not start: {not_started_words(reason)}"
        case AttemptUnknown(reason=lost, detail=detail):
            level, text = Level.WARN, f"unknown: {lost.text}"
        case AttemptFinished(ok=ok, failure=failure, detail=detail):
            tokens = event.usage.total_tokens
            if ok:
                level, text = Level.INFO, f"finished, {tokens} tokens, {_cost(event)}"
            else:
                level, text = Level.ERROR, f"failed: {failed_words(failure)}"
            if event.answer.lost:
                level, text = max(level, Level.WARN), f"{text}, its output lost"
        case AttemptCheckpointed():
            level, text, detail = Level.DEBUG, "left a checkpoint", NOTHING_SAID
        case AttemptDied(reason=reason):
            level, text, detail = Level.ERROR, f"died: {died_words(reason)}", NOTHING_SAID
        case AttemptCancelling(cause=cause):
            level, text, detail = Level.INFO, f"asked to stop ({cause})", NOTHING_SAID
        case AttemptCancelRefused(detail=detail):
            level, text = (
                Level.WARN,
                ("cannot be cancelled while its agent drains; it keeps running"),
            )
        case AttemptTroubled(trouble=trouble):
            level, text, detail = *_troubled(trouble), NOTHING_SAID
        case AttemptSuspended(suspended=suspended):
            level, text, detail = *_suspended(suspended), NOTHING_SAID
        case AttemptStopped():
            level, text, detail = Level.INFO, "stopped", NOTHING_SAID
        case AttemptGivenUp(reason=reason):
            level, text, detail = Level.ERROR, f"given up: {reason}", NOTHING_SAID
        case AttemptLate(ok=ok, failure=failure, detail=detail):
            why = failed_words(failure) if failure else "no reason was given"
            how = "ended well" if ok else f"failed ({why})"
            level, text = Level.WARN, f"{how} after it was given up"
        case AttemptTold(says=says):
            text = f"was given up; its agent says that it {says.text}"
            level, detail = Level.WARN, NOTHING_SAID
        case _:
            assert_never(event)
    return Sentence(level=level, text=f"{where} {text}", detail=detail, task=task_id, agent=agent)


def _label(state: FleetState, task_id: TaskId) -> str:
    task = state.task(task_id)
    return task.label if task is not None else task_id


def _troubled(trouble: ModelTrouble | None) -> tuple[Level, str]:
    if trouble is None:
        return Level.INFO, "its model answers again"
    return Level.WARN, f"gets no answer, {in_words(trouble)}"


def _suspended(suspended: bool) -> tuple[Level, str]:
    if suspended:
        return Level.WARN, "is suspended on its host (SIGSTOP); SIGCONT resumes it"
    return Level.INFO, "resumed after it was suspended"
