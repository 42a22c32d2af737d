"""What runs cost, whatever becomes of the fleet file meanwhile."""

from msgspec.structs import replace

from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import Prices
from fleet_tui.core.tasks.evidence import Finished, Started, Usage
from tests.support.task import Run


def test_a_run_of_an_agent_that_left_the_fleet_file_costs_what_it_was_to_cost() -> None:
    prices = Prices(input_microusd_per_mtok=3_000_000, output_microusd_per_mtok=15_000_000)
    run = Run()
    story, name = run.story, run.task.attempts[0].agent
    before = story.state.fleet
    priced = {n: replace(spec, prices=prices) for n, spec in before.agents.items()}
    story.add(FleetLoaded(spec=replace(before, agents=priced)))
    run.fact(Started())
    others = {n: spec for n, spec in priced.items() if n != name}
    story.add(FleetLoaded(spec=replace(before, agents=others)))
    story.add(FleetLoaded(spec=replace(before, agents=others, digest="1" * 64)))
    run.fact(Finished(ok=True, usage=Usage(input_tokens=2, output_tokens=1)))
    assert run.task.cost_microusd == story.state.totals.cost_microusd == 21
