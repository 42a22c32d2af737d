"""One step of the loop without the loop: turns inputs and the passing of time into events.

:func:`step` is called by the engine, and can be called by a test or a replay: the same values give
the same answer. The caller commits the events, keeps the returned memory, and sends the replies
once the commit is durable; nothing here reaches beyond its arguments.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar, assert_never

import msgspec

from fleet_tui.core.agents.brake import reconcile_brake
from fleet_tui.core.agents.canary import agent_of_canary, learn_of_canary, reconcile_canaries
from fleet_tui.core.agents.health import FRESH, Watch, judge
from fleet_tui.core.agents.model_trouble import troubles_in
from fleet_tui.core.agents.vitals import ProbeFailure, ProbeResult
from fleet_tui.core.alerting.alerts import reconcile_alerts, reconcile_troubles
from fleet_tui.core.engine.events import FleetFileJudged, FleetLoaded, MachinesFound
from fleet_tui.core.fleet import FleetSpec, HostSpec
from fleet_tui.core.ids import AgentName, Epoch, HostName, RunId, Seq, TaskId
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided, Decision
from fleet_tui.core.ledger.events import Event, Recorded, task_of
from fleet_tui.core.ledger.fold import Folding, fold
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import Trouble
from fleet_tui.core.plans import Impact, worse
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import RunReport, learn, reconcile_attempts
from fleet_tui.core.tasks.evidence import Definite, Running
from fleet_tui.core.tasks.heartbeat import Beat, Ear, sign_of_life
from fleet_tui.core.undo import inverse

K = TypeVar("K")
V = TypeVar("V")


class AgentProbed(NamedTuple):
    """An agent was probed."""

    result: ProbeResult


class RunReported(NamedTuple):
    """A report about a run, which may be unknown."""

    run: RunId
    report: RunReport


class Asked(NamedTuple):
    """An operator's command."""

    by: str
    command: Command
    shown: Impact | None = None
    """The impact that its author was shown, if it was planned."""


class FleetChanged(NamedTuple):
    """The fleet file was read again."""

    spec: FleetSpec
    by: str


class FleetFileSeen(NamedTuple):
    """A newer fleet file cannot be loaded, or, without a problem, equals the one in force."""

    problem: str


class MachinesSeen(NamedTuple):
    """ssh_config was asked which hosts are one machine."""

    hosts: Mapping[HostName, HostSpec]
    """All hosts of the fleet, as they were when it was asked."""
    same: dict[HostName, HostName]
    """:attr:`FleetSpec.same` for them."""


class Told(NamedTuple):
    """The engine's report about itself: its faults, its mode."""

    events: tuple[Event, ...]


class Tick(NamedTuple):
    """Time passed."""


Input = (
    AgentProbed | RunReported | Asked | FleetChanged | FleetFileSeen | MachinesSeen | Told | Tick
)


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The loop's memory outside the ledger. It is lost with the engine, and gathered again."""

    router: Router
    """A cache of the state: a new one gives the same result. A step passes its queues on to the
    router of the memory that it returns; a second step from this memory rebuilds them."""
    unrouted: tuple[TaskId, ...] = ()
    """Tasks that may have changed since the router's last round."""
    probes: Mapping[AgentName, ProbeResult] = {}
    """The newest result of each agent."""
    watches: Mapping[AgentName, Watch] = {}
    beats: Mapping[RunId, Beat] = {}
    """Signs of life of open runs."""
    troubles: Mapping[Trouble, str] = {}
    """The resources that the engine lacks now, in words."""
    listens_since_ms: int = 0
    """When the engine last resumed after a pause."""
    distrust_until_ms: int = 0
    """Until then a failed probe has no consequence: the engine was paused, not the agent."""


class StepTime(NamedTuple):
    """The instant of a step, and the engine that takes it."""

    now_ms: int
    epoch: Epoch
    sweeps: bool = True
    """Whether this step checks all open tasks for due changes, if time passed."""


class Step(NamedTuple):
    """The result of a step."""

    memory: Memory
    """To be kept once the events are committed."""
    events: tuple[Event, ...]
    """To be committed together."""
    replies: tuple[Decision, ...]
    """One for each :class:`Asked`, in their order."""
    state: FleetState
    """After the events, if the ledger places them at the expected positions."""

    def unstored(self, before: Memory) -> Memory:
        """The memory where nothing was committed: probe results and signs of life are kept."""
        return msgspec.structs.replace(before, probes=self.memory.probes, beats=self.memory.beats)


