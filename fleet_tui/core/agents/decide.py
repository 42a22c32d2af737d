"""What a command for agents means: the events it becomes, or why it is refused."""

from typing import assert_never

from fleet_tui.core.agents.commands import AgentCommand, Cordon, ProbeNow, Uncordon
from fleet_tui.core.agents.events import AgentCordoned, AgentUncordoned
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.decided import Decided, LeftOut, Verdict, unknown_name
from fleet_tui.core.ledger.refusals import Nameable, RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState


def decide_agents(state: FleetState, by: str, command: AgentCommand) -> Verdict:
    """The meaning of a command for agents. ProbeNow changes no state: it is the engine's."""
    problem = _unknown(state, command.agents)
    if problem is not None:
        return problem
    match command:
        case Cordon(reason=reason):
            return _cordon(state, by, command.agents, reason)
        case Uncordon():
            return _uncordon(state, by, command.agents)
        case ProbeNow():
            return Decided()
        case _:
            assert_never(command)


def _cordon(state: FleetState, by: str, names: tuple[AgentName, ...], reason: str) -> Decided:
    """What is cordoned already stays as it is: asking for it twice is no mistake."""
    fresh, left_out = [], []
    for name in dict.fromkeys(names):
        held = state.agents[name].cordon
        if held is None:
            fresh.append(AgentCordoned(agent=name, by=by, reason=reason))
        else:
            why = f"{name} is cordoned already, by {held.by}."
            refused = Refused(code=RefusalCode.ALREADY_CORDONED, text=why)
            left_out.append(LeftOut(name, name, refused))
    return Decided(events=tuple(fresh), changed=len(fresh), left_out=tuple(left_out))


def _uncordon(state: FleetState, by: str, names: tuple[AgentName, ...]) -> Decided:
    fresh, left_out = [], []
    for name in dict.fromkeys(names):
        if state.agents[name].cordon is not None:
            fresh.append(AgentUncordoned(agent=name, by=by))
        else:
            refused = Refused(code=RefusalCode.NOT_CORDONED, text=f"{name} is not cordoned.")
            left_out.append(LeftOut(name, name, refused))
    return Decided(events=tuple(fresh), changed=len(fresh), left_out=tuple(left_out))


def _unknown(state: FleetState, agents: tuple[AgentName, ...]) -> Refused | None:
    if not agents:
        return Refused(code=RefusalCode.NOTHING_NAMED, text="No agent was named.")
    for name in agents:
        if name not in state.agents:
            return unknown_name(Nameable.AGENT, name, state.agents)
    return None
