"""Telling a ledger's story in a test: facts in, the folded state out."""

from fleet_tui.core.agents.events import AgentCordoned, HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName, Epoch, Seq, TaskId
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.tasks.events import TaskSubmitted
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.tasks.submission import payload_sha256


class Story:
    """A ledger that keeps everything, with a clock that tests set."""

    def __init__(self, spec: FleetSpec) -> None:
        self.state: FleetState = EMPTY_STATE
        self.rows: list[Recorded] = []
        self.now_ms = 1_000
        self.add(FleetLoaded(spec=spec))

    def add(self, *events: Event) -> None:
        """These happen now."""
        first = self.state.seq + 1
        rows = [Recorded(Seq(first + n), self.now_ms, Epoch(1), e) for n, e in enumerate(events)]
        self.rows.extend(rows)
        self.state = fold(self.state, rows)

    def all_up(self) -> None:
        """Every agent answers."""
        for name in list(self.state.agents):
            self.health(name, Health.UP)

    def health(self, name: str, health: Health) -> None:
        """An agent changes."""
        agent = self.state.agents[AgentName(name)]
        self.add(HealthChanged(agent=agent.name, health=health, was=agent.health, reason="a test"))

    def cordon(self, name: str) -> None:
        """An operator keeps an agent out."""
        self.add(AgentCordoned(agent=AgentName(name), by="me", reason="a test"))

    def submit(self, spec: TaskSpec) -> TaskId:
        """A task comes in."""
        (task,) = self.submit_many(spec, 1)
        return task

    def submit_many(self, spec: TaskSpec, count: int) -> list[TaskId]:
        """Equal tasks come in together."""
        first = self.state.totals.submitted + 1
        tasks = [TaskId(f"TASK{number:022d}") for number in range(first, first + count)]
        self.add(
            *(
                TaskSubmitted(
                    task=task,
                    number=first + n,
                    key=task,
                    spec=spec,
                    by="me",
                    payload_sha256=payload_sha256(spec),
                )
                for n, task in enumerate(tasks)
            )
        )
        return tasks
