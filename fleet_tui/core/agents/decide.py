"""What a command for agents means: the events it becomes, or why it is refused."""

from typing import assert_never

from fleet_tui.core.agents.commands import AgentCommand, Cordon, ProbeNow, Uncordon
from fleet_tui.core.agents.events import AgentCordoned, AgentUncordoned
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.decided import Decided, Verdict, unknown_name
from fleet_tui.core.ledger.refusals import Nameable, RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState


def decide_agents(state: FleetState, by: str, command: AgentCommand) -> Verdict:
    """The meaning of a command for agents. ProbeNow changes no state: it is the engine's."""
    problem = _unknown(state, command.agents)
    if problem is not None:
        return problem
    match command:
        case Cordon(agents=agents, reason=reason):
            fresh = [n for n in agents if state.agents[n].cordon is None]
            return Decided(
                events=tuple(AgentCordoned(agent=n, by=by, reason=reason) for n in fresh)
            )
        case Uncordon(agents=agents):
            held = [n for n in agents if state.agents[n].cordon is not None]
            return Decided(events=tuple(AgentUncordoned(agent=n, by=by) for n in held))
        case ProbeNow():
            return Decided()
        case _:
            assert_never(command)


def _unknown(state: FleetState, agents: tuple[AgentName, ...]) -> Refused | None:
    if not agents:
        return Refused(code=RefusalCode.NOTHING_NAMED, text="No agent was named.")
    for name in agents:
        if name not in state.agents:
            return unknown_name(Nameable.AGENT, name, state.agents)
    return None
