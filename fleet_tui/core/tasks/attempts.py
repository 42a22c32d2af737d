"""The consequences for an attempt of reports about it and of the passing of time.

In short: a run that definitely did not start is tried again elsewhere, for every class of task; one
that died after its start is tried again only if the class allows it (resumable work: from its last
checkpoint); one that is unknown is never tried again while it is unknown. A lost connection decides
nothing.
"""

from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.agents.brake import is_braked
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.outcomes import (
    blame_for,
    blamed_task,
    reconcile_trials,
    verdict_on_agents,
)
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import Deadlines, Prices
from fleet_tui.core.ids import AgentName, RunId, split_run_id
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.codes import died_words, failed_words, not_started_words
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptCancelRefused,
    AttemptCheckpointed,
    AttemptDied,
    AttemptFinished,
    AttemptGivenUp,
    AttemptLate,
    AttemptNotStarted,
    AttemptSeen,
    AttemptStarted,
    AttemptStopped,
    AttemptSuspended,
    AttemptTold,
    AttemptUnknown,
    TaskBlamed,
    TaskEnded,
    TaskNeedsOperator,
    TaskRetrying,
)
from fleet_tui.core.tasks.evidence import (
    Checkpoint,
    Definite,
    Died,
    Fact,
    Finished,
    LateWord,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
    Usage,
)
from fleet_tui.core.tasks.heartbeat import Ear, silence_ms
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, CancelCause, Task, TaskPhase
from fleet_tui.core.tasks.retry import wait_ms
from fleet_tui.core.tasks.silence import AfterSilence, after_silence, silent_since
from fleet_tui.core.tasks.store import MAX_CLOSED_TASKS
from fleet_tui.core.tasks.tries import may_move, may_run_again, started_tries, tries_left
from fleet_tui.core.text import words

MAX_UNSTARTED = 20
"""Attempts in a row that did not start before the task needs a verdict: something is wrong with all
agents."""

RunReport = Definite[Fact] | Unknown


def find_attempt(state: FleetState, run: RunId) -> tuple[Task, Attempt] | None:
    """The task and attempt of a run id, if the state still holds them."""
    task_id, number = split_run_id(run)
    task = state.task(task_id)
    if task is None or not 1 <= number <= len(task.attempts):
        return None
    return task, task.attempts[number - 1]


def learn(state: FleetState, run: RunId, report: RunReport, now_ms: int) -> list[Event]:
    """The events that follow from a report about a run. Reports about runs that are over change
    nothing, except that a late result is attached."""
    found = find_attempt(state, run)
    if found is None:
        return []
    task, attempt = found
    is_open = attempt.phase.is_open
    match report:
        case Unknown(reason=LostReason.CANNOT_CANCEL, detail=detail):
            if not is_open or attempt.cancel_refused is not None:
                return []
            return [AttemptCancelRefused(run=run, detail=detail)]
        case Unknown(reason=reason, detail=detail):
            if not is_open or attempt.phase is AttemptPhase.UNKNOWN:
                return []
            return [AttemptUnknown(run=run, reason=reason, detail=detail)]
        case Definite(value=fact):
            left = _checkpointed(attempt, fact)
            if left is not None:
                task = _with_checkpoint(task, attempt, left.checkpoint)
                attempt = task.attempts[attempt.number - 1]
            if is_open:
                events = _learn_fact(state, task, attempt, fact, now_ms)
                events += verdict_on_agents(state, task, attempt, events, now_ms)
            else:
                events = _late(state, task, attempt, fact, now_ms)
            return events if left is None else [left, *events]
        case _:
            assert_never(report)


def _checkpointed(attempt: Attempt, fact: Fact) -> AttemptCheckpointed | None:
    """A new checkpoint of the run, even if it was given up meanwhile."""
    if not attempt.phase.is_open and attempt.phase is not AttemptPhase.GIVEN_UP:
        return None
    match fact:
        case Running(checkpoint=mark) | Finished(checkpoint=mark) | Died(checkpoint=mark):
            pass
        case Stopped(checkpoint=mark):
            pass
        case Started() | NotStarted():
            return None
        case _:
            assert_never(fact)
    if mark is None or mark == attempt.checkpoint:
        return None
    return AttemptCheckpointed(run=attempt.run_id, checkpoint=mark)


def _with_checkpoint(task: Task, attempt: Attempt, mark: Checkpoint) -> Task:
    """The task as it will be once its checkpoint is folded, to decide about it now."""
    attempts = [replace(a, checkpoint=mark) if a is attempt else a for a in task.attempts]
    return replace(task, attempts=tuple(attempts))


