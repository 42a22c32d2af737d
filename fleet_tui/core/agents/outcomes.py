"""The breaker: what the outcomes of runs show about agents.

Probes show whether an agent answers; only its runs show whether it can work. An agent that refuses
runs, or fails them by its own fault, BREAK_AFTER times in a row gets no tasks for a while. Then it
is tried: if the trial succeeds, it is trusted again; otherwise the wait grows.

The trial is a canary run where the fleet file allows it (:mod:`fleet_tui.core.agents.canary`),
unless the agent failed its work right after such a run. Otherwise it is one task that is let
through. Where runs failed, it must be a task that may run again: any other would fail for good.
Where there is none, the agent stays out until an operator uncordons it.

The task itself can be at fault. A task that several agents refused in the same way, while they do
other work or are all there are, is to blame: it fails with that reason, and no agent is blamed for
it.
"""

from collections.abc import Sequence
from typing import NamedTuple, assert_never

from fleet_tui.core.agents.breaker import SETTLED_CAP_MS, SETTLED_MS, Breaker, Strike
from fleet_tui.core.agents.events import AgentTripped, AgentTrusted, HealthChanged
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.backoff import Backoff
from fleet_tui.core.fleet import FleetSpec, TaskClass
from fleet_tui.core.ids import AgentName, RunId, TaskId, split_run_id
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.requirement import Roster, requirement_of
from fleet_tui.core.tasks.codes import (
    FAILURE_KINDS,
    FailedCode,
    NotStartedCode,
    failed_words,
    not_started_words,
)
from fleet_tui.core.tasks.events import (
    AboutAttempt,
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
    AttemptTroubled,
    AttemptUnknown,
    TaskBlamed,
)
from fleet_tui.core.tasks.evidence import Blame, Finished, LostReason, NotStarted
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task
from fleet_tui.core.text import words
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

BREAK_AFTER = 3
"""Failures in a row that open the breaker."""

STRIKE_WINDOW_MS = 600_000
"""Older failures do not count."""

INSTANT_MS = 5_000
"""A run that ends in errors within this time after its start was not worked on."""

BREAK = Backoff(base_ms=15_000, cap_ms=300_000)
"""Wait before the first trial, and the longest; each failed trial doubles it."""

AGREEING = 3
"""When this many agents that do other work refuse one task in the same way, the task is to
blame."""

ALONE_TRIES = 3
"""The only agent for a task, if it does other work meanwhile, proves it by refusing this often."""


def blame_for(fact: NotStarted | Finished, attempt: Attempt, now_ms: int) -> Blame:
    """Who is to blame that the attempt did not start, or failed."""
    match fact:
        case NotStarted():
            return blame_for_refusal(fact)
        case Finished(ok=True):
            return Blame.NOBODY
        case Finished(failure=failure):
            since = attempt.started_at_ms or attempt.planned_at_ms
            is_fault = _is_fault(failure, at_once=now_ms - since < INSTANT_MS)
            return Blame.AGENT if is_fault else Blame.NOBODY
        case _:
            assert_never(fact)


def blame_for_refusal(fact: NotStarted) -> Blame:
    """Who is to blame that a run did not start."""
    if not fact.retryable:
        return Blame.TASK
    passing = fact.fenced or fact.passing or fact.reason in _PASSING
    return Blame.NOBODY if passing else Blame.AGENT


def _is_fault(failure: str, *, at_once: bool) -> bool:
    """Whether a run failed by its agent's fault. An exit status of a program, or a gateway's own
    failure code, is about the task."""
    match FailedCode(failure) if failure in FAILURE_KINDS else None:
        case FailedCode.COMMAND_MISSING | FailedCode.COMMAND_NOT_EXECUTABLE:
            return True
        case FailedCode.MODEL_ERROR:  # a gateway asks it again for minutes before it says so
            return True
        case FailedCode.AGENT_ERROR:  # at once: nothing was worked on
            return at_once
        case FailedCode.TEXT_LOST | FailedCode.TIMEOUT | None:
            return False


_FAULTS = frozenset(
    (
        *(code.value for code in NotStartedCode if code.is_of_agent),
        *(kind.value for kind in FailureKind if kind.is_fault),
    )
)
_PASSING = frozenset(code.value for code in (*NotStartedCode, *FailureKind, *LostReason)) - _FAULTS
"""Reasons for not starting that are not the agent's fault: it was not reached, or probes show
it."""


# Whether the task is to blame


