"""What one more agent costs in memory: its place in the state and in routing."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator

from fleet_tui.core.routing.schedule import Router
from tests.bench.frame import Row, at_most
from tests.bench.routing import seen
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

AGENTS = 1_000
REGIONS = ("eu", "us")


def memory() -> Iterator[Row]:
    """Bytes held for an agent, beside the same agents as plain dicts."""
    held = bytes_held(a_fleet)
    plain = bytes_held(lambda: [as_dicts(n) for n in range(AGENTS)])
    yield Row(
        name="state, looks and routing of an agent",
        figure=held / AGENTS / 1_024,
        unit="KiB",
        peer_name="its specification and state as plain dicts",
        peer=plain / AGENTS / 1_024,
        target=at_most(20),
    )


def bytes_held(make: Callable[[], object]) -> int:
    """What a value keeps alive."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = make()
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        del kept
        return held
    finally:
        tracemalloc.stop()


def a_fleet() -> object:
    """A fleet that is up, seen and has routed a task."""
    specs = [
        agent(f"agent-{n:04d}", region=REGIONS[n % 2], capabilities=["browser"])
        for n in range(AGENTS)
    ]
    told = Story(fleet(*specs))
    told.all_up()
    told.submit(work(needs=["browser"]))
    router, probes = Router(told.state.fleet), seen(specs)
    router.schedule(told.state, probes, 60_000)
    return told.state, router, probes


def as_dicts(number: int) -> dict[str, object]:
    """The fields that any program would need."""
    return {
        "name": f"agent-{number:04d}",
        "pool": "general",
        "host": "h1",
        "region": REGIONS[number % 2],
        "capabilities": {"browser"},
        "slots": 2,
        "labels": {},
        "health": "up",
        "since_ms": 1_795_000_000_000 + number,
        "runs": [],
        "succeeded": 0,
        "failed": 0,
        "seen_at_ms": 1_795_000_000_000 + number,
        "latency_ms": 1.0 + number,
    }