def _learn_fact(
    state: FleetState, task: Task, attempt: Attempt, fact: Fact, now_ms: int
) -> list[Event]:
    run = attempt.run_id
    match fact:
        case Started(boot_id=boot_id):
            if attempt.started_at_ms is not None and attempt.phase is not AttemptPhase.UNKNOWN:
                return []
            return [AttemptStarted(run=run, boot_id=boot_id)]
        case Running(resumed_by_agent=resumed, suspended=suspended):
            events: list[Event] = []
            if not attempt.phase.is_at_work or (resumed and not attempt.resumed_by_agent):
                events.append(AttemptSeen(run=run, resumed_by_agent=resumed))
            if suspended != (attempt.suspended_at_ms is not None):
                events.append(AttemptSuspended(run=run, suspended=suspended))
            return events
        case NotStarted(withdrawn=False) if attempt.started_at_ms is not None:
            # The ledger knows that it started: its host was wiped or restored, and lost the run.
            gone = AttemptDied(run=run, reason="is no longer known to its host")
            return [gone, *_after_death(state, task, attempt, f"its run {gone.reason}", now_ms)]
        case NotStarted(reason=reason, detail=detail, fenced=fenced):
            blame = blame_for(fact, attempt, now_ms)
            event = AttemptNotStarted(
                run=run, reason=reason, detail=detail, fenced=fenced, blame=blame
            )
            blamed = blamed_task(state, task, attempt, reason, blame)
            return [event, *_after_not_started(state, task, attempt, fact, blamed, now_ms)]
        case Finished():
            done = AttemptFinished(
                run=run,
                ok=fact.ok,
                answer=fact.answer,
                usage=fact.usage,
                cost_microusd=cost_of(state, attempt.agent, fact.usage),
                failure=fact.failure,
                detail=fact.detail,
                blame=blame_for(fact, attempt, now_ms),
            )
            blamed = blamed_task(state, task, attempt, fact.failure, done.blame, has_run=True)
            return [done, *_after_finished(state, task, attempt, fact, blamed, now_ms)]
        case Died(reason=reason):
            gone = AttemptDied(run=run, reason=reason)
            why = f"the run on {attempt.agent} is gone: {died_words(reason)}"
            return [gone, *_after_death(state, task, attempt, why, now_ms)]
        case Stopped(usage=usage):
            cost = cost_of(state, attempt.agent, usage)
            stopped = AttemptStopped(run=run, usage=usage, cost_microusd=cost)
            return [stopped, *_after_stopped(state, task, attempt, now_ms)]
        case _:
            assert_never(fact)


def is_unwanted(task: Task, attempt: Attempt) -> bool:
    """Whether a run that was given up has to be stopped: its task continues without it, or is no
    longer wanted. While it awaits a verdict, or the verdict was that it ran, it may end by
    itself."""
    if attempt.run_id != task.attempts[-1].run_id:
        return True
    match task.phase:
        case TaskPhase.NEEDS_OPERATOR | TaskPhase.SUCCEEDED:
            return False
        case (
            TaskPhase.WAITING
            | TaskPhase.ACTIVE
            | TaskPhase.FAILED
            | TaskPhase.CANCELLED
            | TaskPhase.EXPIRED
        ):
            return True
        case _:
            assert_never(task.phase)


def _late(state: FleetState, task: Task, attempt: Attempt, fact: Fact, now_ms: int) -> list[Event]:
    """A report about an attempt that was given up. A result is attached and decides nothing. Proof
    that it never ran, or may run again, makes a verdict unnecessary."""
    given_up = attempt.phase is AttemptPhase.GIVEN_UP
    if attempt.late:
        return []
    if isinstance(fact, Finished) and (given_up or attempt.phase is AttemptPhase.DIED):
        return [
            AttemptLate(
                run=attempt.run_id,
                ok=fact.ok,
                failure=fact.failure,
                detail=fact.detail,
                answer=fact.answer,
                usage=fact.usage,
                cost_microusd=cost_of(state, attempt.agent, fact.usage),
            )
        ]
    says = _late_word(attempt, fact)
    if not given_up or says is None or says is attempt.late_word:
        return []
    usage = fact.usage if isinstance(fact, Stopped) else Usage()
    cost = cost_of(state, attempt.agent, usage)
    told = AttemptTold(run=attempt.run_id, says=says, usage=usage, cost_microusd=cost)
    asked = task.phase is TaskPhase.NEEDS_OPERATOR and task.attempts[-1] is attempt
    again = says is LateWord.NEVER_STARTED or (
        says is LateWord.DIED and may_run_again(task) and tries_left(state, task)
    )
    if not asked or not again:
        return [told]
    reason = f"{attempt.agent} says that it {says.text}"
    return [told, _retrying(state, task, attempt, 1, reason, now_ms)]