def blamed_task(
    state: FleetState,
    task: Task,
    attempt: Attempt,
    reason: str,
    blame: Blame,
    *,
    has_run: bool = False,
) -> TaskBlamed | None:
    """Blames the task itself if that is why agents refuse or fail it, the attempt that ends now
    included; None where the agents may be to blame. Failed runs are the task's fault only where
    agents did other work meanwhile: a model that is down fails everything on all of them."""
    if blame is not Blame.AGENT:
        return None
    before = [
        a for a in task.attempts if _refused(a, reason) and a.planned_at_ms >= task.asked_at_ms
    ]
    tries = [*before, attempt]
    refusers = tuple(dict.fromkeys(a.agent for a in tries))
    known = [agent for name in refusers if (agent := state.agents.get(name)) is not None]
    since_ms = tries[0].planned_at_ms if has_run else 0
    working = [agent for agent in known if _works(agent, since_ms)]
    if has_run and len(working) < len(known):
        return None
    if len(working) < AGREEING and not _all_refused(state, task, tries, known):
        return None
    return TaskBlamed(task=task.id, reason=_why_blamed(refusers, reason), agents=refusers)


def _works(agent: AgentState, since_ms: int) -> bool:
    """Whether a task succeeded on it since that instant; 0 means ever."""
    if not since_ms:
        return agent.succeeded > 0
    return agent.did_well_at_ms is not None and agent.did_well_at_ms > since_ms


def _why_blamed(refusers: tuple[AgentName, ...], reason: str) -> str:
    why = _in_words(reason)
    if len(refusers) == 1:
        said = f"the only eligible agent, completes other tasks and refuses this one: {why}"
        return f"{refusers[0]}, {said}"
    named = ", ".join(refusers[:AGREEING])
    more = f" and {len(refusers) - AGREEING} more" if len(refusers) > AGREEING else ""
    return f"{named}{more} refused it in the same way: {why}"


def _in_words(code: str) -> str:
    """Why a run did not start, or failed, by its agent's fault; an exit status is not."""
    return failed_words(code) if code in FAILURE_KINDS else not_started_words(code)


def _refused(attempt: Attempt, reason: str) -> bool:
    return attempt.blame is Blame.AGENT and attempt.reason == reason


def _all_refused(
    state: FleetState, task: Task, tries: list[Attempt], refusers: list[AgentState]
) -> bool:
    """Whether every agent that the fleet file allows refused it, and none of them is in doubt."""
    names = {agent.name for agent in refusers}
    if len(names) == 1:
        (alone,) = refusers
        first_ms = tries[0].planned_at_ms
        works = alone.did_well_at_ms is not None and alone.did_well_at_ms > first_ms
        sure = works and len(tries) >= ALONE_TRIES
    else:
        sure = all(a.succeeded or all(s.task == task.id for s in a.strikes) for a in refusers)
    return sure and _allowed(state.fleet, task) <= names


def _allowed(fleet: FleetSpec, task: Task) -> frozenset[AgentName]:
    resumes = task.spec.task_class is TaskClass.RESUMABLE and task.checkpoint is not None
    wanted = requirement_of(fleet, task.spec, goes_on=resumes)
    return frozenset(spec.name for spec in Roster(fleet).eligible(wanted).agents)


# Consequences for the agents


def verdict_on_agents(
    state: FleetState, task: Task, attempt: Attempt, events: Sequence[Event], now_ms: int
) -> list[Event]:
    """What newly learned events of an open attempt show about agents. ``state`` is the one before
    them."""
    agent = state.agents.get(attempt.agent)
    if agent is None:
        return []
    found: list[Event] = []
    for event in events:
        if isinstance(event, TaskBlamed):
            return _after_blame(state, event, attempt, now_ms)
        if not isinstance(event, AboutAttempt):
            continue
        match event:
            case AttemptStarted() | AttemptSeen():
                found.extend(_after_start(agent, attempt))
            case AttemptFinished(ok=True):
                if _is_on_trial(agent, attempt):
                    found.extend(trust(agent, "it completed a task again"))
            case AttemptNotStarted(reason=reason, detail=detail, blame=blame):
                end = _End(attempt, True, blame, reason, detail)
                found.extend(_after_end(state, task, agent, end, now_ms))
            case AttemptFinished(failure=reason, detail=detail, blame=blame):
                end = _End(attempt, False, blame, reason, detail)
                found.extend(_after_end(state, task, agent, end, now_ms))
            case AttemptDied() | AttemptStopped():
                end = _End(attempt, harmless=False)
                found.extend(_after_end(state, task, agent, end, now_ms))
            case (
                AttemptTroubled()
                | AttemptSuspended()
                | AttemptCheckpointed()
                | AttemptCancelling()
                | AttemptCancelRefused()
            ):
                pass  # it is not over
            case AttemptUnknown() | AttemptGivenUp() | AttemptLate() | AttemptTold():
                pass  # whether its agent did well was not learned in time
            case _:
                assert_never(event)
    return found


