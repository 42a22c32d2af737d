"""The requirements of tasks, and which agents could ever satisfy them.

These filters depend on the fleet file alone, so their result is computed once per requirement and
cached: a queue of ten thousand tasks usually has a handful of different requirements.
"""

import msgspec

from fleet_tui.core.fleet import AgentSpec, FleetSpec, OpenClawAgent, TaskClass
from fleet_tui.core.ids import AgentName, Capability, ClientName, PoolName, Region
from fleet_tui.core.routing.decision import MAX_NAMED_PER_RULE, Rejection, Rule
from fleet_tui.core.tasks.model import TaskSpec

MAX_REMEMBERED = 1_024
"""Requirements whose answer is cached; beyond that the cache is cleared."""


GOING_ON = "checkpoint support"

_OF_FILE = tuple(rule for rule in Rule if rule.is_of_file)
"""What only programs have; stands beside the capabilities that a task needs."""


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a task that routing looks at. Equal requirements have equal answers."""

    needs: frozenset[Capability]
    pool: PoolName | None
    agent: AgentName | None
    client: ClientName | None
    project: str | None
    regions: frozenset[Region] | None
    """Where the work may run; None is anywhere. Already the intersection of the task's regions and
    every residency rule that matches it."""
    goes_on: bool = False
    """It has a checkpoint to resume from."""
    may_run_again: bool = False
    """It may run again whatever its outcome, so it can serve as a trial of agents whose runs
    fail."""


class Eligible(msgspec.Struct, frozen=True, kw_only=True):
    """Agents that the fleet file allows, and what each rule removed on the way."""

    agents: tuple[AgentSpec, ...]
    rejections: tuple[Rejection, ...]
    considered: int
    pools: tuple[PoolName, ...]
    """Where it may be placed, its home first: the pool whose agents have the least to spare for it,
    so specialists stay free. The others take it only when the home is full."""


def requirement_of(fleet: FleetSpec, spec: TaskSpec, *, goes_on: bool = False) -> Requirement:
    """A task's requirement under the fleet's residency rules; ``goes_on`` when it resumes from a
    checkpoint."""
    regions = frozenset(spec.regions) if spec.regions else None
    for rule in fleet.residency:
        for_client = rule.client is None or rule.client == spec.client
        for_project = rule.project is None or rule.project == spec.project
        if for_client and for_project:
            allowed = frozenset(rule.regions)
            regions = allowed if regions is None else regions & allowed
    return Requirement(
        needs=spec.needs,
        pool=spec.pool,
        agent=spec.agent,
        client=spec.client,
        project=spec.project,
        regions=regions,
        goes_on=goes_on,
        may_run_again=spec.task_class is TaskClass.IDEMPOTENT,
    )


class Roster:
    """A fleet file prepared for routing: answers :meth:`eligible` and caches the answers."""

    def __init__(self, fleet: FleetSpec) -> None:
        self.fleet = fleet
        self._agents = tuple(fleet.agents.values())
        self._reserved_clients = fleet.isolated.union(*(a.clients for a in self._agents))
        self._remembered: dict[Requirement, Eligible] = {}
        self.sharing = _sharing(fleet)
        """Agents of one gateway, by each of their names; no entry for an agent that has one to
        itself."""

    def slots_of_widest(self, names: tuple[AgentName, ...]) -> int:
        """The width of a lane that the gateway does not report: the most slots that the file gives
        to one of the agents that share it."""
        return max(self.fleet.agents[name].slots for name in names)

    def eligible(self, requirement: Requirement) -> Eligible:
        """Which agents the fleet file allows, in the file's order."""
        known = self._remembered.get(requirement)
        if known is None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[requirement] = self._work_out(requirement)
        return known

    def _work_out(self, wanted: Requirement) -> Eligible:
        left = self._agents
        rejections: list[Rejection] = []
        for rule in _OF_FILE:
            kept: list[AgentSpec] = []
            removed: list[AgentName] = []
            example = ""
            for agent in left:
                why = self._objection(rule, agent, wanted)
                if why is None:
                    kept.append(agent)
                else:
                    removed.append(agent.name)
                    example = example or why
            if removed:
                rejections.append(
                    Rejection(
                        rule=rule,
                        wanted=self._wanted(rule, wanted),
                        count=len(removed),
                        left=len(kept),
                        agents=tuple(removed[:MAX_NAMED_PER_RULE]),
                        example=example,
                    )
                )
            left = tuple(kept)
        pools = self._homes(left, wanted)
        kept_out = [a.name for a in left if a.pool not in pools]
        if kept_out:
            left = tuple(a for a in left if a.pool in pools)
            stranger = self.fleet.agents[kept_out[0]]
            rejections.append(
                Rejection(
                    rule=Rule.HOME,
                    wanted=pools[0],
                    count=len(kept_out),
                    left=len(left),
                    agents=tuple(kept_out[:MAX_NAMED_PER_RULE]),
                    example=f"{stranger.name} is in {stranger.pool}, which takes no overflow",
                )
            )
        return Eligible(
            agents=left, rejections=tuple(rejections), considered=len(self._agents), pools=pools
        )

    def _homes(self, agents: tuple[AgentSpec, ...], wanted: Requirement) -> tuple[PoolName, ...]:
        spare: dict[PoolName, int] = {}
        for agent in agents:
            extra = len(agent.capabilities - wanted.needs)
            spare[agent.pool] = min(extra, spare.get(agent.pool, extra))
        ranked = sorted(spare, key=spare.__getitem__)
        return tuple(
            name
            for place, name in enumerate(ranked)
            if not place or self.fleet.pools[name].overflow
        )

    def _objection(self, rule: Rule, agent: AgentSpec, wanted: Requirement) -> str | None:
        """Why the rule removes the agent, in words; None when it does not."""
        match rule:
            case Rule.PIN:
                if wanted.agent is not None and agent.name != wanted.agent:
                    return f"{agent.name} is not {wanted.agent}"
            case Rule.POOL:
                if wanted.pool is not None and agent.pool != wanted.pool:
                    return f"{agent.name} is in {agent.pool}"
            case Rule.CAPABILITY:
                missing = wanted.needs - agent.capabilities
                if missing:
                    return f"{agent.name} has no {', '.join(sorted(missing))}"
                # A gateway cannot be told where to resume: it would start over.
                if wanted.goes_on and isinstance(agent.kind, OpenClawAgent):
                    return f"{agent.name} cannot resume from a checkpoint"
            case Rule.RESIDENCY:
                if wanted.regions is not None and agent.region not in wanted.regions:
                    return f"{agent.name} is in {agent.region or 'no region'}"
            case Rule.ISOLATION:
                return self._isolated(agent, wanted)
            case Rule.HOME | Rule.STATE | Rule.TRIAL | Rule.CORDON | Rule.SLOTS:
                raise AssertionError(f"{rule} is not asked of one agent alone")
        return None

    def _isolated(self, agent: AgentSpec, wanted: Requirement) -> str | None:
        """Isolation holds both ways: a reserved agent works for its clients only, and a client that
        has reserved agents works on no others."""
        if agent.clients and wanted.client not in agent.clients:
            return f"{agent.name} is reserved for {', '.join(agent.clients)}"
        if not agent.clients and wanted.client in self._reserved_clients:
            return f"{agent.name} is shared and {wanted.client} is isolated"
        if agent.projects and wanted.project not in agent.projects:
            return f"{agent.name} is reserved for project {', '.join(agent.projects)}"
        return None

    def _wanted(self, rule: Rule, wanted: Requirement) -> str:
        match rule:
            case Rule.PIN:
                return wanted.agent or ""
            case Rule.POOL:
                return wanted.pool or ""
            case Rule.CAPABILITY:
                return ", ".join([*sorted(wanted.needs), *([GOING_ON] if wanted.goes_on else ())])
            case Rule.RESIDENCY:
                return ", ".join(sorted(wanted.regions or ())) or "no region at all"
            case Rule.ISOLATION:
                return wanted.client or wanted.project or "no client"
            case Rule.HOME | Rule.STATE | Rule.TRIAL | Rule.CORDON | Rule.SLOTS:
                return ""


def _sharing(fleet: FleetSpec) -> dict[AgentName, tuple[AgentName, ...]]:
    """Agents behind the same port of the same machine run in one lane, whatever name it is reached
    by."""
    behind: dict[tuple[object, int], list[AgentName]] = {}
    for spec in fleet.agents.values():
        if isinstance(spec.kind, OpenClawAgent):
            machine = fleet.machine(spec.host) if spec.host is not None else None
            behind.setdefault((machine, spec.kind.port), []).append(spec.name)
    return {name: tuple(names) for names in behind.values() if len(names) > 1 for name in names}
