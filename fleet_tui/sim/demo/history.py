"""Half an hour that never was: a ledger, samples and logs as an engine would have left them.

The same pure core that runs live is run here against simulated agents in virtual time, so every
decision of the history is one the engine would have made.
"""

import heapq
import random
from collections.abc import Callable
from itertools import count, pairwise

import msgspec

from fleet_tui.core.agents.brake import reconcile_brake
from fleet_tui.core.agents.events import AgentIdentified, HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import (
    FailureKind,
    FleetSample,
    ProbeFailure,
    ProbeResult,
    VitalsReading,
)
from fleet_tui.core.alerting.alerts import reconcile_alerts
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName, Epoch, RunId, Seq, TaskId
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.narrate import log_line
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.reason_words import failure_words
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.status import sample_of
from fleet_tui.core.tasks.attempts import RunReport, find_attempt, learn, reconcile_attempts
from fleet_tui.core.tasks.events import TaskPlaced, TaskSubmitted
from fleet_tui.core.tasks.evidence import Answer, Definite, Died, Finished, Started, Usage
from fleet_tui.core.tasks.submission import payload_sha256
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
START_MS = 120
"""From placement to the agent's report that it runs."""
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
        self.router = Router(fleet)
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
        self.probes: dict[AgentName, ProbeResult] = {}
        self.batches: list[tuple[int, list[Event]]] = []
        self.samples: list[ProbeResult | FleetSample] = []
        self.lines: list[LogLine] = []
        self.ahead: list[tuple[int, int, Callable[[], None]]] = []
        self.order = count()

    def live(self) -> DemoHistory:
        self.commit([FleetLoaded(spec=self.fleet, by="demo")])
        self.commit([e for name in self.fleet.agents for e in self._joined(name)])
        self.at(self.now_ms, self.arrive)
        self.at(self.now_ms, self.tick)
        self.at(self.now_ms, self.sample)
        for n, name in enumerate(self.fleet.agents):
            self.at(self.now_ms + n * LOOK_MS // len(self.fleet.agents), self._look_at(name))
        for outage in self.outages:
            self.at(outage.from_ms, self._lose(outage))
            self.at(outage.to_ms, self._return(outage))
        while self.ahead and self.ahead[0][0] <= self.end_ms:
            self.now_ms, _, act = heapq.heappop(self.ahead)
            act()
        self.lines.sort(key=_by_time)
        return DemoHistory(
            state=self.state, batches=self.batches, samples=self.samples, lines=self.lines
        )

    def at(self, at_ms: int, act: Callable[[], None]) -> None:
        heapq.heappush(self.ahead, (at_ms, next(self.order), act))

    def commit(self, events: list[Event]) -> None:
        if not events:
            return
        first = self.state.seq + 1
        rows = [
            Recorded(Seq(first + n), self.now_ms, Epoch(1), event) for n, event in enumerate(events)
        ]
        self.state = fold(self.state, rows)
        if not self.batches or self.batches[-1][0] != self.now_ms:
            self.batches.append((self.now_ms, []))
        self.batches[-1][1].extend(events)
        for row in rows:
            line = log_line(row, self.state)
            if line is not None:
                self.lines.append(line)

    # Work

    def arrive(self) -> None:
        passed = (self.now_ms - self.start_ms) / (self.end_ms - self.start_ms)
        rate_per_s = self.per_minute / 60 * _wave(passed)
        self.at(self.now_ms + max(1, round(self.rng.expovariate(rate_per_s) * 1_000)), self.arrive)
        spec = self.workload.draw()
        task = TaskId(new_ulid(self.now_ms, self.rng.randbytes(10)))
        self.commit(
            [
                TaskSubmitted(
                    task=task,
                    number=self.state.totals.submitted + 1,
                    key=task,
                    spec=spec,
                    by=spec.client or "operator",
                    payload_sha256=payload_sha256(spec),
                )
            ]
        )
        self.route()

    def route(self) -> None:
        events = self.router.schedule(self.state, self.probes, self.now_ms)
        fits = []
        for event in events:
            if isinstance(event, TaskPlaced):
                plan = self._plan(event)
                end_ms = self.now_ms + START_MS + round(plan.duration_s * 1_000)
                if end_ms > self.end_ms:
                    continue  # it would still run now: it waits for the engine instead
                self.at(self.now_ms + START_MS, self._started(event.run, plan))
            fits.append(event)
        self.commit(fits)

    def _plan(self, placed: TaskPlaced) -> RunPlan:
        """The course of a run; drawn once, for near the end it is asked again and again."""
        plan = self.plans.get((placed.run, placed.agent))
        if plan is None:
            task = self.state.open_tasks[placed.task]
            plan = self.planners[placed.agent](placed.run, task.spec.payload.raw)
            self.plans[placed.run, placed.agent] = plan
        return plan

    def _started(self, run: RunId, plan: RunPlan) -> Callable[[], None]:
        def act() -> None:
            if not self._learn(run, Definite(Started(boot_id="demo"))):
                return
            at_ms = self.now_ms
            for step in plan.steps:
                at_ms += round(step.after_s * 1_000)
                level = Level[step.level]
                if level >= Level.WARN or at_ms >= self.end_ms - CHATTER_MS:
                    self.at(at_ms, self._write(run, level, step.message))
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
            failure="" if plan.error is None else "model-error",
            detail=Untrusted(plan.error or ""),
        )
        return lambda: self._end_and_route(run, fact)

    def _end_and_route(self, run: RunId, fact: Finished) -> None:
        self._learn(run, Definite(fact))
        self.route()

    def _learn(self, run: RunId, report: RunReport) -> bool:
        found = find_attempt(self.state, run)
        if found is None or not found[1].phase.is_open:
            return False
        self.commit(learn(self.state, run, report, self.now_ms))
        return True

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
        self.commit(reconcile_brake(self.state, self.now_ms))
        self.commit(reconcile_attempts(self.state, self.now_ms))
        self.route()
        self.commit(reconcile_alerts(self.state, self.now_ms))

    def sample(self) -> None:
        self.at(self.now_ms + SAMPLE_MS, self.sample)
        self.samples.append(sample_of(self.state, self.now_ms))

    # Agents

    def _joined(self, name: AgentName) -> list[Event]:
        return [
            AgentIdentified(agent=name, version=VERSION, boot_id="demo"),
            HealthChanged(
                agent=name, health=Health.UP, was=Health.JOINING, reason="first probe answered"
            ),
        ]

    def _look_at(self, name: AgentName) -> Callable[[], None]:
        def act() -> None:
            self.at(self.now_ms + LOOK_MS, act)
            look = self._reading(name)
            self.probes[name] = look
            self.samples.append(look)

        return act

    def _reading(self, name: AgentName) -> ProbeResult:
        if any(o.agent == name and o.from_ms <= self.now_ms < o.to_ms for o in self.outages):
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

    def _lose(self, outage: Outage) -> Callable[[], None]:
        def act() -> None:
            agent = self.state.agents[outage.agent]
            self.commit(
                [
                    HealthChanged(
                        agent=agent.name,
                        health=Health.DOWN,
                        was=agent.health,
                        reason="3 failed probes in a row: "
                        + failure_words(FailureKind.GATEWAY_DOWN),
                        failure=FailureKind.GATEWAY_DOWN,
                    )
                ]
            )
            for run in sorted(agent.runs):
                self._learn(run, Definite(Died(reason="was killed")))
            self.route()

        return act

    def _return(self, outage: Outage) -> Callable[[], None]:
        def act() -> None:
            agent = self.state.agents[outage.agent]
            self.commit(
                [
                    HealthChanged(
                        agent=agent.name,
                        health=Health.UP,
                        was=agent.health,
                        reason="3 successful probes in a row",
                    )
                ]
            )
            self.route()

        return act


def _by_time(line: LogLine) -> int:
    return line.received_at_ms


def _wave(passed: float) -> float:
    """Arrivals at a share of the time, between the points of WAVES."""
    for (before, low), (after, high) in pairwise(WAVES):
        if passed <= after:
            return low + (high - low) * (passed - before) / (after - before)
    return WAVES[-1][1]