class _End(NamedTuple):
    """How an unsuccessful run ended."""

    attempt: Attempt
    harmless: bool
    blame: Blame = Blame.NOBODY
    reason: str = ""
    """Shown, like ``detail``, where the agent is to blame."""
    detail: Untrusted = NOTHING_SAID


def _after_start(agent: AgentState, attempt: Attempt) -> list[Event]:
    """An agent that only refused starts is trusted once its trial starts."""
    only_refused = agent.breaker is not None and agent.breaker.harmless
    if not only_refused or not _is_on_trial(agent, attempt):
        return []
    return trust(agent, "it started a task again")


def _after_blame(
    state: FleetState, blamed: TaskBlamed, attempt: Attempt, now_ms: int
) -> list[Event]:
    """Agents that are out of routing because of that task alone come back. For others a trial with
    it is no evidence."""
    events: list[Event] = []
    for agent in (state.agents.get(name) for name in blamed.agents):
        if agent is None or agent.breaker is None:
            continue
        if sum(s.task != blamed.task for s in agent.strikes) < BREAK_AFTER:
            events.extend(trust(agent, "the task that it refused was at fault"))
        elif _is_on_trial(agent, attempt):
            tried = Tried(attempt.run_id, _began_ms(attempt), harmless=True)
            events.append(_tripped_again(agent.breaker, agent, tried, now_ms))
    return events


def _after_end(
    state: FleetState, task: Task, agent: AgentState, end: _End, now_ms: int
) -> list[Event]:
    if agent.breaker is not None:
        if agent.breaker.trial != end.attempt.run_id:
            return []  # it began before anybody knew
        tried = Tried(
            end.attempt.run_id,
            _began_ms(end.attempt),
            harmless=end.harmless,
            failed=_in_words(end.reason) if end.blame is Blame.AGENT else "",
            detail=end.detail,
            tasks=(task.id,),
        )
        return still_distrusted(agent.breaker, agent, tried, now_ms)
    if end.blame is not Blame.AGENT:
        return []
    probation = agent.on_probation(now_ms)
    if probation is not None and end.attempt.planned_at_ms < probation.since_ms:
        return []  # it began before the canary run went well
    strike = Strike(
        run=end.attempt.run_id,
        task=task.id,
        at_ms=now_ms,
        harmless=end.harmless,
        took_ms=now_ms - _began_ms(end.attempt),
    )
    counted = _counted(state, agent, [*agent.strikes, strike], now_ms)
    harmless = all(s.harmless for s in counted) and (probation is None or probation.harmless)
    enough = BREAK_AFTER if probation is None else 1
    if len(counted) < enough or (harmless and _must_stay(state, agent)):
        return []
    verb = "did not start" if end.harmless and harmless else "failed"
    which = f"{words.plural(len(counted), 'run')} in a row"
    if probation is not None:
        which = "after a successful canary run, its work"
    why = f"{which} {verb}: {_in_words(end.reason)}"
    tripped = AgentTripped(
        agent=agent.name,
        reason=why,
        detail=end.detail,
        until_ms=now_ms + BREAK.ceiling_ms(1),
        harmless=harmless,
        tasks=tuple(dict.fromkeys(s.task for s in counted)),
        settled_ms=_settled_ms(SETTLED_MS, max(s.took_ms for s in counted)),
        relapsed=probation is not None,
    )
    return [tripped, *_suspect(agent, why, end.detail)]


class Tried(NamedTuple):
    """An unsuccessful trial of an agent."""

    run: RunId
    began_ms: int
    harmless: bool
    """Whether the run never started."""
    failed: str = ""
    """Why the agent is to blame, in our own words; empty where the trial is no evidence about
    it."""
    detail: Untrusted = NOTHING_SAID
    """In the agent's words."""
    tasks: tuple[TaskId, ...] = ()
    """The task of the run; none for a canary run."""
    has_cost: bool = False
    """Whether model usage was paid for: the next wait is longer, whoever is to blame."""


def still_distrusted(breaker: Breaker, agent: AgentState, tried: Tried, now_ms: int) -> list[Event]:
    """The agent was tried and stays out of routing."""
    again = _tripped_again(breaker, agent, tried, now_ms)
    return [again, *_suspect(agent, again.reason, again.detail)]