def _late_word(attempt: Attempt, fact: Fact) -> LateWord | None:
    match fact:
        case Started() | Running():
            return LateWord.RUNS
        case NotStarted(withdrawn=True):
            return LateWord.NEVER_STARTED
        case NotStarted():
            # A host that no longer knows a run that it reported as started was wiped or restored.
            return None if attempt.started_at_ms is not None else LateWord.NEVER_STARTED
        case Died():
            return LateWord.DIED
        case Stopped():
            return LateWord.STOPPED
        case Finished():
            return None
        case _:
            assert_never(fact)


def _after_not_started(
    state: FleetState,
    task: Task,
    attempt: Attempt,
    fact: NotStarted,
    blamed: TaskBlamed | None,
    now_ms: int,
) -> list[Event]:
    if task.cancel_requested_by is not None:
        return [_cancelled(task)]
    if blamed is not None:
        return [blamed, TaskEnded(task=task.id, phase=TaskPhase.FAILED, reason=blamed.reason)]
    if not fact.retryable:
        reason = not_started_words(fact.reason)
        return [TaskEnded(task=task.id, phase=TaskPhase.FAILED, reason=reason)]
    unstarted = 1 + _unstarted_before(task, attempt)
    if unstarted >= MAX_UNSTARTED:
        reason = f"{unstarted} attempts in a row did not start: {not_started_words(fact.reason)}"
        return [TaskNeedsOperator(task=task.id, reason=reason)]
    reason = f"{attempt.agent} did not start it: {not_started_words(fact.reason)}"
    return [_retrying(state, task, attempt, unstarted, reason, now_ms)]


def _unstarted_before(task: Task, attempt: Attempt) -> int:
    """How many attempts in a row did not start just before this one, since the task was last
    requested."""
    count = 0
    for before in reversed(task.attempts[: attempt.number - 1]):
        asked_since = before.planned_at_ms < task.asked_at_ms or before.run_id == task.judged
        if asked_since or not before.phase.never_started:
            break
        count += 1
    return count


def _after_finished(
    state: FleetState,
    task: Task,
    attempt: Attempt,
    fact: Finished,
    blamed: TaskBlamed | None,
    now_ms: int,
) -> list[Event]:
    if fact.ok:
        by = task.cancel_requested_by
        late = f"the cancel by {by} arrived too late; it had finished" if by else ""
        return [TaskEnded(task=task.id, phase=TaskPhase.SUCCEEDED, reason=late)]
    reason = failed_words(fact.failure)
    if task.cancel_requested_by is not None:
        return [_cancelled(task)]
    if blamed is not None:
        return [blamed, TaskEnded(task=task.id, phase=TaskPhase.FAILED, reason=blamed.reason)]
    policy = state.fleet.retry_policy(task.spec.task_class)
    curable = fact.retryable and fact.failure not in policy.non_retryable
    if curable and may_run_again(task) and tries_left(state, task):
        return [_retrying(state, task, attempt, started_tries(task), reason, now_ms)]
    return [TaskEnded(task=task.id, phase=TaskPhase.FAILED, reason=reason)]


def _after_death(
    state: FleetState, task: Task, attempt: Attempt, reason: str, now_ms: int
) -> list[Event]:
    if task.cancel_requested_by is not None:
        return [_cancelled(task)]
    if not may_run_again(task):
        return [TaskNeedsOperator(task=task.id, reason=f"{reason}; it may have had effects")]
    if not tries_left(state, task):
        return [TaskEnded(task=task.id, phase=TaskPhase.FAILED, reason=reason)]
    return [_retrying(state, task, attempt, started_tries(task), reason, now_ms)]


def _after_stopped(state: FleetState, task: Task, attempt: Attempt, now_ms: int) -> list[Event]:
    if task.cancel_requested_by is not None:
        return [_cancelled(task)]
    match attempt.cancel_cause:
        case CancelCause.OPERATOR:
            return [_cancelled(task)]
        case None:
            # Stopped by someone on its host, or by the host itself: not reported as a cancel, which
            # was not requested.
            elsewhere = f"was stopped on {attempt.agent}, not from here"
            return _after_death(state, task, attempt, elsewhere, now_ms)
        case CancelCause.PREEMPTION:
            return [_retrying(state, task, attempt, 1, "preempted", now_ms)]
        case CancelCause.DEADLINE | CancelCause.HEARTBEAT:
            silent = attempt.cancel_cause is CancelCause.HEARTBEAT
            reason = "fell silent and was stopped" if silent else "timed out and was stopped"
            if may_run_again(task) and tries_left(state, task):
                return [_retrying(state, task, attempt, started_tries(task), reason, now_ms)]
            return [TaskEnded(task=task.id, phase=TaskPhase.FAILED, reason=reason)]
        case _:
            assert_never(attempt.cancel_cause)


