"""One word and one order for agents, on every surface."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.console.views.agents.rows import agent_rows
from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.agents.vitals import Limit
from fleet_tui.core.agents.words import AgentWord, limited_releases, listed, word_of, worst_first
from fleet_tui.core.ids import AgentName
from tests.support.fake_feed import FakeFeed

CORDON = CordonRecord(by="ops", reason="disk", since_ms=1)


def agent(health: Health, cordon: CordonRecord | None = None) -> AgentState:
    return AgentState(name=AgentName("a"), health=health, cordon=cordon)


def test_every_health_has_its_word() -> None:
    assert [word_of(agent(health)) for health in Health] == [health.value for health in Health]


def test_cordoned_is_the_word_only_while_the_agent_is_well() -> None:
    cordoned = {h for h in Health if word_of(agent(h, CORDON)) is AgentWord.CORDONED}
    assert cordoned == {Health.UP, Health.DEGRADED}


def test_every_word_has_a_place() -> None:
    for word in AgentWord:
        assert word.order >= 0
    problems = {word for word in AgentWord if word.is_problem}
    assert set(AgentWord) - problems == {AgentWord.CORDONED, AgentWord.UP, AgentWord.RETIRED}


def test_the_worst_stand_first() -> None:
    places = [{word.value for word in AgentWord if word.order == place} for place in range(8)]
    assert places == [
        {"down", "unreachable"},
        {"quarantined"},
        {"suspect"},
        {"degraded"},
        {"starting", "joining", "draining"},
        {"cordoned"},
        {"up"},
        {"retired"},
    ]


@given(
    st.lists(st.tuples(st.sampled_from(AgentWord), st.integers(0, 9), st.text("ab", min_size=1)))
)
def test_troubles_come_first_and_the_newest_of_them_before_the_others(
    agents: list[tuple[AgentWord, int, str]],
) -> None:
    ordered = sorted(agents, key=lambda a: worst_first(*a))
    orders = [word.order for word, _, _ in ordered]
    assert orders == sorted(orders)
    for (word, since, name), (later, later_since, later_name) in itertools.pairwise(ordered):
        if word.order == later.order and word.is_problem:
            assert since >= later_since
        elif word.order == later.order:
            assert name <= later_name


def test_the_command_line_lists_agents_as_the_console_does() -> None:
    scene = FakeFeed().view()
    rows = agent_rows(scene, {})
    assert [row.name for row in rows] == [a.name for a in listed(scene.state.agents.values())]
    words = {a.name: word_of(a) for a in scene.state.agents.values()}
    assert {row.name: row.state for row in rows} == words
    assert len(set(words.values())) > 3, "the scene is worth comparing"


def runs(name: str, version: str | None, *limits: Limit, health: Health = Health.UP) -> AgentState:
    return AgentState(name=AgentName(name), health=health, version=version, limits=limits)


def test_what_a_release_cannot_do_is_told_once_with_the_agents_that_run_it() -> None:
    found = limited_releases(
        [
            runs("dora", "2026.6.11", Limit.NO_FENCE, Limit.NO_LANES),
            runs("anna", "2026.9.6"),
            runs("emil", "2026.7.1", Limit.NO_FENCE),
            runs("bert", "2026.6.11", Limit.NO_FENCE, Limit.NO_LANES),
            runs("gone", "2026.6.11", Limit.NO_FENCE, health=Health.RETIRED),
            runs("cleo", "2026.7.1", Limit.NO_LANES),
        ]
    )
    assert [(each.named, each.limits) for each in found] == [
        ("2026.6.11 (dora, bert)", (Limit.NO_FENCE, Limit.NO_LANES)),
        ("2026.7.1 (emil)", (Limit.NO_FENCE,)),
        ("2026.7.1 (cleo)", (Limit.NO_LANES,)),
    ]


def test_of_many_agents_of_a_release_a_few_are_named() -> None:
    for count, named in (
        (5, "(a0, a1, a2, a3, a4)"),
        (6, "(a0, a1, a2, a3, a4 and 1 more)"),
        (7, "(a0, a1, a2, a3, a4 and 2 more)"),
    ):
        (found,) = limited_releases(runs(f"a{n}", None, Limit.NO_FENCE) for n in range(count))
        assert found.named == f"unknown {named}"


def test_what_a_gateway_calls_its_release_is_safe_to_show() -> None:
    (found,) = limited_releases([runs("a", "2026\x1b[2J" + "9" * 100, Limit.NO_FENCE)])
    assert found.version.startswith("2026␛[2J999")
    assert len(found.version) <= 40
