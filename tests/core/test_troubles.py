"""What is wrong with the agents that a task waits for."""

from fleet_tui.core.events import HealthChanged
from fleet_tui.core.ids import AgentName
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.state import AgentState, Health
from fleet_tui.core.troubles import MAX_NAMED, cure_of, trouble_of, waits_for
from fleet_tui.core.vitals import FailureKind
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story


def test_a_waiting_task_names_what_is_wrong_with_each_agent_and_whose_turn_it_is() -> None:
    story = Story(fleet(agent("cleo"), agent("bert"), agent("anna")))
    story.all_up()
    for name, kind in (("cleo", FailureKind.GATEWAY_AUTH), ("bert", FailureKind.GATEWAY_DOWN)):
        story.add(
            HealthChanged(
                agent=AgentName(name),
                health=Health.DOWN,
                was=Health.UP,
                reason="gone",
                failure=kind,
            )
        )
    story.cordon("anna")
    task = story.submit(work())
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    found = story.state.task(task)
    assert found is not None
    assert waits_for(story.state, found).told == (
        ("cleo", "down: gateway-auth, needs an operator"),
        ("bert", "down: gateway-down"),
        ("anna", "cordoned by me"),
    )
    story.health("bert", Health.UP)
    still = [name for name, _ in waits_for(story.state, found).told]
    assert still == ["cleo", "anna"], "what was is not told as what is"


def test_of_a_large_fleet_a_few_are_named() -> None:
    story = Story(fleet(*(agent(f"a{n}") for n in range(40))))
    task = story.submit(work())
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    found = story.state.task(task)
    assert found is not None
    waits = waits_for(story.state, found)
    assert len(waits.told) == MAX_NAMED
    assert waits.more
    assert all(trouble_of(a) == "joining" for a in story.state.agents.values())


def test_every_failure_has_a_cure() -> None:
    for kind in FailureKind:
        found = AgentState(
            name=AgentName("a"), health=Health.DOWN, failure=kind, reason=f"because of {kind.value}"
        )
        assert cure_of(found)
        assert kind.value in (trouble_of(found) or "")
    for health in Health:
        assert cure_of(AgentState(name=AgentName("a"), health=health))
