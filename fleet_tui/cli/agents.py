"""Agents: list them, keep some out of routing, let them take work again."""

import click

from fleet_tui.cli.common import (
    Fleet,
    emit_json,
    emit_table,
    engine_gone,
    fleet_option,
    json_option,
    ledger_of,
    say,
    watch_option,
    watched,
)
from fleet_tui.cli.recordings import look_at
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.words import limited_releases, listed, word_of
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.untrusted import Untrusted

MAX_WHY_CHARS = 160
"""Of why an agent takes no work, and its own report about that."""


@click.command()
@fleet_option
@json_option
@watch_option
def agents_command(fleet_text: str | None, as_json: bool, again_s: float | None) -> None:
    """List the agents, worst first, with the work and cost of each."""
    fleet = look_at(fleet_text)
    watched(lambda: _show(fleet, as_json), again_s)


def _show(fleet: Fleet, as_json: bool) -> None:
    with ledger_of(fleet) as ledger:
        state = ledger.load()
    if gone := engine_gone(fleet, state):
        say(gone, err=True)
    now_ms = fleet.now_ms(state)
    agents = listed(state.agents.values())
    if as_json:
        emit_json(
            "agents",
            fleet=fleet.name,
            at_ms=now_ms,
            agents=[{"agent": a, "declared": state.fleet.agents.get(a.name)} for a in agents],
        )
        return
    emit_table(
        ("STATE", "AGENT", "POOL", "REGION", "SLOTS", "OK", "FAILED", "COST", "SINCE", "WHY"),
        (_row(state, agent, now_ms) for agent in agents),
        empty="The fleet has no agents.",
    )
    for release in limited_releases(agents):
        say(f"on release {release.named}:")
        for limit in release.limits:
            say(f"  {limit.text}")


def _row(state: FleetState, agent: AgentState, now_ms: int) -> list[str]:
    spec = state.fleet.agents.get(agent.name)
    said = f": {agent.detail.raw}" if agent.detail else ""
    why = agent.cordon.reason if agent.cordon is not None else agent.reason + said
    if agent.runs and agent.silent_since_ms is not None:
        runs = words.plural(len(agent.runs), "run")
        silent = words.age(agent.silent_since_ms, now_ms)
        why = f"no report of {runs} for {silent}; {why}"
    return [
        word_of(agent),
        agent.name,
        spec.pool if spec is not None else "-",
        (spec.region or "-") if spec is not None else "-",
        f"{len(agent.runs)}/{spec.slots}" if spec is not None else str(len(agent.runs)),
        words.count(agent.succeeded),
        words.count(agent.failed),
        words.cost(agent.cost_microusd, is_unknown=agent.has_unknown_cost),
        words.age(agent.since_ms, now_ms),
        safe_line(Untrusted(why), MAX_WHY_CHARS)
        if agent.health is not Health.UP or agent.cordon
        else "",
    ]