def _tripped_again(breaker: Breaker, agent: AgentState, tried: Tried, now_ms: int) -> AgentTripped:
    """Where the agent is not to blame and nothing was paid for, the wait stays as it was."""
    is_to_blame = bool(tried.failed)
    opens = breaker.opens + (is_to_blame or tried.has_cost)
    took_ms = now_ms - tried.began_ms
    trials = words.plural(opens - 1, "trial")
    return AgentTripped(
        agent=agent.name,
        reason=f"its work failed, and {trials} since: {tried.failed}"
        if is_to_blame
        else breaker.reason,
        detail=tried.detail if is_to_blame else breaker.detail,
        until_ms=now_ms + BREAK.ceiling_ms(opens),
        opens=opens,
        harmless=breaker.harmless and tried.harmless,
        tasks=tried.tasks if is_to_blame else (),
        settled_ms=_settled_ms(breaker.settled_ms, took_ms) if is_to_blame else breaker.settled_ms,
        relapsed=breaker.relapsed,
    )


def _began_ms(attempt: Attempt) -> int:
    return attempt.started_at_ms or attempt.planned_at_ms


def _settled_ms(known_ms: int, took_ms: int) -> int:
    """How long a trial has to last, given how long the failures took: a gateway that keeps retrying
    its model appears to work meanwhile."""
    return min(max(known_ms, 2 * took_ms), SETTLED_CAP_MS)


def _counted(
    state: FleetState, agent: AgentState, strikes: list[Strike], now_ms: int
) -> list[Strike]:
    """The strikes that count against the agent. One that does work is not blamed for a task that
    others refuse too."""
    recent = [s for s in strikes if now_ms - s.at_ms <= STRIKE_WINDOW_MS]
    if not agent.succeeded:
        return recent
    return [s for s in recent if not _refused_elsewhere(state, agent, s)]


def _refused_elsewhere(state: FleetState, agent: AgentState, strike: Strike) -> bool:
    task = state.task(strike.task)
    if task is None:
        return False
    return any(a.blame is Blame.AGENT and a.agent != agent.name for a in task.attempts)


def _must_stay(state: FleetState, agent: AgentState) -> bool:
    """Whether an agent that only refuses stays in routing: it does other work, and so many of its
    pool are out that the tasks may be to blame. Agents must remain in routing to prove that."""
    spec = state.fleet.agents.get(agent.name)
    if spec is None or not agent.succeeded:
        return False
    pool = [a.name for a in state.fleet.agents.values() if a.pool == spec.pool]
    out = sum(
        (other := state.agents.get(name)) is not None and other.breaker is not None for name in pool
    )
    return len(pool) > 1 and 2 * (out + 1) > len(pool)


def _suspect(agent: AgentState, why: str, detail: Untrusted) -> list[Event]:
    suspect = agent.health is Health.SUSPECT and agent.failure is None
    if not (agent.health.takes_work or suspect) or (suspect and agent.reason == why):
        return []
    return [
        HealthChanged(
            agent=agent.name, health=Health.SUSPECT, was=agent.health, reason=why, detail=detail
        )
    ]


def reconcile_trials(state: FleetState, now_ms: int) -> list[Event]:
    """Trust agents whose trial run has lasted longer than the failures took."""
    events: list[Event] = []
    for agent in state.agents.values():
        breaker = agent.breaker
        run = breaker.trial if breaker is not None else None
        if breaker is None or run is None:
            continue
        task_id, number = split_run_id(run)
        task = state.task(task_id)
        attempt = task.attempts[number - 1] if task is not None else None
        if attempt is None or attempt.phase is not AttemptPhase.RUNNING:
            continue
        if now_ms - (attempt.started_at_ms or now_ms) >= breaker.settled_ms:
            runs_ms = breaker.settled_ms
            events.extend(trust(agent, f"a task runs on it for {words.duration(runs_ms)}"))
    return events


def _is_on_trial(agent: AgentState | None, attempt: Attempt) -> bool:
    breaker = agent.breaker if agent is not None else None
    return breaker is not None and breaker.trial == attempt.run_id


def trust(agent: AgentState, reason: str, *, by: str = "", by_canary: bool = False) -> list[Event]:
    """The agent's breaker closes, and it is up unless something else prevents that."""
    events: list[Event] = [
        AgentTrusted(agent=agent.name, reason=reason, by=by, by_canary=by_canary)
    ]
    if agent.health is Health.SUSPECT and agent.failure is None:
        back = HealthChanged(agent=agent.name, health=Health.UP, was=agent.health, reason=reason)
        events.append(back)
    return events
