"""Half an hour that never was: a ledger, samples and logs as an engine would have left them.

The same pure step that runs live (:func:`fleet_tui.core.step.step`) is taken here against simulated
agents in virtual time, so every decision of the history is one the engine would have made.
"""

import heapq
import random
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count, pairwise

import msgspec
from msgspec.structs import replace

from fleet_tui.core.agents.events import CanaryStarted
from fleet_tui.core.agents.vitals import (
    FailureKind,
    FleetSample,
    ProbeFailure,
    ProbeResult,
    VitalsReading,
)
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName, Epoch, RunId, Seq, TaskId
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.narrate import log_line
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.routing.schedule import ProbeResults, Router
from fleet_tui.core.status import sample_of
from fleet_tui.core.step import (
    AgentProbed,
    Asked,
    FleetChanged,
    Input,
    RunReported,
    StepTime,
    Tick,
    remember,
    step,
)
from fleet_tui.core.tasks.attempts import find_attempt
from fleet_tui.core.tasks.codes import FailedCode
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.events import TaskPlaced
from fleet_tui.core.tasks.evidence import Answer, Definite, Died, Fact, Finished, Started, Usage
from fleet_tui.core.text.ulid import new_ulid
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.sim.demo.behaviour import Planner, RunPlan, planner, profile_of
from fleet_tui.sim.demo.workload import Workload
from fleet_tui.sim.demo.world import GIB, MEMORY_BYTES, Host, Pace

MINUTES = 30
TICK_MS = 5_000
"""Interval of ticks: alerts, deadlines, retries that are due."""
SAMPLE_MS = 5_000
LOOK_MS = 15_000
"""How often agents that answer are looked at; one that does not is looked at as its file says."""
START_MS = 120
"""From placement to the agent's report that it runs."""
CANARY_MS = 3_000
"""How long a canary run takes."""
EPOCH = Epoch(1)
CHATTER_MS = 600_000
"""Agents' routine lines reach this far back; before that only warnings and errors are kept."""
QUIET_MS = 2_000
"""Nothing happens in the last moments, so that the engine takes over a settled ledger."""
VERSION = "2026.9.6"

WAVES = ((0.0, 0.4), (0.15, 0.9), (0.3, 0.5), (0.5, 0.8), (0.62, 2.2), (0.72, 0.7), (1.0, 1.0))
"""How busy it was: (share of the time passed, times the usual arrivals)."""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that was away for a while."""

    agent: AgentName
    from_ms: int
    to_ms: int


class DemoHistory(msgspec.Struct, kw_only=True):
    """What there is to store, in order of time."""

    state: FleetState
    batches: list[tuple[int, list[Event]]]
    """(instant, what happened then)."""
    samples: list[ProbeResult | FleetSample]
    lines: list[LogLine]


def make_history(
    fleet: FleetSpec,
    *,
    seed: int,
    until_ms: int,
    minutes: int = MINUTES,
    per_minute: float,
) -> DemoHistory:
    """The fleet's last ``minutes`` before ``until_ms``: the same for the same seed and instant."""
    return _Past(fleet, seed, until_ms, minutes, per_minute).live()


class _Closing(Router):
    """Places no run that would still go on at the end: its task waits for the engine instead."""

    def __init__(self, fleet: FleetSpec, ends_in_time: Callable[[FleetState, Event], bool]) -> None:
        super().__init__(fleet)
        self._ends_in_time = ends_in_time

    def schedule(
        self,
        state: FleetState,
        probes: ProbeResults,
        now_ms: int,
        changed: Iterable[TaskId] | None = None,
    ) -> list[Event]:
        """See :meth:`Router.schedule`."""
        events = super().schedule(state, probes, now_ms, changed)
        return [event for event in events if self._ends_in_time(state, event)]


