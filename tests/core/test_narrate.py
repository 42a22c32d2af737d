"""Each event in one line: how loud it is, what it is about, and whose words stand in it."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.events import (
    AgentCordoned,
    AgentIdentified,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    CanaryEnded,
    CanaryStarted,
    FailoverBraked,
    FailoverResumed,
    HealthChanged,
)
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import ModelTrouble
from fleet_tui.core.alerting.events import AlertAcked, AlertRaised, AlertResolved
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.engine.events import (
    EngineModeChanged,
    EngineStarted,
    EngineStopped,
    EngineTroubled,
    EngineUnitFailed,
    FleetFileJudged,
    FleetLoaded,
    MachinesFound,
)
from fleet_tui.core.fleet import Priority, Strategy
from fleet_tui.core.ids import AgentName, AlertId, Epoch, HostName, PoolName, RunId, Seq, TaskId
from fleet_tui.core.ledger import events as e
from fleet_tui.core.ledger.narrate import log_line, narrate
from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.modes import EngineMode, Trouble
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.routing.decision import Pending, PendingCode, RoutingDecision
from fleet_tui.core.tasks.commands import Verdict
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
    AttemptTroubled,
    AttemptUnknown,
    TaskBlamed,
    TaskCancelRequested,
    TaskDropped,
    TaskEdited,
    TaskEnded,
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
from fleet_tui.core.tasks.evidence import Answer, Checkpoint, LateWord, LostReason, Usage
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, CancelCause, Task, TaskPhase
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from tests.support.fleets import agent, fleet, work

A1, A2 = AgentName("a1"), AgentName("a2")
T7 = TaskId("TASK")
FIRST, SECOND = RunId("TASK.1"), RunId("TASK.2")
SAID = Untrusted("what they said")
DECISION = RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="0", considered=1)


def attempt(run: RunId, number: int, name: AgentName) -> Attempt:
    return Attempt(
        run_id=run,
        number=number,
        agent=name,
        phase=AttemptPhase.RUNNING,
        planned_at_ms=1,
        decision=DECISION,
    )


STATE = replace(
    EMPTY_STATE,
    open_tasks={
        T7: Task(
            id=T7,
            number=7,
            key="k",
            spec=work(),
            by="al",
            submitted_at_ms=1,
            payload_sha256="",
            attempts=(attempt(FIRST, 1, A1), attempt(SECOND, 2, A2)),
        )
    },
)


def about_agent(level: Level, text: str, detail: Untrusted = NOTHING_SAID) -> Sentence:
    return Sentence(level=level, text=text, detail=detail, agent=A1)


def about_fleet(level: Level, text: str, detail: Untrusted = NOTHING_SAID) -> Sentence:
    return Sentence(level=level, text=text, detail=detail)


def about_task(level: Level, text: str, name: AgentName | None = None) -> Sentence:
    return Sentence(level=level, text=f"t-7 {text}", task=T7, agent=name)


def about_run(level: Level, text: str, detail: Untrusted = NOTHING_SAID) -> Sentence:
    whole = f"t-7 attempt 1 on a1 {text}"
    return Sentence(level=level, text=whole, detail=detail, task=T7, agent=A1)


OF_AGENTS: list[tuple[e.Event, Sentence]] = [
    (
        HealthChanged(agent=A1, health=Health.DOWN, was=Health.UP, reason="gone", detail=SAID),
        about_agent(Level.ERROR, "a1 up -> down: gone", SAID),
    ),
    (
        HealthChanged(agent=A1, health=Health.UP, was=Health.DOWN, reason="answers"),
        about_agent(Level.INFO, "a1 down -> up: answers"),
    ),
    (
        AgentIdentified(agent=A1, version="2026\x1b.9" + "x" * 50, boot_id=None),
        about_agent(Level.DEBUG, "a1 runs 2026.9" + "x" * 33),
    ),
    (
        AgentIdentified(agent=A1, version=None, boot_id=None),
        about_agent(Level.DEBUG, "a1 answers"),
    ),
    (
        AgentCordoned(agent=A1, by="al", reason="disk"),
        about_agent(Level.INFO, "a1 cordoned by al: disk"),
    ),
    (AgentCordoned(agent=A1, by="al"), about_agent(Level.INFO, "a1 cordoned by al")),
    (AgentUncordoned(agent=A1, by="al"), about_agent(Level.INFO, "a1 uncordoned by al")),
    (
        AgentTripped(agent=A1, reason="3 in a row", detail=SAID, until_ms=1),
        about_agent(Level.ERROR, "a1 gets no tasks for now: 3 in a row", SAID),
    ),
    (
        AgentTrusted(agent=A1, reason="did one well"),
        about_agent(Level.INFO, "a1 gets tasks again: did one well"),
    ),
    (
        CanaryStarted(agent=A1, run=RunId("canary-a1.9")),
        about_agent(Level.INFO, "a1 is tested with a canary run"),
    ),
    (
        CanaryEnded(agent=A1, run=RunId("canary-a1.9"), ok=True),
        about_agent(Level.INFO, "a canary run on a1 succeeded"),
    ),
    (
        CanaryEnded(
            agent=A1, run=RunId("canary-a1.9"), ok=False, reason="its model failed", detail=SAID
        ),
        about_agent(Level.WARN, "a canary run on a1 failed: its model failed", SAID),
    ),
]

OF_THE_FLEET: list[tuple[e.Event, Sentence]] = [
    (
        FailoverBraked(pool=PoolName("gpu"), reason="3 of 4 lost"),
        about_fleet(Level.ERROR, "failover of gpu stopped: 3 of 4 lost"),
    ),
    (
        FailoverResumed(pool=PoolName("gpu")),
        about_fleet(Level.INFO, "failover of gpu works again"),
    ),
    (
        AlertRaised(alert=AlertId("x"), severity=Severity.CRIT, subject="a1", text="is down"),
        about_fleet(Level.ERROR, "alert: a1 is down"),
    ),
    (
        AlertRaised(alert=AlertId("x"), severity=Severity.WARN, subject="a1", text="is slow"),
        about_fleet(Level.WARN, "alert: a1 is slow"),
    ),
    (AlertResolved(alert=AlertId("x:a1")), about_fleet(Level.INFO, "alert over: x:a1")),
    (
        AlertAcked(alert=AlertId("x:a1"), by="al"),
        about_fleet(Level.INFO, "alert x:a1 acknowledged by al"),
    ),
    (NoteAdded(by="al", text=SAID), about_fleet(Level.INFO, "note by al", SAID)),
    (
        EngineStarted(epoch=Epoch(3), version="1.2", pid=9),
        about_fleet(Level.INFO, "engine 1.2 started, epoch 3"),
    ),
    (EngineStopped(reason="asked"), about_fleet(Level.INFO, "engine stopped: asked")),
    (
        EngineModeChanged(
            mode=EngineMode.FROZEN, was=EngineMode.NORMAL, reason="what they said", by="al"
        ),
        about_fleet(Level.ERROR, "engine mode FROZEN by al", SAID),
    ),
    (
        EngineModeChanged(mode=EngineMode.NORMAL, was=EngineMode.FROZEN, reason=""),
        about_fleet(Level.INFO, "engine mode NORMAL"),
    ),
    (
        EngineUnitFailed(unit="probes", error="KeyError"),
        about_fleet(Level.ERROR, "probes failed (KeyError) and was started again"),
    ),
    (
        EngineTroubled(trouble=Trouble.SLOW_DISK, text="what they said"),
        about_fleet(Level.WARN, "engine trouble: slow-disk", SAID),
    ),
    (
        EngineTroubled(trouble=Trouble.SLOW_DISK),
        about_fleet(Level.INFO, "engine trouble over: slow-disk"),
    ),
    (
        FleetFileJudged(problem="what they said"),
        about_fleet(Level.ERROR, "the fleet file was rejected", SAID),
    ),
    (FleetFileJudged(), about_fleet(Level.INFO, "the fleet file is valid again")),
    (
        FleetLoaded(spec=fleet(agent("a1"), agent("a2"))),
        about_fleet(Level.INFO, "fleet test loaded: 2 agents"),
    ),
    (
        MachinesFound(same={HostName("b"): HostName("a"), HostName("c"): HostName("a")}),
        about_fleet(
            Level.INFO,
            "ssh_config resolves several hosts to one machine, whose gateways share a lane",
            Untrusted("b is a; c is a"),
        ),
    ),
    *(
        (
            MachinesFound(same={HostName(f"b{n}"): HostName("a") for n in range(count)}),
            about_fleet(
                Level.INFO,
                "ssh_config resolves several hosts to one machine, whose gateways share a lane",
                Untrusted(f"b0 is a; b1 is a; b2 is a; b3 is a; b4 is a{more}"),
            ),
        )
        for count, more in ((5, ""), (7, "; and 2 more"))
    ),
    (
        MachinesFound(same={}),
        about_fleet(Level.INFO, "ssh_config no longer resolves two hosts to one machine"),
    ),
    (
        e.UnknownEvent(kind="what they said", body=b"{}"),
        about_fleet(Level.DEBUG, "an event of a kind this version does not know", SAID),
    ),
]

OF_TASKS: list[tuple[e.Event, Sentence]] = [
    (
        TaskSubmitted(
            task=T7, number=7, key="k", spec=work(priority=Priority.P1), by="al", payload_sha256=""
        ),
        about_task(Level.INFO, "submitted by al, P1"),
    ),
    (
        TaskPending(
            task=T7, pending=Pending(code=PendingCode.CAPACITY, since_ms=1, detail="all busy")
        ),
        about_task(Level.INFO, "waits: all busy"),
    ),
    (
        TaskPending(
            task=T7, pending=Pending(code=PendingCode.CAPABILITY, since_ms=1, detail="no gpu")
        ),
        about_task(Level.ERROR, "held: no gpu"),
    ),
    (
        TaskPlaced(task=T7, run=FIRST, number=1, agent=A1, decision=DECISION),
        about_task(Level.INFO, "-> a1 by load-aware", A1),
    ),
    (
        TaskPlaced(
            task=T7,
            run=SECOND,
            number=2,
            agent=A2,
            decision=replace(DECISION, note="retry 2/3 after a1 died"),
        ),
        about_task(Level.WARN, "-> a2 by load-aware, retry 2/3 after a1 died", A2),
    ),
    (
        TaskRetrying(task=T7, not_before_ms=1, reason="it died"),
        about_task(Level.WARN, "queued again: it died"),
    ),
    (
        TaskRetrying(task=T7, not_before_ms=1, reason="it is lost", duplicate_possible=True),
        about_task(Level.WARN, "queued again: it is lost; it may run twice"),
    ),
    (
        TaskBlamed(task=T7, reason="no agent can do it", agents=(A1, A2)),
        about_task(Level.WARN, "itself is at fault, not its agents: no agent can do it"),
    ),
    (
        TaskNeedsOperator(task=T7, reason="nobody knows"),
        about_task(Level.ERROR, "needs an operator: nobody knows"),
    ),
    (
        TaskHeld(task=T7, by="al", reason="not today"),
        about_task(Level.INFO, "held by al: not today"),
    ),
    (TaskHeld(task=T7, by="al"), about_task(Level.INFO, "held by al")),
    (TaskReleased(task=T7, by="al"), about_task(Level.INFO, "released by al")),
    (
        TaskExpedited(task=T7, by="al", reason="the boss"),
        about_task(Level.INFO, "expedited by al: the boss"),
    ),
    (TaskExpedited(task=T7, by="al"), about_task(Level.INFO, "expedited by al")),
    (
        TaskReprioritized(task=T7, priority=Priority.P0, by="al"),
        about_task(Level.INFO, "set to P0 by al"),
    ),
    (
        TaskEdited(task=T7, spec=work(), payload_sha256="", by="al"),
        about_task(Level.INFO, "edited by al"),
    ),
    (
        TaskDropped(task=T7, by="al", reason="not needed"),
        about_task(Level.INFO, "dropped by al: not needed"),
    ),
    (TaskEnded(task=T7, phase=TaskPhase.SUCCEEDED), about_task(Level.INFO, "succeeded")),
    (
        TaskEnded(task=T7, phase=TaskPhase.FAILED, reason="exit-3"),
        about_task(Level.WARN, "failed: exit-3"),
    ),
    (
        TaskResolved(task=T7, verdict=Verdict.RAN, by="al", reason="seen"),
        Sentence(level=Level.INFO, text='t-7: verdict "it ran" by al: seen', task=T7),
    ),
    (
        TaskCancelRequested(task=T7, by="al"),
        Sentence(level=Level.INFO, text="cancel of t-7 requested by al", task=T7),
    ),
]

LATE = "after it was given up"
OF_ATTEMPTS: list[tuple[e.Event, Sentence]] = [
    (AttemptStarted(run=FIRST), about_run(Level.DEBUG, "started")),
    (AttemptSeen(run=FIRST), about_run(Level.INFO, "found running")),
    (
        AttemptSeen(run=FIRST, resumed_by_agent=True),
        about_run(Level.INFO, "resumed by the agent itself"),
    ),
    (
        AttemptSuspended(run=FIRST, suspended=True),
        about_run(Level.WARN, "is suspended on its host (SIGSTOP); SIGCONT resumes it"),
    ),
    (
        AttemptSuspended(run=FIRST, suspended=False),
        about_run(Level.INFO, "resumed after it was suspended"),
    ),
    (
        AttemptNotStarted(run=FIRST, reason="refused", detail=SAID),
        about_run(Level.WARN, "did not start: its agent refused it", SAID),
    ),
    (
        AttemptUnknown(run=FIRST, reason=LostReason.HUNG, detail=SAID),
        about_run(Level.WARN, "unknown: its agent does not answer", SAID),
    ),
    (
        AttemptFinished(
            run=FIRST,
            ok=True,
            usage=Usage(input_tokens=40, output_tokens=2),
            cost_microusd=50_000_080,
            detail=SAID,
        ),
        about_run(Level.INFO, "finished, 42 tokens, $50.0001", SAID),
    ),
    (
        AttemptFinished(run=FIRST, ok=True, usage=Usage(input_tokens=7, unusable=True)),
        about_run(Level.INFO, "finished, 7 tokens, ?"),
    ),
    (
        AttemptFinished(run=FIRST, ok=True, answer=Answer(lost=True)),
        about_run(Level.WARN, "finished, 0 tokens, $0.0000, its output lost"),
    ),
    (
        AttemptFinished(run=FIRST, ok=False, failure="exit-3", answer=Answer(lost=True)),
        about_run(Level.ERROR, "failed: exit-3, its output lost"),
    ),
    (
        AttemptCheckpointed(run=FIRST, checkpoint=Checkpoint(text=SAID, sha256="")),
        about_run(Level.DEBUG, "left a checkpoint"),
    ),
    (AttemptDied(run=FIRST, reason="no process"), about_run(Level.ERROR, "died: no process")),
    (
        AttemptCancelling(run=FIRST, cause=CancelCause.DEADLINE),
        about_run(Level.INFO, "asked to stop (deadline)"),
    ),
    (
        AttemptCancelRefused(run=FIRST, detail=SAID),
        about_run(Level.WARN, "cannot be cancelled while its agent drains; it keeps running", SAID),
    ),
    (
        AttemptTroubled(run=FIRST, trouble=ModelTrouble(reason="rate limit", attempt=4)),
        about_run(Level.WARN, "gets no answer, model: rate limit, try 4"),
    ),
    (AttemptTroubled(run=FIRST), about_run(Level.INFO, "its model answers again")),
    (AttemptStopped(run=FIRST), about_run(Level.INFO, "stopped")),
    (AttemptGivenUp(run=FIRST, reason="lost"), about_run(Level.ERROR, "given up: lost")),
    (
        AttemptLate(run=FIRST, ok=True, detail=SAID),
        about_run(Level.WARN, f"ended well {LATE}", SAID),
    ),
    (
        AttemptLate(run=FIRST, ok=False, failure="exit-3"),
        about_run(Level.WARN, f"failed (exit-3) {LATE}"),
    ),
    (
        AttemptLate(run=FIRST, ok=False),
        about_run(Level.WARN, f"failed (no reason was given) {LATE}"),
    ),
    (
        AttemptTold(run=FIRST, says=LateWord.DIED),
        about_run(Level.WARN, "was given up; its agent says that it died"),
    ),
]
ALL = [*OF_AGENTS, *OF_THE_FLEET, *OF_TASKS, *OF_ATTEMPTS]


@pytest.mark.parametrize(("event", "sentence"), ALL, ids=lambda each: type(each).__name__)
def test_an_event_is_told_in_one_line(event: e.Event, sentence: Sentence) -> None:
    assert narrate(event, STATE) == sentence


def test_every_kind_of_event_is_in_the_table() -> None:
    told = {type(event) for event, _ in ALL} | {e.SegmentOpened}
    assert told == set(e.Event.__args__)


def test_the_beginning_of_a_segment_says_nothing() -> None:
    opened = e.SegmentOpened(state=EMPTY_STATE)
    assert narrate(opened, STATE) is None
    assert log_line(e.Recorded(Seq(1), 5, Epoch(1), opened), STATE) is None


@pytest.mark.parametrize(
    ("run", "name"),
    [("TASK.1", A1), ("TASK.2", A2), ("TASK.0", None), ("TASK.3", None), ("OTHER.1", None)],
)
def test_the_agent_is_the_one_of_that_attempt(run: str, name: AgentName | None) -> None:
    found = narrate(AttemptStarted(run=RunId(run)), STATE)
    task, _, number = run.partition(".")
    assert found is not None
    assert found.agent == name
    label = "t-7" if task == T7 else task
    assert found.text == f"{label} attempt {number} on {name or '?'} started"


@pytest.mark.parametrize(
    ("event", "text", "task"),
    [
        (AttemptDied(run=FIRST, reason="no process"), "t-7 attempt 1 on a1 died: no process", T7),
        (
            AttemptUnknown(run=FIRST, reason=LostReason.HUNG, detail=SAID),
            "t-7 attempt 1 on a1 unknown: its agent does not answer: what they said",
            T7,
        ),
        (NoteAdded(by="al", text=SAID), "note by al: what they said", None),
    ],
)
def test_a_line_of_log_is_the_fleet_s_own_and_stays_untrusted(
    event: e.Event, text: str, task: TaskId | None
) -> None:
    found = narrate(event, STATE)
    assert found is not None
    assert log_line(e.Recorded(Seq(1), 5, Epoch(1), event), STATE) == LogLine(
        received_at_ms=5, source=None, level=found.level, text=Untrusted(text), task=task
    )
