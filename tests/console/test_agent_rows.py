"""What the health table says, without a screen."""

import msgspec
import pytest
from msgspec.structs import replace

from fleet_tui.console.text.cells import Tone
from fleet_tui.console.text.glyphs import ASCII, UNICODE
from fleet_tui.console.views.agents import rows
from fleet_tui.core.agents.breaker import CanaryRun
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import VitalsReading
from fleet_tui.core.ids import RunId
from fleet_tui.core.status import RATE_WINDOW_MS
from fleet_tui.feed.feed import View
from tests.support import payloads
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, agent_name, seeded_fleet

A1 = agent_name(1)


def view(**changes: object) -> View:
    feed = FakeFeed()
    feed.push(**changes)
    return feed.view()


def row_of(now_ms: int = NOW_MS, *, age_ms: int = 0, health: Health = Health.UP) -> rows.AgentRow:
    agent = AgentState(name=A1, health=health, since_ms=NOW_MS - 60_000)
    look = VitalsReading(
        agent=A1, observed_at_ms=now_ms - age_ms, latency_ms=10.0, cpu_percent=42.0
    )
    return rows.agent_row(agent, seeded_fleet().agents[A1], look, rows.NO_RUNS, now_ms)


def test_worst_first_then_the_well_by_name() -> None:
    found = rows.agent_rows(view(), {})
    assert [row.state for row in found[:4]] == ["unreachable", "degraded", "draining", "up"]
    well = [row.name for row in found[3:]]
    assert well == sorted(well)
    assert len(found) == 20


def test_the_newest_trouble_stands_above_the_older() -> None:
    feed = FakeFeed()
    feed.change_agent(agent_name(2), health=Health.DOWN, since_ms=NOW_MS - 1_000)
    found = rows.agent_rows(feed.view(), {})
    assert [row.name for row in found[:2]] == [agent_name(2), agent_name(14)]


@pytest.mark.parametrize(
    ("age_ms", "stale", "seen"),
    [
        (0, False, "5s"),
        (4_999, False, "5s"),
        (5_001, False, "10s"),
        (15_000, False, "15s"),
        (15_001, True, "20s"),
        (184_000, True, "3m05s"),
    ],
)
def test_numbers_that_are_too_old_are_dim(age_ms: int, stale: bool, seen: str) -> None:
    row = row_of(age_ms=age_ms)
    cells = rows.agent_cells(row, UNICODE)
    assert row.is_stale is stale
    assert cells["seen"].text == seen
    assert cells["cpu"].tone is (Tone.DIM if stale else Tone.PLAIN)
    assert cells["state"].tone is Tone.OK, "the state is the ledger's and never dim"


def test_an_agent_nobody_has_seen_is_unknown_not_zero() -> None:
    agent = AgentState(name=A1)
    row = rows.agent_row(agent, seeded_fleet().agents[A1], None, rows.NO_RUNS, NOW_MS)
    cells = rows.agent_cells(row, UNICODE)
    assert cells["seen"].text == "?"
    assert {cells[key].text for key in ("queue", "p95", "err", "cpu", "mem")} == {"-"}
    assert row.is_problem


def test_an_agent_that_left_the_fleet_file_still_has_a_row() -> None:
    agent = AgentState(name=A1, health=Health.RETIRED)
    row = rows.agent_row(agent, None, None, rows.NO_RUNS, NOW_MS)
    assert rows.agent_cells(row, UNICODE)["pool"].text == "-"


def test_numbers_come_from_the_runs_of_the_window() -> None:
    scene = view()
    numbers = rows.run_numbers(scene.state.closed_tasks.values(), NOW_MS)
    slow = numbers[agent_name(6)]
    assert slow.run_ms_p95 is not None
    assert slow.run_ms_p95 > 4_000
    assert slow.error_percent is not None
    assert slow.error_percent > 1
    assert agent_name(14) not in numbers
    later = rows.run_numbers(scene.state.closed_tasks.values(), NOW_MS + 3_600_000)
    assert later == {}


def test_canary_runs_of_the_window_are_part_of_what_an_agent_costs() -> None:
    def cost(*canaries: CanaryRun) -> tuple[int, bool]:
        row = rows.agent_row(
            AgentState(name=A1, canaries=canaries), None, None, rows.NO_RUNS, NOW_MS
        )
        return row.cost_microusd_per_hour, row.has_unknown_cost

    run = CanaryRun(run=RunId("c.1"), since_ms=1, ended_at_ms=NOW_MS, cost_microusd=1_000)
    per_hour = 1_000 * 3_600_000 // RATE_WINDOW_MS
    old = msgspec.structs.replace(run, ended_at_ms=NOW_MS - RATE_WINDOW_MS - 1)
    assert cost(run, old) == (per_hour, False)
    unknown = msgspec.structs.replace(run, has_unknown_cost=True)
    assert cost(run, unknown) == (2 * per_hour, True)


def test_a_cost_that_is_not_known_is_no_number_to_filter_by() -> None:
    run = CanaryRun(run=RunId("c.1"), since_ms=1, ended_at_ms=NOW_MS, cost_microusd=1_000)
    for is_unknown in (False, True):
        canaries = (msgspec.structs.replace(run, has_unknown_cost=is_unknown),)
        agent = AgentState(name=A1, canaries=canaries)
        row = rows.agent_row(agent, None, None, rows.NO_RUNS, NOW_MS)
        assert (rows.agent_value(row, "cost") is None) is is_unknown


def test_the_tail_says_what_it_hides() -> None:
    found = rows.agent_rows(view(), {})
    assert rows.tail_text(found[7:]) == "13 more - all up"
    assert rows.tail_text(found[1:5]) == "4 more - 1 degraded, 1 draining, 2 up"


@pytest.mark.parametrize("payload", payloads.ALL)
def test_whatever_an_agent_calls_itself_stays_text(payload: str) -> None:
    agent = AgentState(name=A1, version=payload, reason=payload)
    row = rows.agent_row(agent, seeded_fleet().agents[A1], None, rows.NO_RUNS, NOW_MS)
    for cell in rows.agent_cells(row, UNICODE).values():
        assert cell.text.isprintable()


def test_ascii_terminals_get_ascii() -> None:
    for row in rows.agent_rows(view(), {}):
        assert all(cell.text.isascii() for cell in rows.agent_cells(row, ASCII).values())


def test_filters_ask_for_values() -> None:
    row = rows.agent_rows(view(), {})[0]
    answers = {key: rows.agent_value(row, key) for key in rows.AGENT_FILTER_KEYS}
    assert answers["agent"] == "agent-14"
    assert answers["pool"] == "gpu"
    assert answers["state"] == "unreachable"
    assert answers["p95"] is None
    row = replace(row, labels={"tier": "gold"})
    assert rows.agent_value(row, "label.tier") == "gold"
    assert rows.agent_value(row, "label.other") is None