class Pace(Enum):
    """How often a reconciler is called."""

    STEP = auto()
    """In each step with new input, and at each tick."""
    SWEEP = auto()
    """At ticks, as often as the engine can afford: it goes through all open tasks."""


class Due(NamedTuple):
    """What follows."""

    events: list[Event]
    memory: Memory | None = None
    """The loop's memory from then on; None where it does not change."""


class Reconciler(NamedTuple):
    """A rule that depends on the state and on time alone, not on the inputs."""

    pace: Pace
    due: Callable[[FleetState, Memory, int], Due]
    """Given the state, the loop's memory and the instant."""


def _route(state: FleetState, memory: Memory, now_ms: int) -> Due:
    """Place waiting tasks, while the mode starts work."""
    if not state.engine.mode.mode.starts_work:
        return Due([])
    router = memory.router.successor()
    events = router.schedule(state, memory.probes, now_ms, memory.unrouted)
    return Due(events, msgspec.structs.replace(memory, router=router, unrouted=()))


RECONCILERS = (
    Reconciler(Pace.STEP, lambda state, memory, now_ms: Due(reconcile_brake(state, now_ms))),
    Reconciler(
        Pace.SWEEP,
        lambda state, memory, now_ms: Due(
            reconcile_attempts(
                state, now_ms, Ear(since_ms=memory.listens_since_ms, beats=memory.beats)
            )
        ),
    ),
    Reconciler(
        Pace.SWEEP,
        lambda state, memory, now_ms: Due(
            reconcile_canaries(state, now_ms, memory.listens_since_ms)
        ),
    ),
    Reconciler(
        Pace.SWEEP, lambda state, memory, now_ms: Due(reconcile_troubles(state, memory.troubles))
    ),
    Reconciler(Pace.SWEEP, lambda state, memory, now_ms: Due(reconcile_alerts(state, now_ms))),
    Reconciler(Pace.STEP, _route),
)
"""In the order in which one feeds the next."""


def remember(state: FleetState) -> Memory:
    """The memory of a loop that has just begun."""
    return Memory(router=Router(state.fleet))


def step(state: FleetState, memory: Memory, inputs: Sequence[Input], moment: StepTime) -> Step:
    """The consequences of the inputs, and of the time that passed where a :class:`Tick` is among
    them: events in the order in which they are to be committed."""
    draft = _Draft(state, memory, moment)
    for item in inputs:
        draft.take(item)
    ticked = any(isinstance(item, Tick) for item in inputs)
    if ticked or draft.events:
        draft.reconcile(sweep=ticked and moment.sweeps)
    return draft.step()


def noted(state: FleetState, memory: Memory, events: Sequence[Event], moment: StepTime) -> Step:
    """These events, without their consequences."""
    draft = _Draft(state, memory, moment)
    draft.add(events)
    return draft.step()


def noted_sign_of_life(memory: Memory, run: RunId, report: RunReport, now_ms: int) -> Memory:
    """The memory after a report that cannot have consequences yet, because nothing can be
    committed: a run that gave a sign of life meanwhile was not silent."""
    beat = _beat(memory.beats.get(run), report, now_ms)
    if beat is None:
        return memory
    return msgspec.structs.replace(memory, beats={**memory.beats, run: beat})


def _beat(known: Beat | None, report: RunReport, now_ms: int) -> Beat | None:
    """The sign of life in a report about a run; None where it has none."""
    if not isinstance(report, Definite) or not isinstance(report.value, Running):
        return None
    return sign_of_life(known, report.value, now_ms)


def settled(before: FleetState, taken: Step, recorded: Sequence[Recorded]) -> FleetState:
    """The state after the commit: the expected one, unless the ledger placed the events elsewhere
    (a new segment began, or its clock did not run backwards with ours)."""
    last = recorded[-1]
    as_planned = last.seq == taken.state.seq and last.at_ms == taken.state.at_ms
    return taken.state if as_planned else fold(before, recorded)


def _learned(state: FleetState, run: RunId, report: RunReport, now_ms: int) -> list[Event]:
    """What a report means about a task's run, or a canary run."""
    agent = agent_of_canary(run)
    if agent is not None:
        return learn_of_canary(state, agent, run, report, now_ms)
    return learn(state, run, report, now_ms)


class _Changes(Generic[K, V]):
    """A map that is copied when it is first changed."""

    def __init__(self, before: Mapping[K, V]) -> None:
        self.now = before
        self._own: dict[K, V] | None = None

    def put(self, key: K, value: V) -> None:
        """Set a value."""
        if self._own is None:
            self.now = self._own = dict(self.now)
        self._own[key] = value

    def keep(self, keys: Container[K]) -> None:
        """Forget all others."""
        self.now = self._own = {key: value for key, value in self.now.items() if key in keys}


