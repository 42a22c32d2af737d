"""Routing decisions with their whole explanation, beside a scan that explains nothing."""

from collections.abc import Iterator

from fleet_tui.core.agents.vitals import ProbeResult, VitalsReading
from fleet_tui.core.fleet import AgentSpec
from fleet_tui.core.ids import AgentName, Capability, Region
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.routing.waiting import urgency
from fleet_tui.core.tasks.model import TaskSpec
from tests.bench.frame import Row, at_most, cost_of
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

SIZES = {10: None, 100: at_most(10), 1_000: at_most(50), 10_000: at_most(200)}
TASKS = 200
NOW_MS = 60_000
REGIONS = ("eu", "us", "ap", "sa")


def routing() -> Iterator[Row]:
    """Decisions at growing fleets: a quarter of the agents fits each task."""
    for size, target in SIZES.items():
        ours_us, plain_us = decision_us(size)
        yield Row(
            name=f"decision with explanation, {size:,} agents",
            figure=ours_us,
            unit="µs",
            peer_name="linear scan, no explanation",
            peer=plain_us,
            target=target,
        )


QUEUE = 100_000


def queueing() -> Iterator[Row]:
    """A round over a long queue in which one task is new and no slot is free."""
    told = Story(fleet(agent("busy", slots=1)))
    told.all_up()
    tasks = told.submit_many(work(), QUEUE)
    router = Router(told.state.fleet)
    while events := router.schedule(told.state, {}, NOW_MS):
        told.add(*events)
    state, newest = told.state, tasks[-1]
    round_ = cost_of(lambda: router.schedule(state, {}, NOW_MS, [newest]))
    waiting = list(state.waiting())
    ordered = cost_of(lambda: sorted(waiting, key=urgency))
    yield Row(
        name=f"routing round, {QUEUE:,} waiting, one new",
        figure=round_.cpu_us,
        unit="µs",
        peer_name="sorting the queue",
        peer=ordered.cpu_us,
        target=at_most(1_000),
    )


def decision_us(size: int) -> tuple[float, float]:
    """CPU of one decision, ours and the plain scan's."""
    specs = [
        agent(
            f"agent-{n:04d}",
            slots=TASKS,
            region=REGIONS[n % 4],
            capabilities=["browser"] if n % 2 else ["gpu", "browser"],
        )
        for n in range(size)
    ]
    told = Story(fleet(*specs))
    told.all_up()
    told.submit(wanted())
    router = Router(told.state.fleet)
    probes = seen(specs)
    router.schedule(told.state, probes, NOW_MS)  # a router lives as long as its fleet file
    for _ in range(TASKS - 1):
        told.submit(wanted())
    state = told.state
    assert len(router.schedule(state, probes, NOW_MS)) == TASKS
    ours = cost_of(lambda: router.schedule(state, probes, NOW_MS), TASKS)
    held, task = dict.fromkeys((spec.name for spec in specs), 0), wanted()
    plain = cost_of(lambda: linear_scan(state, specs, held, task))
    return ours.cpu_us, plain.cpu_us


def wanted() -> TaskSpec:
    return work(needs=["browser"], regions=["eu"])


def seen(specs: list[AgentSpec]) -> dict[AgentName, ProbeResult]:
    return {
        spec.name: VitalsReading(agent=spec.name, observed_at_ms=NOW_MS, latency_ms=1.0 + n % 7)
        for n, spec in enumerate(specs)
    }


def linear_scan(
    state: FleetState, specs: list[AgentSpec], held: dict[AgentName, int], task: TaskSpec
) -> AgentName | None:
    """What a router does that need not say why."""
    best, most_free = None, 0
    needs: frozenset[Capability] = task.needs
    regions: tuple[Region, ...] = task.regions
    for spec in specs:
        if not state.agents[spec.name].health.takes_work:
            continue
        if spec.region not in regions or not needs <= spec.capabilities:
            continue
        free = spec.slots - held[spec.name]
        if free > most_free:
            best, most_free = spec.name, free
    return best
