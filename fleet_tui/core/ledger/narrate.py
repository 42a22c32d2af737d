"""Events in words: the fleet's own lines in the merged log, and the story of a task.

Only our own words and checked names are built in; what a remote side said is appended as it came
and stays :class:`Untrusted` with the whole line.
"""

from typing import assert_never

import msgspec

from fleet_tui.core.agents.events import (
    AgentCordoned,
    AgentIdentified,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    FailoverFrozen,
    FailoverThawed,
    HealthChanged,
)
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.model_trouble import in_words
from fleet_tui.core.agents.vitals import ModelTrouble
from fleet_tui.core.alerting.events import AlertAcked, AlertRaised, AlertResolved
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.ids import AgentName, TaskId, split_run_id
from fleet_tui.core.ledger import events as e
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.reason_words import (
    died_words,
    failed_words,
    lost_words,
    not_started_words,
)
from fleet_tui.core.tasks.attempts import find_attempt
from fleet_tui.core.tasks.events import (
    AboutAttempt,
    AboutTask,
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
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """An event in one line."""

    level: Level
    text: str
    detail: Untrusted = NOTHING_SAID
    task: TaskId | None = None
    agent: AgentName | None = None


def log_line(recorded: e.Recorded, state: FleetState) -> LogLine | None:
    """The line the fleet writes into the merged log for an event; None for events that say nothing
    an operator would read. ``state`` is the state after the event."""
    sentence = narrate(recorded.event, state)
    if sentence is None:
        return None
    said = f": {sentence.detail.raw}" if sentence.detail else ""
    return LogLine(
        received_at_ms=recorded.at_ms,
        source=None,
        level=sentence.level,
        text=Untrusted(sentence.text + said),
        task=sentence.task,
    )


def narrate(event: e.Event, state: FleetState) -> Sentence | None:
    """An event in words."""
    match event:
        case HealthChanged():
            return _health(event)
        case AgentCordoned(agent=agent, by=by, reason=reason):
            why = f": {reason}" if reason else ""
            return Sentence(level=Level.INFO, text=f"{agent} cordoned by {by}{why}", agent=agent)
        case AgentUncordoned(agent=agent, by=by):
            return Sentence(level=Level.INFO, text=f"{agent} uncordoned by {by}", agent=agent)
        case AgentIdentified(agent=agent, version=version):
            return Sentence(level=Level.DEBUG, text=f"{agent} {_runs(version)}", agent=agent)
        case AgentTripped(agent=agent, reason=reason, detail=detail):
            text = f"{agent} gets no tasks for now: {reason}"
            return Sentence(level=Level.ERROR, text=text, detail=detail, agent=agent)
        case AgentTrusted(agent=agent, reason=reason):
            return Sentence(
                level=Level.INFO, text=f"{agent} gets tasks again: {reason}", agent=agent
            )
        case FailoverFrozen(pool=pool, reason=reason):
            return Sentence(level=Level.ERROR, text=f"failover of {pool} frozen: {reason}")
        case FailoverThawed(pool=pool):
            return Sentence(level=Level.INFO, text=f"failover of {pool} works again")
        case AlertRaised():
            level = Level.ERROR if event.severity is Severity.CRIT else Level.WARN
            return Sentence(level=level, text=f"alert: {event.subject} {event.text}")
        case AlertResolved(alert=alert):
            return Sentence(level=Level.INFO, text=f"alert over: {alert}")
        case AlertAcked(alert=alert, by=by):
            return Sentence(level=Level.INFO, text=f"alert {alert} acknowledged by {by}")
        case e.NoteAdded(by=by, text=text):
            return Sentence(level=Level.INFO, text=f"note by {by}", detail=text)
        case (
            e.EngineStarted()
            | e.EngineStopped()
            | e.EngineModeChanged()
            | e.EngineUnitFailed()
            | e.EngineTroubled()
        ):
            return _engine(event)
        case e.FleetFileJudged(problem=problem):
            if not problem:
                return Sentence(level=Level.INFO, text="the fleet file is sound again")
            return Sentence(
                level=Level.ERROR, text="the fleet file was not taken", detail=Untrusted(problem)
            )
        case e.FleetLoaded(spec=spec):
            return Sentence(
                level=Level.INFO, text=f"fleet {spec.name} loaded: {len(spec.agents)} agents"
            )
        case e.SegmentOpened():
            return None
        case e.UnknownEvent(kind=kind):
            return Sentence(
                level=Level.DEBUG,
                text="an event of a kind this version does not know",
                detail=Untrusted(kind),
            )
        case AboutTask():
            return _task(event, state)
        case AboutAttempt():
            return _attempt(event, state)
        case _:
            assert_never(event)


def _engine(
    event: (
        e.EngineStarted
        | e.EngineStopped
        | e.EngineModeChanged
        | e.EngineUnitFailed
        | e.EngineTroubled
    ),
) -> Sentence:
    match event:
        case e.EngineStarted(version=version, epoch=epoch):
            return Sentence(level=Level.INFO, text=f"engine {version} started, epoch {epoch}")
        case e.EngineStopped(reason=reason):
            return Sentence(level=Level.INFO, text=f"engine stopped: {reason}")
        case e.EngineModeChanged(mode=mode, reason=reason, by=by):
            level = Level.INFO if mode is EngineMode.NORMAL else Level.ERROR
            who = f" by {by}" if by else ""
            return Sentence(
                level=level, text=f"engine mode {mode.label}{who}", detail=Untrusted(reason)
            )
        case e.EngineUnitFailed(unit=unit, error=error):
            return Sentence(
                level=Level.ERROR, text=f"{unit} failed ({error}) and was started again"
            )
        case e.EngineTroubled(trouble=trouble, text=text):
            if not text:
                return Sentence(level=Level.INFO, text=f"engine trouble over: {trouble}")
            return Sentence(
                level=Level.WARN, text=f"engine trouble: {trouble}", detail=Untrusted(text)
            )
        case _:
            assert_never(event)


def _runs(version: str | None) -> str:
    """What an agent that answered runs; a remote version string is harmless in our own words.
    Agents that are commands have none."""
    if not version:
        return "answers"
    return f"runs {''.join(ch for ch in version[:40] if ch.isprintable())}"


_HEALTH_LEVEL = {
    Health.JOINING: Level.INFO,
    Health.UP: Level.INFO,
    Health.DEGRADED: Level.WARN,
    Health.SUSPECT: Level.WARN,
    Health.STARTING: Level.INFO,
    Health.DRAINING: Level.INFO,
    Health.UNREACHABLE: Level.ERROR,
    Health.DOWN: Level.ERROR,
    Health.QUARANTINED: Level.ERROR,
    Health.RETIRED: Level.INFO,
}


def _health(event: HealthChanged) -> Sentence:
    return Sentence(
        level=_HEALTH_LEVEL[event.health],
        text=f"{event.agent} {event.was} -> {event.health}: {event.reason}",
        detail=event.detail,
        agent=event.agent,
    )


def _label(state: FleetState, task_id: TaskId) -> str:
    task = state.task(task_id)
    return task.label if task is not None else task_id


def _task(
    event: TaskEvent,
    state: FleetState,
) -> Sentence | None:
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
            warning = "; it may be done twice" if twice else ""
            text = f"{label} queued again: {reason}{warning}"
            return Sentence(level=Level.WARN, text=text, task=event.task)
        case TaskBlamed(reason=reason):
            text = f"{label} is to blame, not its agents: {reason}"
            return Sentence(level=Level.WARN, text=text, task=event.task)
        case TaskNeedsOperator(reason=reason):
            return Sentence(
                level=Level.ERROR, text=f"{label} needs an operator: {reason}", task=event.task
            )
        case TaskResolved(by=by, verdict=verdict, reason=reason):
            return Sentence(
                level=Level.INFO, text=f"{label}: {by} says {verdict}: {reason}", task=event.task
            )
        case TaskCancelRequested(by=by):
            return Sentence(level=Level.INFO, text=f"{label}: {by} cancels it", task=event.task)
        case TaskHeld(by=by, reason=reason):
            why = f": {reason}" if reason else ""
            return Sentence(level=Level.INFO, text=f"{label} held by {by}{why}", task=event.task)
        case TaskReleased(by=by):
            return Sentence(level=Level.INFO, text=f"{label} released by {by}", task=event.task)
        case TaskExpedited(by=by, reason=reason):
            why = f": {reason}" if reason else ""
            text = f"{label} goes first, says {by}{why}"
            return Sentence(level=Level.INFO, text=text, task=event.task)
        case TaskReprioritized(by=by, priority=priority):
            text = f"{label} is {priority.name} now, says {by}"
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


def _troubled(trouble: ModelTrouble | None) -> tuple[Level, str]:
    if trouble is None:
        return Level.INFO, "its model answers again"
    return Level.WARN, f"its {in_words(trouble)}"


def _suspended(suspended: bool) -> tuple[Level, str]:
    if suspended:
        return Level.WARN, "was found stopped on its host, and does nothing until it gets SIGCONT"
    return Level.INFO, "goes on, after it was stopped"


def _attempt(
    event: AttemptEvent,
    state: FleetState,
) -> Sentence:
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
            level, text = Level.WARN, f"unknown: {lost_words(lost)}"
        case AttemptFinished(ok=ok, failure=failure, detail=detail):
            tokens = event.usage.total_tokens
            cost = f"${event.cost_microusd / 1_000_000:.4f}"
            if ok:
                level, text = Level.INFO, f"finished, {tokens} tokens, {cost}"
            else:
                level, text = Level.ERROR, f"failed: {failed_words(failure)}"
            if event.answer.lost:
                level, text = max(level, Level.WARN), f"{text}, its output lost"
        case AttemptCheckpointed():
            level, text, detail = Level.DEBUG, "left a checkpoint", NOTHING_SAID
        case AttemptDied(reason=reason):
            level, text, detail = Level.ERROR, f"died: {died_words(reason)}", NOTHING_SAID
        case AttemptCancelling(cause=cause):
            level, text, detail = Level.INFO, f"told to stop ({cause})", NOTHING_SAID
        case AttemptCancelRefused(detail=detail):
            level, text = Level.WARN, "cannot be cancelled while its agent drains; it goes on"
        case AttemptTroubled(trouble=trouble):
            level, text, detail = *_troubled(trouble), NOTHING_SAID
        case AttemptSuspended(suspended=suspended):
            level, text, detail = *_suspended(suspended), NOTHING_SAID
        case AttemptStopped():
            level, text, detail = Level.INFO, "stopped", NOTHING_SAID
        case AttemptGivenUp(reason=reason):
            level, text, detail = Level.ERROR, f"given up: {reason}", NOTHING_SAID
        case AttemptLate(ok=ok, failure=failure, detail=detail):
            why = failed_words(failure) if failure else "nobody said why"
            how = "ended well" if ok else f"failed ({why})"
            level, text = Level.WARN, f"{how} after it was given up"
        case AttemptTold(says=says):
            text = f"was given up; its agent says that it {says.text}"
            level, detail = Level.WARN, NOTHING_SAID
        case _:
            assert_never(event)
    return Sentence(level=level, text=f"{where} {text}", detail=detail, task=task_id, agent=agent)
