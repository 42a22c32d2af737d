"""The scene of the console's tests: twenty agents at one instant, always the same.

agent-14 is down for 3m04s, agent-06 is slow, agent-18 drains, 128 tasks wait, one task needs an
operator, three alerts are open.
"""

import random
from datetime import UTC, datetime

import msgspec

from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult, VitalsReading
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.fleet import (
    AgentSpec,
    FleetSpec,
    HostSpec,
    OpenClawAgent,
    PoolSpec,
    Prices,
    Priority,
    ResidencyRule,
    Strategy,
    TaskClass,
)
from fleet_tui.core.ids import (
    AgentName,
    AlertId,
    Capability,
    ClientName,
    Epoch,
    HostName,
    PoolName,
    Region,
    RunId,
    Seq,
    TaskId,
)
from fleet_tui.core.ledger.state import FleetState, Totals
from fleet_tui.core.modes import EngineState
from fleet_tui.core.notes.model import Note
from fleet_tui.core.routing.decision import (
    Candidate,
    Pending,
    PendingCode,
    Rejection,
    RoutingDecision,
    Rule,
    ScoreTerm,
)
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.tasks.evidence import Usage
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task, TaskPhase, TaskSpec
from fleet_tui.core.text.untrusted import Untrusted

NOW_MS = int(datetime(2026, 3, 5, 12, 4, 31, 400_000, tzinfo=UTC).timestamp() * 1_000)

GENERAL, GPU, BROWSE = PoolName("general"), PoolName("gpu"), PoolName("browse")
EU, US = Region("eu-w1"), Region("us-e1")

_POOL_OF = [GENERAL] * 11 + [GPU] * 4 + [BROWSE] * 5
_US = {1, 6, 8, 11, 13, 14, 16}
_USED = [2, 1, 2, 3, 3, 3, 2, 1, 3, 3, 3, 4, 1, 0, 1, 1, 4, 2, 2, 3]
_QUEUED = [6, 1, 9, 6, 1, 7, 3, 1, 5, 7, 6, 0, 2, 0, 2, 2, 8, 0, 8, 5]
_CPU = [42, 13, 33, 27, 11, 45, 39, 29, 45, 54, 68, 55, 64, 0, 8, 44, 14, 15, 9, 15]
_MEM = [26, 55, 23, 55, 59, 79, 76, 29, 71, 64, 49, 35, 28, 0, 51, 40, 50, 41, 24, 74]
_SEEN_S = [3, 4, 2, 2, 2, 4, 3, 4, 4, 3, 3, 4, 4, 184, 5, 2, 4, 5, 2, 4]
_CENTS_H = [27, 12, 11, 13, 25, 21, 32, 23, 12, 29, 15, 22, 36, 39, 15, 31, 12, 12, 28, 40]
_P95_MS = [1600, 1200, 2100, 700, 1400, 6400, 500, 1300, 1700, 1700]
_P95_MS += [2000, 800, 1200, 900, 700, 1200, 1100, 900, 600, 1500]

TOKEN = "secret:env:FLEET_TOKEN"


def agent_name(number: int) -> AgentName:
    """``agent-07``."""
    return AgentName(f"agent-{number:02d}")


def task_id(number: int) -> TaskId:
    """A task id that tells its number."""
    return TaskId(f"01KMOCK{number:019d}")