def _cancelled(task: Task, doubt: str = "") -> TaskEnded:
    """``doubt`` states why it is unknown whether its run has ended."""
    by = task.cancel_requested_by or "operator"
    reason = f"cancelled by {by}" + (f"; {doubt}" if doubt else "")
    return TaskEnded(task=task.id, phase=TaskPhase.CANCELLED, reason=reason)


def _retrying(
    state: FleetState,
    task: Task,
    attempt: Attempt,
    tries: int,
    reason: str,
    now_ms: int,
    *,
    duplicate_possible: bool = False,
) -> TaskRetrying:
    policy = state.fleet.retry_policy(task.spec.task_class)
    wait = wait_ms(policy, max(tries, 1), attempt.run_id)
    return TaskRetrying(
        task=task.id,
        not_before_ms=now_ms + wait,
        reason=reason,
        duplicate_possible=duplicate_possible,
    )


def cost_of(state: FleetState, agent: AgentName, usage: Usage) -> int:
    """The cost of a run on the agent in microdollars: as reported, else by the agent's token
    prices."""
    if usage.cost_microusd is not None:
        return usage.cost_microusd
    prices = _prices_of(state, agent)
    return (
        usage.input_tokens * prices.input_microusd_per_mtok
        + usage.output_tokens * prices.output_microusd_per_mtok
    ) // 1_000_000


def _prices_of(state: FleetState, name: AgentName) -> Prices:
    """The prices in the fleet file, or in the last one that named an agent that still has runs."""
    spec, agent = state.fleet.agents.get(name), state.agents.get(name)
    if spec is not None:
        return spec.prices
    return agent.prices if agent is not None else Prices()


# The passing of time


def deadlines_of(state: FleetState, task: Task) -> Deadlines:
    """The task's own deadlines, or the fleet's."""
    return task.spec.deadlines or state.fleet.deadlines


KEEP_RUNS_MS = 86_400_000
"""How long a run is kept on its host after its end, for inspection there."""


def collectable(state: FleetState, agent: AgentName, now_ms: int) -> list[RunId]:
    """Runs of an agent that its host may delete, oldest first: those that ended long ago, and those
    that the state is about to forget, because a new engine would not know of them. Not runs that
    were given up and may still be running: only the host knows about those."""
    found: list[RunId] = []
    soon_forgotten = len(state.closed_tasks) - MAX_CLOSED_TASKS // 2
    for place, task in enumerate(state.ended_tasks()):
        ended_at_ms = task.ended_at_ms or now_ms
        if place < soon_forgotten or now_ms - ended_at_ms >= KEEP_RUNS_MS:
            mine = (a for a in task.attempts if a.agent == agent)
            found.extend(a.run_id for a in mine if not a.is_unheard)
    return found


def is_left_over(task: Task, run: RunId) -> bool:
    """Whether a run that a host still holds belongs to the task, is over, and no further report
    about it is expected. For tasks that the state has forgotten; for those it remembers, see
    :func:`collectable`."""
    its = (a for a in task.attempts if a.run_id == run)
    return task.phase.is_closed and any(not (a.phase.is_open or a.is_unheard) for a in its)


LISTEN_FIRST_MS = 60_000
"""How long an engine listens after a start or pause before it gives up runs that were silent
meanwhile: an answer may be on its way, or the loss of a whole pool may yet show."""

ALL_EARS = Ear()


def reconcile_attempts(state: FleetState, now_ms: int, ear: Ear = ALL_EARS) -> list[Event]:
    """The events that are due: expired waits, runs past their deadline or silent for too long,
    unknown runs past ``lost_after``."""
    ear = replace(ear, since_ms=max(ear.since_ms, state.engine.started_at_ms))
    events: list[Event] = []
    for task in state.open_tasks.values():
        match task.phase:
            case TaskPhase.WAITING:
                events.extend(_overdue_wait(state, task, now_ms))
            case TaskPhase.ACTIVE:
                attempt = task.open_attempt
                if attempt is not None:
                    events.extend(_overdue_run(state, task, attempt, ear, now_ms))
            case (
                TaskPhase.NEEDS_OPERATOR
                | TaskPhase.SUCCEEDED
                | TaskPhase.FAILED
                | TaskPhase.CANCELLED
                | TaskPhase.EXPIRED
            ):
                pass
            case _:
                assert_never(task.phase)
    events.extend(reconcile_trials(state, now_ms))
    return events