class _Draft:
    """The events of one step and the state they lead to, before they are committed."""

    def __init__(self, state: FleetState, memory: Memory, moment: StepTime) -> None:
        self.state = state
        """Valid until the next :meth:`add`, so that a long step copies each map once."""
        self.events: list[Event] = []
        self._now_ms = moment.now_ms
        self._commit_ms = max(moment.now_ms, state.at_ms)
        """The instant that the ledger will give the events: its time never runs backwards."""
        self._epoch = moment.epoch
        self._replies: list[Decision] = []
        self._folding = Folding(state)
        self._memory = memory
        self._router = memory.router
        self._unrouted: dict[TaskId, None] = dict.fromkeys(memory.unrouted)
        self._probes = _Changes(memory.probes)
        self._watches = _Changes(memory.watches)
        self._beats = _Changes(memory.beats)

    def add(self, events: Sequence[Event]) -> None:
        """Add events and compute the state after them."""
        if not events:
            return
        first = self.state.seq + 1
        self.events.extend(events)
        for n, event in enumerate(events):
            self._folding.apply(Recorded(Seq(first + n), self._now_ms, self._epoch, event))
            task = task_of(event)
            if task is not None:
                self._unrouted[task] = None
        self.state = self._folding.state()

    def take(self, item: Input) -> None:
        """Handle one input."""
        match item:
            case AgentProbed(result=result):
                self._probed(result)
            case RunReported(run=run, report=report):
                if (beat := _beat(self._beats.now.get(run), report, self._now_ms)) is not None:
                    self._beats.put(run, beat)
                self.add(_learned(self.state, run, report, self._now_ms))
            case Asked(by=by, command=command, shown=shown):
                decision = decide(self.state, by, command, self._now_ms)
                if shown is not None and isinstance(decision, Decided):
                    decision = worse(self.state, command, decision, shown) or decision
                if isinstance(decision, Decided):
                    made = Made(by=by, at_ms=self._commit_ms)
                    undo = inverse(self.state, decision.events, made)
                    decision = msgspec.structs.replace(decision, undo=undo)
                self._replies.append(decision)
                if isinstance(decision, Decided):
                    self.add(decision.events)
            case FleetChanged(spec=spec, by=by):
                spec = spec.with_machines_of(self.state.fleet)
                self.add([FleetLoaded(spec=spec, by=by)])
                self._router = Router(spec)
                # An agent that comes back one day is judged by its probes then.
                self._probes.keep(spec.agents)
                self._watches.keep(spec.agents)
            case FleetFileSeen(problem=problem):
                if problem or self.state.engine.file_problem:
                    self.add([FleetFileJudged(problem=problem)])
            case MachinesSeen(hosts=hosts, same=same):
                fleet = self.state.fleet
                if fleet.hosts == hosts and fleet.same != same:
                    self.add([MachinesFound(same=same)])
                    self._router = Router(self.state.fleet)
            case Told(events=events):
                self.add(events)
            case Tick():
                pass
            case _:
                assert_never(item)

    def _probed(self, result: ProbeResult) -> None:
        agent = self.state.agents.get(result.agent)
        spec = self.state.fleet.agents.get(result.agent)
        if agent is None or spec is None:
            return
        self._probes.put(result.agent, result)
        if isinstance(result, ProbeFailure) and self._now_ms < self._memory.distrust_until_ms:
            return
        watch = self._watches.now.get(result.agent, FRESH)
        watch, events = judge(watch, agent, result, spec.probe, self._now_ms)
        self._watches.put(result.agent, watch)
        self.add(events)
        self.add(troubles_in(self.state, result))

    def reconcile(self, *, sweep: bool) -> None:
        """The consequences of the state and of time."""
        if sweep and self._beats.now:
            self._beats.keep({run for agent in self.state.agents.values() for run in agent.runs})
        for reconciler in RECONCILERS:
            if sweep or reconciler.pace is Pace.STEP:
                due = reconciler.due(self.state, self._remembered(), self._now_ms)
                if due.memory is not None:
                    self._router = due.memory.router
                    self._unrouted = dict.fromkeys(due.memory.unrouted)
                self.add(due.events)

    def _remembered(self) -> Memory:
        return msgspec.structs.replace(
            self._memory,
            router=self._router,
            unrouted=tuple(self._unrouted),
            probes=self._probes.now,
            watches=self._watches.now,
            beats=self._beats.now,
        )

    def step(self) -> Step:
        """All of it."""
        return Step(self._remembered(), tuple(self.events), tuple(self._replies), self.state)