def seeded_fleet() -> FleetSpec:
    """Twenty agents in three pools and two regions, two isolated clients, one residency rule."""
    agents: dict[AgentName, AgentSpec] = {}
    hosts: dict[HostName, HostSpec] = {}
    for index, pool in enumerate(_POOL_OF):
        number = index + 1
        host = HostName(f"host-{number:02d}")
        hosts[host] = HostSpec(name=host, address=f"10.0.0.{number}")
        capabilities = {Capability("text")}
        if pool == GPU:
            capabilities.add(Capability("gpu"))
        if pool == BROWSE:
            capabilities.add(Capability("browser"))
        clients: tuple[ClientName, ...] = ()
        if number in (2, 3, 9, 12, 17, 20):
            clients = (ClientName("acme"),)
        elif number in (5, 10, 15, 19):
            clients = (ClientName("globex"),)
        agents[agent_name(number)] = AgentSpec(
            name=agent_name(number),
            pool=pool,
            kind=OpenClawAgent(port=18789, token=TOKEN),
            host=host,
            region=US if number in _US else EU,
            capabilities=frozenset(capabilities),
            clients=clients,
            slots=4,
            prices=Prices(per_hour_microusd=_CENTS_H[index] * 10_000),
        )
    return FleetSpec(
        name="prod",
        hosts=hosts,
        pools={
            GENERAL: PoolSpec(name=GENERAL, strategy=Strategy.LOAD_AWARE),
            GPU: PoolSpec(name=GPU, strategy=Strategy.ROUND_ROBIN, min_up_percent=60),
            BROWSE: PoolSpec(name=BROWSE, strategy=Strategy.CAPABILITY),
        },
        agents=agents,
        residency=(ResidencyRule(regions=(EU,), client=ClientName("globex"), line=41),),
        source="fleet.yaml",
        digest="9f2c51d07ab34e86" * 4,
    )


def _decision(agent: AgentName, score: float, *, note: str = "", pool: PoolName) -> RoutingDecision:
    second = agent_name(9) if agent != agent_name(9) else agent_name(3)
    return RoutingDecision(
        strategy=Strategy.LOAD_AWARE,
        policy="9f2c51d07ab3",
        considered=20,
        rejections=(
            Rejection(
                rule=Rule.STATE,
                wanted="in service",
                count=2,
                left=18,
                agents=(agent_name(14), agent_name(18)),
                example="agent-14 is down",
            ),
            Rejection(rule=Rule.SLOTS, wanted="1 slot", count=9, left=9),
        ),
        fitting=9,
        candidates=(
            Candidate(
                agent=agent,
                score=score,
                terms=(
                    ScoreTerm("load", round(score * 0.5, 2)),
                    ScoreTerm("warm", round(score * 0.27, 2)),
                    ScoreTerm("latency", round(score * 0.23, 2)),
                ),
            ),
            Candidate(agent=second, score=round(score - 0.11, 2), terms=(ScoreTerm("load", 0.5),)),
        ),
        pool=pool,
        note=note,
    )


HELD = RoutingDecision(
    strategy=Strategy.ROUND_ROBIN,
    policy="9f2c51d07ab3",
    considered=20,
    rejections=(
        Rejection(
            rule=Rule.CAPABILITY,
            wanted="gpu",
            count=16,
            left=4,
            agents=(agent_name(1),),
            example="agent-01 has no gpu",
        ),
        Rejection(
            rule=Rule.RESIDENCY,
            wanted="eu-w1",
            count=2,
            left=2,
            agents=(agent_name(13), agent_name(14)),
            example="agent-13 is in us-e1",
        ),
        Rejection(
            rule=Rule.ISOLATION,
            wanted="client globex",
            count=2,
            left=0,
            agents=(agent_name(12), agent_name(15)),
            example="agent-12 is reserved for acme",
        ),
    ),
    pool=GPU,
)


def _running(rng: random.Random) -> tuple[dict[TaskId, Task], dict[AgentName, frozenset[RunId]]]:
    tasks: dict[TaskId, Task] = {}
    runs: dict[AgentName, frozenset[RunId]] = {}
    number = 48_169
    for index, used in enumerate(_USED):
        agent = agent_name(index + 1)
        held: set[RunId] = set()
        for _ in range(used):
            number += 1
            task = task_id(number)
            run = RunId(f"{task}.1")
            started = NOW_MS - rng.randrange(1_000, 90_000)
            attempt = Attempt(
                run_id=run,
                number=1,
                agent=agent,
                phase=AttemptPhase.RUNNING,
                planned_at_ms=started - 200,
                started_at_ms=started,
                decision=_decision(agent, 0.8, pool=_POOL_OF[index]),
            )
            tasks[task] = Task(
                id=task,
                number=number,
                key=f"key-{number}",
                spec=TaskSpec(
                    payload=Untrusted(f"Summarise ticket {number}"),
                    pool=_POOL_OF[index],
                    priority=Priority(rng.choice((1, 2, 2, 3))),
                ),
                by="ops",
                submitted_at_ms=started - rng.randrange(500, 12_000),
                payload_sha256="ab" * 32,
                phase=TaskPhase.ACTIVE,
                attempts=(attempt,),
            )
            held.add(run)
        runs[agent] = frozenset(held)
    return tasks, runs


