"""What must hold in every world, checked against what really happened.

Some of it is checked in the moment (a start that leaves before its commit), the rest when the world
is over. Each broken promise is one Violation with the name of the invariant.
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from fleet_tui.core.agents.events import CanaryEnded, CanaryStarted
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import HostName, PoolName
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.tasks.events import TaskPlaced
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.sim.virtual.ledger_view import LedgerView, Run, TaskView
from fleet_tui.sim.virtual.question import verb_of
from fleet_tui.sim.virtual.rules import Rules
from fleet_tui.sim.virtual.scenario import USUAL_FLOOR
from fleet_tui.sim.virtual.world import World

MAX_VIOLATIONS = 20
"""Per world; one bug breaks many promises at once."""


MOST_QUESTIONS, WITHIN_S = 60, 20.0
"""No engine asks about a run more often."""

AVOIDS_MS = 30_000
"""A task waits no longer for another agent than those that failed it."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that was broken."""

    invariant: str
    at_ms: int
    """Virtual milliseconds since the world began."""
    text: str


class Checks:
    """Watches a world."""

    def __init__(self, world: World) -> None:
        self.view = LedgerView(self.broken)
        self.rules = Rules(self.broken, self._calm_ms)
        self.violations: list[Violation] = []
        self.losses: list[tuple[PoolName, float, float]] = []
        """Times in which a whole pool could not be reached: pool, from, to; in seconds."""
        self._world = world
        self._sent: dict[str, int] = {}
        self._canaries: dict[str, int] = {}
        """Canary runs that stand in the ledger, and the epoch of the engine that decided each; 0
        for one that is over."""
        self._asked: dict[tuple[int, str], deque[float]] = {}

    def _calm_ms(self) -> float:
        """For how long the engine has been running, with a disk that takes what it gives."""
        world = self._world
        last_s = max(world.disturbed_s, default=0.0)
        return (world.loop.time() - max(last_s, world.store.full_until_s)) * 1_000

    def broken(self, invariant: str, text: str, at_s: float | None = None) -> None:
        """Note a broken promise."""
        if len(self.violations) < MAX_VIOLATIONS:
            now_s = self._world.loop.time() if at_s is None else at_s
            violation = Violation(invariant=invariant, at_ms=round(now_s * 1_000), text=text)
            self.violations.append(violation)

    def committed(self, rows: Sequence[Recorded]) -> None:
        """These are on the disk."""
        now_s = self._world.loop.time()
        self.rules.hear(rows)
        self.view.hear(rows, now_s)
        for row in rows:
            if isinstance(row.event, TaskPlaced):
                self._check_urgency(self.view.tasks[row.event.task], row.at_ms)
            elif isinstance(row.event, CanaryStarted):
                self._canaries[row.event.run] = row.epoch
            elif isinstance(row.event, CanaryEnded):
                self._canaries[row.event.run] = 0

    def sent(self, epoch: int, host: HostName, stdin: bytes) -> None:
        """The first byte of a question leaves."""
        verb, run_id = verb_of(stdin)
        if verb not in ("look", "collect", "kept", "tail"):
            self.asked(epoch, verb, run_id)

    def asked(self, epoch: int, verb: str, run_id: str) -> None:
        """A question about a run leaves."""
        if run_id in self._canaries:
            self._asked_of_canary(epoch, verb, run_id)
            return
        run = self.view.runs.get(run_id)
        if run is None:
            self.broken("journal-before-effect", f"{verb} of {run_id} left before its commit")
            return
        self._check_pace(epoch, run_id)
        if verb == "start":
            if run_id in self._sent:
                self.broken("sent-once", f"{run_id} was sent by {self._sent[run_id]} and {epoch}")
            self._sent[run_id] = epoch
            if run.cancelled_by == epoch and self._is_answered(run):
                text = f"start of {run_id} left after its cancel was acknowledged"
                self.broken("cancel-is-kept", text)
        elif verb == "cancel" and run.cancelling_s is None and run.given_up_s is None:
            self.broken("journal-before-effect", f"cancel of {run_id} left before its commit")

    def _asked_of_canary(self, epoch: int, verb: str, run_id: str) -> None:
        self._check_pace(epoch, run_id)
        if verb == "start":
            if run_id in self._sent:
                self.broken("sent-once", f"{run_id} was sent by {self._sent[run_id]} and {epoch}")
            self._sent[run_id] = epoch
            if epoch != self._canaries[run_id]:
                self.broken("sent-once", f"{run_id} was sent by {epoch}, which did not decide it")

    def _is_answered(self, run: Run) -> bool:
        """Whether the canceller got a reply."""
        since_s = run.cancelling_s
        return since_s is not None and any(
            call.acked_s is not None and call.acked_s >= since_s
            for call in self._world.truth.acked("cancel", run.task)
        )

    def _check_pace(self, epoch: int, run_id: str) -> None:
        """No run is queried too often."""
        now_s = self._world.loop.time()
        asked = self._asked.setdefault((epoch, run_id), deque(maxlen=MOST_QUESTIONS))
        if len(asked) == MOST_QUESTIONS and now_s - asked[0] < WITHIN_S:
            text = f"{run_id} was asked about {MOST_QUESTIONS} times within {WITHIN_S:g} s"
            self.broken("asked-at-a-pace", text)
            asked.clear()
        asked.append(now_s)

    def mass_loss(self, pool: PoolName, for_s: float) -> None:
        """A whole pool is about to vanish; remember it if the brake has to notice."""
        world = self._world
        now_s = world.loop.time()
        agents = [a for a in world.fleet.agents.values() if a.pool == pool]
        state = world.newest.state if world.newest is not None else None
        calm = state is not None and all(
            (agent := state.agents.get(a.name)) is not None
            and agent.health.takes_work
            and a.host is not None
            and world.hosts[a.host].up
            and world.net.links[a.host].whole
            for a in agents
            if a.host not in world.net.nameless
        )
        named = [a for a in agents if a.host not in world.net.nameless]
        if calm and len(named) >= 3 and pool not in (state.braked_pools if state else ()):
            self.losses.append((pool, now_s, now_s + for_s))

    def _check_urgency(self, placed: TaskView, now_ms: int) -> None:
        """No task may wait while a less urgent one with the same requirement is placed. Of equally
        urgent ones the first submitted goes first."""
        wanted = _requirement(placed.wanted)
        # A retry may have to wait for the budget of retries.
        budget = self._world.fleet.retry_budget.floor >= USUAL_FLOOR
        for other in self.view.tasks.values():
            if (
                other.waits
                and not other.held
                and other.rank < placed.rank
                and (other.last is None or budget)
                and other.not_before_ms <= now_ms
                and _requirement(other.wanted) == wanted
                and other.goes_on == placed.goes_on
                and not self._avoids(other, placed, now_ms)
                and not self._is_too_precious(other, placed)
            ):
                text = f"{placed.key} was placed before the more urgent {other.key}"
                self.broken("urgent-first", text)

    def _avoids(self, other: TaskView, placed: TaskView, now_ms: int) -> bool:
        """Whether it waits for another agent than the one that was given away."""
        agent = self.view.runs[placed.last or ""].agent
        return agent in other.failed_by and now_ms - other.tried_ms < AVOIDS_MS

    def _is_too_precious(self, other: TaskView, placed: TaskView) -> bool:
        """Whether the agent that was given away fails what it runs, and the other must not run
        twice."""
        agent = self.rules.book.agents.get(self.view.runs[placed.last or ""].agent)
        is_trial = agent is not None and agent.trial_ms is not None and agent.is_harmful
        return is_trial and other.wanted.task_class is not TaskClass.IDEMPOTENT


def _requirement(spec: TaskSpec) -> tuple[object, ...]:
    return (spec.needs, spec.pool, spec.agent, spec.client, spec.project, frozenset(spec.regions))
