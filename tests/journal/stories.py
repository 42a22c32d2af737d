"""Small true-to-life stretches of a ledger for the journal's tests."""

from collections.abc import Iterator

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import AgentSpec, FleetSpec, LocalAgent, PoolSpec, Strategy
from fleet_tui.core.ids import AgentName, PoolName, TaskId, run_id
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.routing.decision import Candidate, RoutingDecision, ScoreTerm
from fleet_tui.core.tasks.events import (
    AttemptFinished,
    AttemptStarted,
    TaskEnded,
    TaskPlaced,
    TaskSubmitted,
)
from fleet_tui.core.tasks.evidence import Answer
from fleet_tui.core.tasks.model import TaskPhase, TaskSpec
from fleet_tui.core.text.untrusted import Untrusted

POOL = PoolName("eu")
AGENT = AgentName("agent-01")

FLEET = FleetSpec(
    name="demo",
    pools={POOL: PoolSpec(name=POOL)},
    agents={AGENT: AgentSpec(name=AGENT, pool=POOL, kind=LocalAgent(command=("cat",)), slots=100)},
)


def note(text: str = "hello", by: str = "ana") -> NoteAdded:
    return NoteAdded(by=by, text=Untrusted(text))


def opening() -> list[Event]:
    health = HealthChanged(agent=AGENT, health=Health.UP, was=Health.JOINING, reason="3 good looks")
    return [FleetLoaded(spec=FLEET, by="ana"), health]


def task_story(number: int) -> list[Event]:
    """One task from submit to success: five events."""
    task = TaskId(f"01J{number:023d}")
    run = run_id(task, 1)
    candidate = Candidate(agent=AGENT, score=0.5, terms=(ScoreTerm("load", 0.5),))
    decision = RoutingDecision(
        strategy=Strategy.LOAD_AWARE,
        policy="ab12",
        considered=1,
        fitting=1,
        candidates=(candidate,),
    )
    return [
        TaskSubmitted(
            task=task,
            number=number,
            key=f"key-{number}",
            spec=TaskSpec(payload=Untrusted(f"do {number}")),
            by="ana",
            payload_sha256="0" * 64,
        ),
        TaskPlaced(task=task, run=run, number=1, agent=AGENT, decision=decision),
        AttemptStarted(run=run),
        AttemptFinished(run=run, ok=True, answer=Answer(text=Untrusted("done"), size_bytes=4)),
        TaskEnded(task=task, phase=TaskPhase.SUCCEEDED),
    ]


def tasks(count: int, first: int = 1) -> Iterator[Event]:
    for number in range(first, first + count):
        yield from task_story(number)