def _waiting(rng: random.Random) -> dict[TaskId, Task]:
    pools = [GENERAL] * 71 + [GPU] * 39 + [BROWSE] * 18
    priorities = [0] * 2 + [1] * 19 + [2] * 84 + [3] * 23
    rng.shuffle(pools)
    tasks: dict[TaskId, Task] = {}
    for index, (pool, priority) in enumerate(zip(pools, priorities, strict=True)):
        number = 48_214 + index
        task = task_id(number)
        since = NOW_MS - (rng.randrange(500, 42_000) if index else 42_000)
        tasks[task] = Task(
            id=task,
            number=number,
            key=f"key-{number}",
            spec=TaskSpec(
                payload=Untrusted(f"Check order {number}"),
                pool=pool,
                priority=Priority(priority),
            ),
            by="ops",
            submitted_at_ms=since,
            payload_sha256="cd" * 32,
            pending=Pending(
                code=PendingCode.CAPACITY, since_ms=since, detail=f"every slot of {pool} is taken"
            ),
        )
    held = task_id(48_340)
    tasks[held] = msgspec.structs.replace(
        tasks[held],
        spec=TaskSpec(
            payload=Untrusted("Render the quarter's charts"),
            pool=GPU,
            needs=frozenset({Capability("gpu")}),
            client=ClientName("globex"),
            priority=tasks[held].spec.priority,
        ),
        pending=Pending(
            code=PendingCode.RESIDENCY,
            since_ms=NOW_MS - 72_000,
            detail="no agent: gpu in eu-w1 for globex (0 of 20)",
            remedy="add or move a gpu agent to eu-w1",
            decision=HELD,
        ),
    )
    return tasks


def _closed(rng: random.Random) -> dict[TaskId, Task]:
    tasks: dict[TaskId, Task] = {}
    busy = [i for i in range(20) if i not in (13, 17)]
    for index in range(612):
        number = 47_000 + index
        at = busy[rng.randrange(len(busy))]
        agent = agent_name(at + 1)
        ended = NOW_MS - 895_000 + index * 1_460
        tail = rng.random()
        took = int(_P95_MS[at] * (tail if tail > 0.2 else 0.2))
        failed = rng.random() < (0.079 if at == 5 else 0.004)
        task = task_id(number)
        attempt = Attempt(
            run_id=RunId(f"{task}.1"),
            number=1,
            agent=agent,
            phase=AttemptPhase.FAILED if failed else AttemptPhase.SUCCEEDED,
            planned_at_ms=ended - took - 100,
            started_at_ms=ended - took,
            ended_at_ms=ended,
            decision=_decision(agent, 0.77, pool=_POOL_OF[at]),
            reason="model-error" if failed else "",
            usage=Usage(input_tokens=900, output_tokens=240, model="sonnet"),
            cost_microusd=900,
        )
        tasks[task] = Task(
            id=task,
            number=number,
            key=f"key-{number}",
            spec=TaskSpec(
                payload=Untrusted(f"Triage mail {number}"),
                pool=_POOL_OF[at],
                priority=Priority(rng.choice((0, 1, 2, 2, 3))),
            ),
            by="ops",
            submitted_at_ms=ended - took - rng.randrange(400, 12_000),
            payload_sha256="ef" * 32,
            phase=TaskPhase.FAILED if failed else TaskPhase.SUCCEEDED,
            attempts=(attempt,),
            ended_at_ms=ended,
            reason="model-error" if failed else "",
        )
    return tasks


def _judged(tasks: dict[TaskId, Task]) -> None:
    """One task whose fate only a person can tell."""
    task = task_id(48_100)
    attempt = Attempt(
        run_id=RunId(f"{task}.1"),
        number=1,
        agent=agent_name(14),
        phase=AttemptPhase.GIVEN_UP,
        planned_at_ms=NOW_MS - 1_300_000,
        started_at_ms=NOW_MS - 1_299_000,
        ended_at_ms=NOW_MS - 180_000,
        decision=_decision(agent_name(14), 0.7, pool=GPU),
        reason="lost for 15m",
    )
    tasks[task] = Task(
        id=task,
        number=48_100,
        key="key-48100",
        spec=TaskSpec(payload=Untrusted("Pay invoice 7731"), pool=GPU, task_class=TaskClass.ONCE),
        by="ops",
        submitted_at_ms=NOW_MS - 1_310_000,
        payload_sha256="12" * 32,
        phase=TaskPhase.NEEDS_OPERATOR,
        attempts=(attempt,),
        reason="agent-14 was lost while it ran; it may have done the work",
    )


