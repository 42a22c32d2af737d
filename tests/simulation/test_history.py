"""The demo's past: one seed is one past, and it is one an engine could have left behind."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from fleet_tui.base.bundled import sample_fleet
from fleet_tui.config.load import load_fleet
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FleetSample
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName, Epoch, Seq
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.logs import Level
from fleet_tui.sim.demo.history import CHATTER_MS, QUIET_MS, DemoHistory, make_history
from fleet_tui.sim.demo.workload import TASKS_PER_MINUTE

UNTIL_MS = 1_800_000_000_000
MINUTES = 6

DIGEST = """
import hashlib, msgspec
from tests.simulation.test_history import history_of, the_fleet
past = history_of(the_fleet(), seed=7, minutes=2)
kept = msgspec.json.encode([past.batches, past.samples, past.lines], order="deterministic")
print(hashlib.sha256(kept).hexdigest(), len(past.batches))
"""


def the_fleet() -> FleetSpec:
    return load_fleet(sample_fleet("demo"), {}).spec


def history_of(fleet: FleetSpec, *, seed: int, minutes: int = MINUTES) -> DemoHistory:
    return make_history(
        fleet, seed=seed, until_ms=UNTIL_MS, minutes=minutes, per_minute=TASKS_PER_MINUTE
    )


@pytest.fixture(scope="module")
def fleet() -> FleetSpec:
    return the_fleet()


@pytest.fixture(scope="module")
def past(fleet: FleetSpec) -> DemoHistory:
    return history_of(fleet, seed=1)


def states_of(past: DemoHistory) -> list[FleetState]:
    """The state after every batch, folded from the events alone."""
    state = EMPTY_STATE
    states = []
    for at_ms, events in past.batches:
        rows = [
            Recorded(Seq(state.seq + 1 + n), at_ms, Epoch(1), event)
            for n, event in enumerate(events)
        ]
        state = fold(state, rows)
        states.append(state)
    return states


def test_a_seed_is_a_past_whatever_the_order_of_sets() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(told) == 1


def test_another_seed_is_another_past(fleet: FleetSpec, past: DemoHistory) -> None:
    assert history_of(fleet, seed=2).batches != past.batches


def test_its_events_add_up_to_the_state_it_was_decided_in(past: DemoHistory) -> None:
    assert states_of(past)[-1] == past.state


def test_no_agent_ever_runs_more_than_it_has_slots_for(fleet: FleetSpec, past: DemoHistory) -> None:
    busiest: Counter[AgentName] = Counter()
    for state in states_of(past):
        for name, agent in state.agents.items():
            busiest[name] = max(busiest[name], len(agent.runs))
    assert busiest.total() > 0
    over = {name: n for name, n in busiest.items() if n > fleet.agents[name].slots}
    assert over == {}


def test_time_only_goes_forward_and_ends_before_the_engine_begins(past: DemoHistory) -> None:
    instants = [at_ms for at_ms, _ in past.batches]
    assert instants == sorted(set(instants))
    assert instants[0] == UNTIL_MS - MINUTES * 60_000
    assert instants[-1] <= UNTIL_MS - QUIET_MS
    written = [line.received_at_ms for line in past.lines]
    assert written == sorted(written)


def test_it_ends_settled(past: DemoHistory) -> None:
    assert all(agent.runs == frozenset() for agent in past.state.agents.values())
    assert all(task.open_attempt is None for task in past.state.open_tasks.values())
    healths = Counter(agent.health for agent in past.state.agents.values())
    assert healths == {Health.UP: 20}


def test_no_chart_is_empty(fleet: FleetSpec, past: DemoHistory) -> None:
    pulse = [s for s in past.samples if isinstance(s, FleetSample)]
    probes = [s for s in past.samples if not isinstance(s, FleetSample)]
    assert len(pulse) == MINUTES * 12
    assert max(s.depth for s in pulse) > 0
    assert {look.agent for look in probes} == set(fleet.agents)
    said_by = Counter(line.source for line in past.lines)
    assert said_by[None] > 100
    assert len(said_by) > len(fleet.agents) // 2
    assert past.state.totals.succeeded > 100


def test_two_agents_were_away_and_came_back(past: DemoHistory) -> None:
    away = [
        {name for name, agent in state.agents.items() if agent.health is Health.DOWN}
        for state in states_of(past)
    ]
    assert len(set().union(*away)) == 2
    assert max(map(len, away)) == 1


def test_long_ago_only_what_mattered_is_in_the_log(fleet: FleetSpec) -> None:
    long = history_of(fleet, seed=1, minutes=CHATTER_MS // 60_000 + 2)
    border_ms = UNTIL_MS - QUIET_MS - CHATTER_MS
    before = {
        line.level
        for line in long.lines
        if line.source is not None and line.received_at_ms < border_ms
    }
    after = {
        line.level
        for line in long.lines
        if line.source is not None and line.received_at_ms >= border_ms
    }
    assert before <= {Level.WARN, Level.ERROR}
    assert Level.INFO in after
