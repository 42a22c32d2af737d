"""The mass-failure brake: how many lost agents freeze a pool, and which silence keeps it frozen."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.brake import WITHIN_MS, is_braked, reconcile_brake
from fleet_tui.core.agents.breaker import Breaker
from fleet_tui.core.agents.events import FailoverBraked, FailoverResumed
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.ids import AgentName, PoolName
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState
from tests.support.fleets import agent, fleet
from tests.support.ledger import Story

NOW_MS = 10_000_000
GENERAL, OTHER = PoolName("general"), PoolName("other")
REFUSING = Breaker(since_ms=1, until_ms=2, harmless=True, reason="refused three in a row")


def fleet_of(*healths: Health, since_ms: int = NOW_MS - 1, frozen: bool = False) -> FleetState:
    """Agents of one pool that all answered once."""
    story = Story(fleet(*(agent(f"a{n}") for n in range(len(healths)))))
    story.all_up()
    agents = {
        name: replace(known, health=health, since_ms=since_ms)
        for (name, known), health in zip(story.state.agents.items(), healths, strict=True)
    }
    pools = {GENERAL: "a test"} if frozen else {}
    return replace(story.state, agents=agents, braked_pools=pools)


def with_first(state: FleetState, **changes: object) -> FleetState:
    name = AgentName("a0")
    return replace(state, agents=state.agents | {name: replace(state.agents[name], **changes)})


def kinds(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


@pytest.mark.parametrize(
    ("lost", "up", "freezes"),
    [
        (3, 0, True),
        (2, 0, False),
        (3, 2, True),
        (3, 3, False),
        (11, 9, True),
        (10, 10, False),
    ],
)
def test_a_pool_is_braked_from_three_lost_agents_and_55_per_cent_of_it(
    lost: int, up: int, freezes: bool
) -> None:
    state = fleet_of(*[Health.UNREACHABLE] * lost, *[Health.UP] * up)
    events = reconcile_brake(state, NOW_MS)
    words = f"{lost} of {lost + up} agents lost within a minute"
    assert events == ([FailoverBraked(pool=GENERAL, reason=words)] if freezes else [])


@pytest.mark.parametrize(("ago_ms", "freezes"), [(WITHIN_MS, True), (WITHIN_MS + 1, False)])
def test_agents_lost_one_by_one_over_more_than_a_minute_freeze_nothing(
    ago_ms: int, freezes: bool
) -> None:
    state = fleet_of(*[Health.DOWN] * 3, since_ms=NOW_MS - ago_ms)
    assert kinds(reconcile_brake(state, NOW_MS)) == ([FailoverBraked] if freezes else [])


@pytest.mark.parametrize(
    ("silent", "up", "thaws"), [(11, 9, False), (10, 10, True), (1, 1, True), (1, 0, False)]
)
def test_a_pool_is_thawed_when_less_than_55_per_cent_of_it_are_silent(
    silent: int, up: int, thaws: bool
) -> None:
    state = fleet_of(*[Health.JOINING] * silent, *[Health.UP] * up, frozen=True)
    assert kinds(reconcile_brake(state, NOW_MS)) == ([FailoverResumed] if thaws else [])


def test_a_pool_without_a_silent_agent_is_thawed() -> None:
    events = reconcile_brake(fleet_of(Health.UP, frozen=True), NOW_MS)
    assert events == [FailoverResumed(pool=GENERAL)]


@pytest.mark.parametrize(
    ("health", "breaker", "failure", "is_silent"),
    [
        (Health.SUSPECT, None, FailureKind.TIMEOUT, True),
        (Health.SUSPECT, None, None, True),
        (Health.SUSPECT, REFUSING, FailureKind.TIMEOUT, True),
        (Health.SUSPECT, REFUSING, None, False),
        (Health.DOWN, REFUSING, None, True),
        (Health.UNREACHABLE, None, FailureKind.TIMEOUT, True),
        (Health.DEGRADED, None, None, False),
    ],
)
def test_an_agent_that_answers_and_whose_work_fails_is_not_silent(
    health: Health, breaker: Breaker | None, failure: FailureKind | None, is_silent: bool
) -> None:
    state = with_first(fleet_of(health, frozen=True), breaker=breaker, failure=failure)
    assert kinds(reconcile_brake(state, NOW_MS)) == ([] if is_silent else [FailoverResumed])


def test_a_frozen_pool_that_left_the_fleet_file_is_thawed() -> None:
    state = replace(fleet_of(Health.UP), braked_pools={OTHER: "a test"})
    assert reconcile_brake(state, NOW_MS) == [FailoverResumed(pool=OTHER)]


def test_a_frozen_pool_in_which_nobody_ever_answered_is_thawed() -> None:
    state = fleet_of(Health.JOINING, frozen=True)
    never = AgentState(name=AgentName("a0"))
    assert reconcile_brake(replace(state, agents={never.name: never}), NOW_MS) == [
        FailoverResumed(pool=GENERAL)
    ]


def test_silence_is_braked_in_its_own_pool_and_everywhere_for_an_agent_of_no_pool() -> None:
    story = Story(fleet(agent("a0"), agent("b0", pool="other")))
    state = replace(story.state, braked_pools={GENERAL: "a test"})
    assert is_braked(state, AgentName("a0"))
    assert not is_braked(state, AgentName("b0"))
    assert is_braked(state, AgentName("retired"))
    assert not is_braked(replace(state, braked_pools={}), AgentName("retired"))


NEVER = tuple(health for health in Health if not health.takes_work)
"""What an agent can be that never answered."""


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("others", [1, 2, 3, 9, 40])
@pytest.mark.parametrize("health", NEVER)
@pytest.mark.parametrize(("lost", "up"), [(1, 1), (2, 0), (2, 3), (3, 0), (3, 2), (3, 3), (0, 4)])
def test_agents_that_never_answered_neither_freeze_a_pool_nor_keep_it_frozen(
    lost: int, up: int, health: Health, others: int, frozen: bool
) -> None:
    """Names that were never resolved, hosts that are only being set up: however many join, and
    whatever their looks say of them, what is concluded is what would be without them."""
    known = [*[Health.DOWN] * lost, *[Health.UP] * up]
    without = fleet_of(*known, frozen=frozen)
    among = fleet_of(*known, *[health] * others, frozen=frozen)
    names = [AgentName(f"a{n}") for n in range(len(known), len(known) + others)]
    joining = {name: replace(among.agents[name], was_up=False) for name in names}
    among = replace(among, agents=among.agents | joining)
    assert reconcile_brake(among, NOW_MS) == reconcile_brake(without, NOW_MS)
