"""Verbs for agents."""

from collections.abc import Sequence

from fleet_tui.core.agents.commands import Cordon, ProbeNow, Uncordon
from fleet_tui.core.ids import AgentName
from fleet_tui.core.plans import impact_words, subjects
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.chapters import Chapter
from fleet_tui.verbs.verb import Noun, Option, PlanFact, Planned, Verb


def _agents(names: Sequence[str]) -> tuple[AgentName, ...]:
    return tuple(map(AgentName, names))


def _cordon_facts(planned: Planned) -> Sequence[PlanFact]:
    names = map(AgentName, subjects(planned.plan.command))
    running = sum(len(planned.state.agents[name].runs) for name in names)
    facts = [PlanFact("No new work.")]
    if running:
        goes = "continues" if running == 1 else "continue"
        facts.append(PlanFact(f"{words.plural(running, 'running task')} {goes}."))
    losses = impact_words(planned.plan.impact)
    return [*facts, *(PlanFact(safe_line(each), is_loss=True) for each in losses)]


CORDON = Verb(
    name="cordon",
    key="C",
    noun=Noun.AGENT,
    chapter=Chapter.AGENTS_AND_ALERTS,
    title="cordon the agent",
    summary="Take agents out of routing; running work continues.",
    help="Places no new work on the agent; its running tasks continue.",
    done="cordoned",
    label="cordon",
    footer=54,
    command=lambda names, said: Cordon(agents=_agents(names), reason=said.reason),
    options=(Option.REASON,),
    facts=_cordon_facts,
)

UNCORDON = Verb(
    name="uncordon",
    key="U",
    noun=Noun.AGENT,
    chapter=Chapter.AGENTS_AND_ALERTS,
    title="uncordon the agent",
    summary="Return agents to routing.",
    help="Ends the cordon; without one, closes the circuit breaker that failed work opened.",
    done="uncordoned",
    label="uncordon",
    footer=18,
    command=lambda names, said: Uncordon(agents=_agents(names)),
)

PROBE = Verb(
    name="probe",
    key="ctrl+r",
    noun=Noun.AGENT,
    chapter=Chapter.AGENTS_AND_ALERTS,
    title="probe now",
    summary="Probe agents now instead of waiting for the next interval.",
    help="Changes nothing on the agent or its host.",
    done="probed",
    goes_on="being probed",
    command=lambda names, said: ProbeNow(agents=_agents(names)),
)

AGENT_WORDS = (CORDON, UNCORDON, PROBE)