class _Past:
    """Virtual time: a heap of things to come, played one after the other."""

    def __init__(
        self, fleet: FleetSpec, seed: int, until_ms: int, minutes: int, per_minute: float
    ) -> None:
        self.fleet = fleet
        self.start_ms = until_ms - minutes * 60_000
        self.end_ms = until_ms - QUIET_MS
        self.now_ms = self.start_ms
        self.state = EMPTY_STATE
        self.rng = random.Random(f"{seed}/history")  # noqa: S311  # a simulation, not a secret
        self.memory = remember(self.state)
        self.workload = Workload(
            fleet, rng=self.rng, pace=Pace(lambda: self.now_ms), per_minute=per_minute
        )
        self.per_minute = per_minute
        self.planners: dict[AgentName, Planner] = {
            name: planner(profile_of(spec, seed), seed) for name, spec in fleet.agents.items()
        }
        self.plans: dict[tuple[RunId, AgentName], RunPlan] = {}
        self.machines = {name: Host(name, seed) for name in fleet.hosts}
        self.outages = self._outages()
        self.watched: set[AgentName] = set()
        """Agents that are looked at closely."""
        self.batches: list[tuple[int, list[Event]]] = []
        self.samples: list[ProbeResult | FleetSample] = []
        self.lines: list[LogLine] = []
        self.ahead: list[tuple[int, int, Callable[[], None]]] = []
        self.order = count()

    def live(self) -> DemoHistory:
        self.step(FleetChanged(self.fleet, "demo"))
        self.memory = replace(self.memory, router=_Closing(self.fleet, self._ends_in_time))
        self.step(*map(self._look, self.fleet.agents))
        self.at(self.now_ms, self.arrive)
        self.at(self.now_ms, self.tick)
        self.at(self.now_ms, self.sample)
        for n, name in enumerate(self.fleet.agents):
            self.at(self.now_ms + (n + 1) * LOOK_MS // len(self.fleet.agents), self._looks(name))
        for outage in self.outages:
            self.at(outage.from_ms, self._lose(outage.agent))
        while self.ahead and self.ahead[0][0] <= self.end_ms:
            self.now_ms, _, act = heapq.heappop(self.ahead)
            act()
        self.lines.sort(key=_by_time)
        return DemoHistory(
            state=self.state, batches=self.batches, samples=self.samples, lines=self.lines
        )

    def at(self, at_ms: int, act: Callable[[], None]) -> None:
        heapq.heappush(self.ahead, (at_ms, next(self.order), act))

    def step(self, *inputs: Input) -> None:
        """What an engine decides after these, and what its runs come to."""
        taken = step(self.state, self.memory, inputs, StepTime(self.now_ms, EPOCH))
        first = self.state.seq + 1
        self.state, self.memory = taken.state, taken.memory
        if not taken.events:
            return
        if not self.batches or self.batches[-1][0] != self.now_ms:
            self.batches.append((self.now_ms, []))
        self.batches[-1][1].extend(taken.events)
        for n, event in enumerate(taken.events):
            row = Recorded(Seq(first + n), self.now_ms, EPOCH, event)
            line = log_line(row, self.state)
            if line is not None:
                self.lines.append(line)
            if isinstance(event, TaskPlaced):
                plan = self.plans[event.run, event.agent]
                self.at(self.now_ms + START_MS, self._started(event.run, plan))
            elif isinstance(event, CanaryStarted):
                well = RunReported(event.run, Definite(Finished(ok=True)))
                self.at(self.now_ms + CANARY_MS, partial(self.step, well))

    # Work

    def arrive(self) -> None:
        passed = (self.now_ms - self.start_ms) / (self.end_ms - self.start_ms)
        rate_per_s = self.per_minute / 60 * _wave(passed)
        self.at(self.now_ms + max(1, round(self.rng.expovariate(rate_per_s) * 1_000)), self.arrive)
        spec = self.workload.draw()
        task = TaskId(new_ulid(self.now_ms, self.rng.randbytes(10)))
        self.step(Asked(spec.client or "operator", Submit(task=task, key=task, spec=spec)))

    def _ends_in_time(self, state: FleetState, event: Event) -> bool:
        if not isinstance(event, TaskPlaced):
            return True
        payload = state.open_tasks[event.task].spec.payload.raw
        plan = self.planners[event.agent](event.run, payload)
        self.plans[event.run, event.agent] = plan
        return self.now_ms + START_MS + round(plan.duration_s * 1_000) <= self.end_ms

    def _started(self, run: RunId, plan: RunPlan) -> Callable[[], None]:
        def act() -> None:
            if not self._is_open(run):
                return
            self._learn(run, Started(boot_id="demo"))
            at_ms = self.now_ms
            for line in plan.steps:
                at_ms += round(line.after_s * 1_000)
                level = Level[line.level]
                if level >= Level.WARN or at_ms >= self.end_ms - CHATTER_MS:
                    self.at(at_ms, self._write(run, level, line.message))
            end_ms = self.now_ms + round(plan.duration_s * 1_000)
            self.at(end_ms, self._ended(run, plan))

        return act

    def _ended(self, run: RunId, plan: RunPlan) -> Callable[[], None]:
        usage = Usage(
            input_tokens=plan.tokens.input,
            output_tokens=plan.tokens.output,
            cache_read_tokens=plan.tokens.cache_read,
            cost_microusd=round(plan.cost_usd * 1_000_000),
            model=plan.model.name,
        )
        fact = Finished(
            ok=plan.error is None,
            answer=Answer(text=Untrusted(plan.answer), size_bytes=len(plan.answer.encode())),
            usage=usage,
            failure="" if plan.error is None else FailedCode.MODEL_ERROR,
            detail=Untrusted(plan.error or ""),
        )
        return lambda: self._learn(run, fact)

    def _learn(self, run: RunId, fact: Fact) -> None:
        if self._is_open(run):
            self.step(RunReported(run, Definite(fact)))

    def _is_open(self, run: RunId) -> bool:
        found = find_attempt(self.state, run)
        return found is not None and found[1].phase.is_open

    def _write(self, run: RunId, level: Level, message: str) -> Callable[[], None]:
        def act() -> None:
            found = find_attempt(self.state, run)
            if found is not None and found[1].phase.is_open:
                self.lines.append(
                    LogLine(
                        received_at_ms=self.now_ms,
                        source=found[1].agent,
                        level=level,
                        text=Untrusted(message),
                        task=found[0].id,
                        written_at_ms=self.now_ms,
                    )
                )

        return act

    # Time

    def tick(self) -> None:
        self.at(self.now_ms + TICK_MS, self.tick)
        self.step(Tick())

    def sample(self) -> None:
        self.at(self.now_ms + SAMPLE_MS, self.sample)
        self.samples.append(sample_of(self.state, self.now_ms))

    # Agents

    def _looks(self, name: AgentName) -> Callable[[], None]:
        def act() -> None:
            self.at(self.now_ms + LOOK_MS, act)
            if name not in self.watched:
                self.step(self._look(name))

        return act

    def _look(self, name: AgentName) -> AgentProbed:
        result = self._result(name)
        self.samples.append(result)
        return AgentProbed(result)

    def _is_away(self, name: AgentName) -> bool:
        return any(o.agent == name and o.from_ms <= self.now_ms < o.to_ms for o in self.outages)

    def _result(self, name: AgentName) -> ProbeResult:
        if self._is_away(name):
            return ProbeFailure(
                agent=name, observed_at_ms=self.now_ms, kind=FailureKind.GATEWAY_DOWN
            )
        spec = self.fleet.agents[name]
        busy = len(self.state.agents[name].runs)
        machine = self.machines[spec.host] if spec.host is not None else Host("local", 1)
        machine.busy = busy
        vitals = machine.vitals(self.now_ms / 1_000)
        return VitalsReading(
            agent=name,
            observed_at_ms=self.now_ms,
            latency_ms=round(1.0 + 3 * self.rng.random() + busy, 1),
            version=VERSION,
            boot_id="demo",
            active=busy,
            queued=0,
            capacity=spec.slots,
            cpu_percent=vitals.cpu_percent,
            memory_percent=100 - 100 * vitals.memory_free_bytes / MEMORY_BYTES,
            rss_bytes=GIB,
            disk_free_bytes=vitals.disk_free_bytes,
            load_average=vitals.load_average[0],
            loop_lag_ms_p99=21.0,
        )

    def _outages(self) -> list[Outage]:
        """Two agents were away for a while, one after the other."""
        names = list(self.fleet.agents)
        span = self.end_ms - self.start_ms
        return [
            Outage(
                agent=names[place % len(names)],
                from_ms=self.start_ms + round(span * begin),
                to_ms=self.start_ms + round(span * end),
            )
            for place, begin, end in ((7, 0.25, 0.32), (16, 0.58, 0.66))
        ]

    def _lose(self, name: AgentName) -> Callable[[], None]:
        """Its process ends, and all runs with it; a lost connection is a probe that failed."""

        def act() -> None:
            self.watched.add(name)
            runs = sorted(self.state.agents[name].runs)
            died = [RunReported(run, Definite(Died(reason="was killed"))) for run in runs]
            self.step(self._look(name), *died)
            self.at(self.now_ms + self.fleet.agents[name].probe.every_ms, look_again)

        def look_again() -> None:
            self.step(self._look(name))
            if self.state.agents[name].in_service and not self._is_away(name):
                self.watched.discard(name)
            else:
                self.at(self.now_ms + self.fleet.agents[name].probe.every_ms, look_again)

        return act


def _by_time(line: LogLine) -> int:
    return line.received_at_ms


def _wave(passed: float) -> float:
    """Arrivals at a share of the time, between the points of WAVES."""
    for (before, low), (after, high) in pairwise(WAVES):
        if passed <= after:
            return low + (high - low) * (passed - before) / (after - before)
    return WAVES[-1][1]