def _record(
    number: int,
    at_s: float,
    priority: int,
    decision: RoutingDecision,
    *,
    held: bool = False,
    attempt: int = 1,
) -> DecisionRecord:
    at_ms = NOW_MS - int(at_s * 1_000)
    return DecisionRecord(
        seq=Seq(number - 47_000),
        at_ms=at_ms,
        task=task_id(number),
        task_number=number,
        priority=Priority(priority),
        decision=decision,
        attempt=0 if held else attempt,
        pending=Pending(
            code=PendingCode.RESIDENCY,
            since_ms=at_ms,
            detail="no agent: residency=eu-w1 and cap=gpu (0 of 4)",
            remedy="add or move a gpu agent to eu-w1",
            decision=decision,
        )
        if held
        else None,
    )


def seeded_decisions() -> tuple[DecisionRecord, ...]:
    """Thirty-four filler decisions and the seven that tell the story, oldest first."""
    filler = tuple(
        _record(
            48_166 + i,
            40 - i,
            2,
            _decision(agent_name(1 + i % 11), 0.6 + i % 7 / 50, pool=GENERAL),
        )
        for i in range(34)
    )
    turn = msgspec.structs.replace(
        _decision(agent_name(1), 1.0, pool=GENERAL, note="turn 1 of 10"),
        strategy=Strategy.ROUND_ROBIN,
    )
    capable = msgspec.structs.replace(
        _decision(agent_name(16), 0.74, pool=BROWSE, note="needs browser, 4 of 5 match"),
        strategy=Strategy.CAPABILITY,
    )
    return (
        *filler,
        _record(48_204, 4.2, 3, turn),
        _record(48_340, 3.1, 2, HELD, held=True),
        _record(
            48_207,
            1.9,
            1,
            _decision(
                agent_name(9), 0.69, pool=GENERAL, note="retry 1/3 after agent-14 lost contact"
            ),
            attempt=2,
        ),
        _record(48_211, 1.0, 2, capable),
        _record(48_212, 0.4, 2, _decision(agent_name(3), 0.82, pool=GENERAL)),
        _record(48_213, 0.2, 0, _decision(agent_name(12), 0.91, pool=GPU)),
    )


def seeded_alerts() -> dict[AlertId, Alert]:
    """One critical, two warnings."""
    found = (
        Alert(
            id=AlertId("agent-down:agent-14"),
            severity=Severity.CRIT,
            subject="agent-14",
            text="down",
            detail=Untrusted("ssh connect timed out after 5.0s"),
            raised_at_ms=NOW_MS - 184_000,
        ),
        Alert(
            id=AlertId("agent-slow:agent-06"),
            severity=Severity.WARN,
            subject="agent-06",
            text="p95 3.1x the pool's baseline",
            raised_at_ms=NOW_MS - 360_000,
        ),
        Alert(
            id=AlertId("pool-wait:gpu"),
            severity=Severity.WARN,
            subject="gpu",
            text="wait p95 48s > 30s",
            raised_at_ms=NOW_MS - 120_000,
        ),
    )
    return {alert.id: alert for alert in found}


def _agent_state(index: int, runs: frozenset[RunId]) -> AgentState:
    number = index + 1
    health, since, reason, failure = Health.UP, NOW_MS - 7_200_000 - number * 60_000, "", None
    if number == 14:
        health, since = Health.UNREACHABLE, NOW_MS - 184_000
        reason, failure = "3 looks in a row failed", FailureKind.SSH_UNREACHABLE
    elif number == 6:
        health, since, reason = Health.DEGRADED, NOW_MS - 360_000, "p95 6.4s"
    elif number == 18:
        health, since, reason = Health.DRAINING, NOW_MS - 140_000, "it says it drains"
    return AgentState(
        name=agent_name(number),
        health=health,
        since_ms=since,
        reason=reason,
        failure=failure,
        detail=Untrusted("ssh connect timed out after 5.0s") if failure else Untrusted(""),
        version="1.8.2" if number == 18 else "1.8.3",
        boot_id=f"boot-{number}",
        runs=runs,
        succeeded=1_200 + number,
        failed=4 if number == 6 else 1,
        cost_microusd=3_000_000 + number * 10_000,
    )


