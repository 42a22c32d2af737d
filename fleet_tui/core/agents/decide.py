"""What a command for agents means: the events it becomes, or why it is refused."""

from typing import assert_never

from fleet_tui.core.agents.commands import AgentCommand, Cordon, ProbeNow, Uncordon
from fleet_tui.core.agents.events import AgentCordoned, AgentUncordoned
from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.agents.outcomes import trust
from fleet_tui.core.fleet import Nameable
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.decided import Decided, Decision, LeftOut, changed_since, unknown_name
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState


def decide_agents(state: FleetState, by: str, command: AgentCommand, now_ms: int) -> Decision:
    """The meaning of a command for agents. ProbeNow changes no state: the engine carries it out."""
    problem = _unknown(state, command.agents)
    if problem is not None:
        return problem
    match command:
        case Cordon(reason=reason):
            return _cordon(state, by, command.agents, reason)
        case Uncordon(cordoned=made):
            return _uncordon(state, by, command.agents, made, now_ms)
        case ProbeNow():
            return Decided()
        case _:
            assert_never(command)


def _cordon(state: FleetState, by: str, names: tuple[AgentName, ...], reason: str) -> Decided:
    """Agents already cordoned are left unchanged: asking twice is no error."""
    fresh, left_out = [], []
    for name in dict.fromkeys(names):
        cordon = state.agents[name].cordon
        if cordon is None:
            fresh.append(AgentCordoned(agent=name, by=by, reason=reason))
        else:
            why = f"{name} is already cordoned by {cordon.by}."
            refused = Refused(code=RefusalCode.ALREADY_CORDONED, text=why)
            left_out.append(LeftOut(name, name, refused))
    return Decided(events=tuple(fresh), changed=len(fresh), left_out=tuple(left_out))


def _uncordon(
    state: FleetState, by: str, names: tuple[AgentName, ...], made: Made | None, now_ms: int
) -> Decided:
    """An agent without a cordon may be kept out by its breaker: it is trusted again."""
    taken_off, closed, left_out = [], [], []
    chosen = dict.fromkeys(names)
    for name in chosen:
        agent = state.agents[name]
        refused = _not_uncordoned(agent, made, now_ms)
        if refused is not None:
            left_out.append(LeftOut(name, name, refused))
        elif agent.cordon is not None:
            taken_off.append(AgentUncordoned(agent=name, by=by))
        else:
            closed.extend(trust(agent, f"uncordoned by {by}", by=by))
    changed = len(chosen) - len(left_out)
    return Decided(events=(*taken_off, *closed), changed=changed, left_out=tuple(left_out))


def _not_uncordoned(agent: AgentState, made: Made | None, now_ms: int) -> Refused | None:
    cordon = agent.cordon
    is_doubted = agent.breaker is not None or agent.on_probation(now_ms) is not None
    if cordon is None and is_doubted and made is None:
        return None
    if cordon is None:
        return Refused(code=RefusalCode.NOT_CORDONED, text=f"{agent.name} is not cordoned.")
    what = f"{agent.name} is cordoned"
    return changed_since(what, made, cordon.by, cordon.since_ms) if made is not None else None


def _unknown(state: FleetState, agents: tuple[AgentName, ...]) -> Refused | None:
    if not agents:
        return Refused(code=RefusalCode.NOTHING_NAMED, text="No agent was named.")
    for name in agents:
        if name not in state.agents:
            return unknown_name(Nameable.AGENT, name, state.agents)
    return None
