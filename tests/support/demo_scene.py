"""The demo's fleet at one instant of its past, as a feed in memory: for the README's picture.

The history is what ``fleet-tui demo`` opens with, made by the core that runs live, for a fixed seed
and instant. So the picture shows nothing that the program does not say.
"""

from bisect import bisect_right

from fleet_tui.base.bundled import sample_fleet
from fleet_tui.config.load import load_fleet
from fleet_tui.core.agents.vitals import FleetSample, ProbeResult
from fleet_tui.core.ids import AgentName, Epoch, Seq
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import Folding
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.feed.feed import Mode
from fleet_tui.sim.demo.history import make_history
from fleet_tui.sim.demo.workload import TASKS_PER_MINUTE
from tests.support.fake_feed import FakeFeed

SEED = 1
END_MS = 1_795_867_200_000
"""2026-11-28 12:00 UTC."""
AT_MS = END_MS - 650_000
"""When much is to be seen: the queue is long, an agent is lost and alerts are open."""
MINUTES = 30
LINES = 500
SAMPLES = 2_000


def demo_feed() -> FakeFeed:
    """The demo's fleet at AT_MS; the same every time."""
    fleet = load_fleet(sample_fleet("demo"), {}).spec
    history = make_history(
        fleet, seed=SEED, until_ms=END_MS, minutes=MINUTES, per_minute=TASKS_PER_MINUTE
    )
    folding, seq = Folding(EMPTY_STATE), 0
    for at_ms, events in history.batches:
        if at_ms > AT_MS:
            break
        for event in events:
            seq += 1
            folding.apply(Recorded(Seq(seq), at_ms, Epoch(1), event))
    samples: list[FleetSample] = []
    probes: dict[AgentName, ProbeResult] = {}
    for sample in history.samples:
        if isinstance(sample, FleetSample):
            samples += [sample] if sample.at_ms <= AT_MS else []
        elif sample.observed_at_ms <= AT_MS:
            probes[sample.agent] = sample
    lines = sorted(history.lines, key=lambda line: line.received_at_ms)
    shown = lines[: bisect_right(lines, AT_MS, key=lambda line: line.received_at_ms)]
    feed = FakeFeed(
        state=folding.state(),
        probes=probes,
        samples=samples[-SAMPLES:],
        lines=shown[-LINES:],
        mode=Mode.DEMO,
    )
    feed.push(now_ms=AT_MS)
    return feed