def seeded_state() -> FleetState:
    """The folded state of the scene."""
    rng = random.Random(11)
    active, runs = _running(rng)
    open_tasks = {**active, **_waiting(rng)}
    _judged(open_tasks)
    return FleetState(
        seq=Seq(9_214),
        at_ms=NOW_MS - 200,
        engine=EngineState(
            epoch=Epoch(3), version="0.1.0", pid=4211, started_at_ms=NOW_MS - 9_000_000
        ),
        fleet=seeded_fleet(),
        agents={agent_name(i + 1): _agent_state(i, runs[agent_name(i + 1)]) for i in range(20)},
        open_tasks=open_tasks,
        closed_tasks=_closed(rng),
        decisions=seeded_decisions(),
        alerts=seeded_alerts(),
        notes=(Note(at_ms=NOW_MS - 600_000, by="ops", text=Untrusted("deploy of billing")),),
        totals=Totals(submitted=48_341, succeeded=48_021, failed=120, decisions=50_112),
    )


def seeded_looks() -> dict[AgentName, ProbeResult]:
    """The newest look at every agent; agent-14 does not answer."""
    probes: dict[AgentName, ProbeResult] = {}
    for index in range(20):
        name = agent_name(index + 1)
        if index == 13:
            probes[name] = ProbeFailure(
                agent=name,
                observed_at_ms=NOW_MS - 2_000,
                kind=FailureKind.SSH_UNREACHABLE,
                detail=Untrusted("ssh connect timed out after 5.0s"),
            )
            continue
        probes[name] = VitalsReading(
            agent=name,
            observed_at_ms=NOW_MS - _SEEN_S[index] * 1_000,
            latency_ms=12.0 + index,
            version="1.8.2" if index == 17 else "1.8.3",
            boot_id=f"boot-{index + 1}",
            active=_USED[index],
            queued=_QUEUED[index],
            capacity=4,
            cpu_percent=float(_CPU[index]),
            memory_percent=float(_MEM[index]),
        )
    return probes


DEAD_KINDS = (
    ("exit-3 after 40 turns", ClientName("acme"), 7),
    ("the agent's model answered 529: overloaded", ClientName("globex"), 4),
    ("no agent started it within 15m", None, 2),
)
"""Why, whose and how many: the groups of :func:`with_dead_letters`."""


def with_dead_letters(state: FleetState) -> FleetState:
    """The state with thirteen dead letters in three groups, the last one expired."""
    dead = dict(state.dead_letters)
    number = 46_900
    for at, (reason, client, count) in enumerate(DEAD_KINDS):
        for index in range(count):
            number += 1
            ended = NOW_MS - (at * 40 + index) * 60_000
            agent = agent_name(1 + index % 5)
            attempt = Attempt(
                run_id=RunId(f"{task_id(number)}.1"),
                number=1,
                agent=agent,
                phase=AttemptPhase.FAILED,
                planned_at_ms=ended - 41_000,
                started_at_ms=ended - 40_000,
                ended_at_ms=ended,
                decision=_decision(agent, 0.7, pool=GENERAL),
                reason=reason,
            )
            dead[task_id(number)] = Task(
                id=task_id(number),
                number=number,
                key=f"key-{number}",
                spec=TaskSpec(payload=Untrusted(f"Reconcile account {number}"), client=client),
                by="ops",
                submitted_at_ms=ended - 60_000,
                payload_sha256="34" * 32,
                phase=TaskPhase.FAILED if client is not None else TaskPhase.EXPIRED,
                attempts=(attempt,) if client is not None else (),
                ended_at_ms=ended,
                reason=reason.replace("40", str(40 + index)),
            )
    return msgspec.structs.replace(state, dead_letters=dead)
