"""A small fleet in the middle of its work, and what it is after a fact."""

import msgspec
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import Breaker, Strike
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.fleet import Priority, Strategy
from fleet_tui.core.ids import AgentName, AlertId, Epoch, PoolName, RunId, Seq, TaskId
from fleet_tui.core.ledger import events as e
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import FleetState, Totals
from fleet_tui.core.modes import EngineState, Trouble
from fleet_tui.core.notes.model import Note
from fleet_tui.core.routing.decision import Candidate, Pending, PendingCode, RoutingDecision
from fleet_tui.core.tasks.evidence import Usage
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Starts, Task, TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work

A1, A2, GONE = AgentName("a1"), AgentName("a2"), AgentName("gone")
GENERAL, GPU = PoolName("general"), PoolName("gpu")
THEN_MS, NOW_MS = 40_000, 50_000
WAITS, RUNS, DEAD, NEW = TaskId("WAITS"), TaskId("RUNS"), TaskId("DEAD"), TaskId("NEW")
SAID = Untrusted("what somebody says")
USAGE = Usage(input_tokens=5, output_tokens=7)

SPEC = fleet(agent("a1"), agent("a2", pool="gpu"))
CHOSEN = RoutingDecision(
    strategy=Strategy.LOAD_AWARE,
    policy="p",
    considered=2,
    fitting=1,
    candidates=(Candidate(agent=A1, score=1.0),),
    pool=GENERAL,
)
NOBODY = RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="p", considered=2, pool=GENERAL)


def attempt(task: TaskId, number: int, phase: AttemptPhase, planned_at_ms: int) -> Attempt:
    return Attempt(
        run_id=RunId(f"{task}.{number}"),
        number=number,
        agent=A1,
        phase=phase,
        planned_at_ms=planned_at_ms,
        started_at_ms=planned_at_ms + 1,
        decision=CHOSEN,
        epoch=Epoch(3),
    )


def task(name: TaskId, number: int, phase: TaskPhase, *attempts: Attempt) -> Task:
    return Task(
        id=name,
        number=number,
        key=f"key-{number}",
        spec=work(f"do {number}"),
        by="me",
        submitted_at_ms=1_000,
        payload_sha256=f"sha-{number}",
        phase=phase,
        attempts=attempts,
    )


WAITING = replace(
    task(WAITS, 1, TaskPhase.WAITING), pending=Pending(code=PendingCode.NEW, since_ms=1_000)
)
RUNNING = task(
    RUNS,
    2,
    TaskPhase.ACTIVE,
    attempt(RUNS, 1, AttemptPhase.GIVEN_UP, 10_000),
    attempt(RUNS, 2, AttemptPhase.RUNNING, 20_000),
)
FAILED = replace(
    task(DEAD, 3, TaskPhase.FAILED, attempt(DEAD, 1, AttemptPhase.FAILED, 30_000)),
    reason="no",
    ended_at_ms=35_000,
    cancel_requested_by="me",
)
RUN = RUNNING.attempts[1].run_id
STRIKE = Strike(run=RunId("DEAD.1"), task=DEAD, at_ms=35_000, harmless=False)
BREAKER = Breaker(since_ms=36_000, until_ms=60_000, harmless=False, reason="x", hit=(DEAD,))
AT_WORK = AgentState(
    name=A1,
    health=Health.UP,
    since_ms=2_000,
    reason="answers",
    runs=frozenset({RUN}),
    failed=1,
    cost_microusd=100,
    tokens=10,
    was_up=True,
)
STRUCK = AgentState(
    name=A2,
    health=Health.SUSPECT,
    since_ms=3_000,
    failed=2,
    strikes=(STRIKE,),
    breaker=BREAKER,
    failure=FailureKind.TIMEOUT,
)
ALERT = Alert(
    id=AlertId("held:tasks"),
    severity=Severity.WARN,
    subject="queue",
    text="no agent can take some tasks",
    detail=SAID,
    raised_at_ms=30_000,
    acked_by="me",
)
TOTALS = Totals(
    submitted=3,
    succeeded=11,
    failed=21,
    cancelled=31,
    expired=41,
    dropped=51,
    attempts=61,
    decisions=71,
    cost_microusd=1_000,
    tokens=100,
)
BEFORE = FleetState(
    seq=Seq(7),
    at_ms=THEN_MS,
    engine=EngineState(
        epoch=Epoch(3),
        version="1",
        pid=10,
        started_at_ms=100,
        stopped_at_ms=None,
        file_problem="a1 has no host",
        troubles={Trouble.SLOW_DISK: "the disk is slow"},
    ),
    fleet=SPEC,
    agents={A1: AT_WORK, A2: STRUCK},
    open_tasks={WAITS: WAITING, RUNS: RUNNING},
    dead_letters={DEAD: FAILED},
    open_by_priority={Priority.P2: 2},
    recent_starts=(Starts(20, first=1),),
    turns={GPU: A2},
    alerts={ALERT.id: ALERT},
    braked_pools={GPU: "too many lost"},
    notes=(Note(at_ms=5, by="me", text=SAID),),
    totals=TOTALS,
    unknown_events=4,
)


def after(*events: e.Event, state: FleetState = BEFORE) -> FleetState:
    """The state after facts that are recorded now, one after the other."""
    rows = [e.Recorded(Seq(state.seq + 1 + n), NOW_MS, Epoch(9), x) for n, x in enumerate(events)]
    held = msgspec.json.encode(state)
    told = fold(state, rows)
    assert msgspec.json.encode(state) == held, "a state that somebody holds stays what it was"
    return told


def but(**changes: object) -> FleetState:
    """The state as it was but for one fact more, and these."""
    return replace(BEFORE, seq=Seq(8), at_ms=NOW_MS, **changes)


def with_agent(changed: AgentState, **changes: object) -> FleetState:
    return but(agents={**BEFORE.agents, changed.name: changed}, **changes)


def with_task(changed: Task, **changes: object) -> FleetState:
    """The open tasks with this one as it is now."""
    return but(open_tasks={**BEFORE.open_tasks, changed.id: changed}, **changes)