def _overdue_wait(state: FleetState, task: Task, now_ms: int) -> list[Event]:
    deadlines = deadlines_of(state, task)
    waited = now_ms - task.asked_at_ms
    if deadlines.total_ms is not None and waited >= deadlines.total_ms:
        return [TaskEnded(task=task.id, phase=TaskPhase.EXPIRED, reason="total deadline passed")]
    if _start_is_late(deadlines, task, now_ms):
        reason = "no agent could start it in time"
        return [TaskEnded(task=task.id, phase=TaskPhase.EXPIRED, reason=reason)]
    return []


def _start_is_late(deadlines: Deadlines, task: Task, now_ms: int) -> bool:
    limit = deadlines.schedule_to_start_ms
    if limit is None or now_ms - task.asked_at_ms < limit:
        return False
    return all(
        a.started_at_ms is None for a in task.attempts if a.planned_at_ms >= task.asked_at_ms
    )


def _overdue_run(
    state: FleetState, task: Task, attempt: Attempt, ear: Ear, now_ms: int
) -> list[Event]:
    deadlines = deadlines_of(state, task)
    match attempt.phase:
        case AttemptPhase.PLANNED:
            if _start_is_late(deadlines, task, now_ms):
                return [AttemptCancelling(run=attempt.run_id, cause=CancelCause.DEADLINE)]
        case AttemptPhase.RUNNING:
            if _run_is_over(deadlines, task, attempt, now_ms):
                return [AttemptCancelling(run=attempt.run_id, cause=CancelCause.DEADLINE)]
            limit = deadlines.heartbeat_ms
            if limit is not None and silence_ms(attempt, ear, now_ms) >= limit:
                return [AttemptCancelling(run=attempt.run_id, cause=CancelCause.HEARTBEAT)]
        case AttemptPhase.UNKNOWN:
            return _overdue_unknown(state, task, attempt, ear, now_ms)
        case (
            AttemptPhase.CANCELLING
            | AttemptPhase.NOT_STARTED
            | AttemptPhase.FENCED
            | AttemptPhase.DIED
            | AttemptPhase.GIVEN_UP
            | AttemptPhase.SUCCEEDED
            | AttemptPhase.FAILED
            | AttemptPhase.CANCELLED
            | AttemptPhase.TIMED_OUT
        ):
            pass
        case _:
            assert_never(attempt.phase)
    return []


def _run_is_over(deadlines: Deadlines, task: Task, attempt: Attempt, now_ms: int) -> bool:
    started = attempt.started_at_ms or attempt.planned_at_ms
    if deadlines.start_to_close_ms is not None and now_ms - started >= deadlines.start_to_close_ms:
        return True
    return deadlines.total_ms is not None and now_ms - task.asked_at_ms >= deadlines.total_ms


def _is_gone(state: FleetState, name: AgentName) -> bool:
    """Whether the agent's host reports that its process is not running. Work that may run again is
    then moved without waiting; if the agent comes back and tries to resume, it is fenced."""
    agent = state.agents.get(name)
    return (
        agent is not None
        and agent.health is Health.DOWN
        and agent.failure is FailureKind.GATEWAY_DOWN
    )


def _overdue_unknown(
    state: FleetState, task: Task, attempt: Attempt, ear: Ear, now_ms: int
) -> list[Event]:
    patience = state.fleet.lost_after_ms
    since = attempt.unknown_since_ms
    if since is None or is_braked(state, attempt.agent):
        return []
    if may_move(state, task, attempt) and _is_gone(state, attempt.agent):
        reason = f"{attempt.agent} is down"
    elif (
        patience is not None
        and now_ms - since >= patience
        and now_ms - ear.since_ms >= min(patience, LISTEN_FIRST_MS)
    ):
        span = words.age(silent_since(state, attempt), now_ms)
        reason = f"no sign of life from the run on {attempt.agent} for {span}"
    else:
        return []
    gave_up = AttemptGivenUp(run=attempt.run_id, reason=reason)
    then = after_silence(state, task, attempt)
    if then is AfterSilence.CANCELLED:
        return [gave_up, _cancelled(task, f"{reason}, so it may still run")]
    if then is AfterSilence.JUDGED:
        return [gave_up, TaskNeedsOperator(task=task.id, reason=reason)]
    tries = started_tries(task)
    again = _retrying(state, task, attempt, tries, reason, now_ms, duplicate_possible=True)
    return [gave_up, again]
