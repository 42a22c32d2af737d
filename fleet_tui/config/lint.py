"""Warnings about a valid fleet file, such as work that no agent could ever get."""

from collections import Counter

from fleet_tui.config.near_names import slips
from fleet_tui.config.problems import Source, did_you_mean
from fleet_tui.config.reader import Loc, Node, Scalar, find, find_key, written
from fleet_tui.config.validate import dotted
from fleet_tui.core.fleet import AgentSpec, CommandAgent, FleetSpec, LocalAgent, ResidencyRule
from fleet_tui.core.text import words
from fleet_tui.core.text.names import look_alike
from fleet_tui.core.text.redaction import holds_secret

NOT_USED_YET = {
    "min_up": "no change is held by it",
    "start_command": "no gateway is started with it",
    "openclaw_bin": "no program is run on the host by it",
}
"""Settings of the fleet file that are not used yet, and the consequence."""


def lint(source: Source, root: Node, spec: FleetSpec) -> None:
    """Note every warning about a fleet that can be used."""
    _Lint(source, root, spec).run()


class _Lint:
    def __init__(self, source: Source, root: Node, spec: FleetSpec) -> None:
        self.source = source
        self.root = root
        self.spec = spec

    def run(self) -> None:
        if self.spec.agents:
            self._empty_pools()
            self._unused_hosts()
            for at, rule in enumerate(self.spec.residency):
                self._residency(("routing", "residency", at), rule)
            self._isolated_clients()
        for agent in self.spec.agents.values():
            self._isolation(agent)
            self._probe(agent)
            self._variables(agent)
        self._limits()
        self._not_used_yet()
        self._twins()
        self._slips()
        self._deadlines()

    def _not_used_yet(self) -> None:
        """Settings that are stored but have no effect: their author relies on them."""
        places: list[Loc] = [("defaults",)]
        places += [("pools", pool) for pool in self.spec.pools]
        places += [("agents", agent) for agent in self.spec.agents]
        for setting, effect in NOT_USED_YET.items():
            found = [loc for loc in places if written(self.root, (*loc, setting))]
            if found:
                others = words.plural(len(found) - 1, "more time")
                also = f", here and {others}" if found[1:] else ""
                self._warn((*found[0], setting), f"is not used yet{also}: {effect}")

    def _twins(self) -> None:
        """Clients whose names look alike, so that people mistake one for the other."""
        spec = self.spec
        named: dict[str, Loc] = {
            **{name: ("limits", "clients", name) for name in spec.limits.clients},
            **dict.fromkeys(spec.isolated, ("routing", "isolated")),
            **{rule.client: ("routing", "residency") for rule in spec.residency if rule.client},
            **{name: ("agents", a.name) for a in spec.agents.values() for name in a.clients},
        }
        for name, loc in named.items():
            others = (other for other in named if other < name)
            if (other := look_alike(name, others)) is not None:
                self._warn(loc, f'client "{name}" looks like "{other}", and is another one')

    def _slips(self) -> None:
        for loc, what, name, near in slips(self.root, self.spec):
            meant = "it is taken for a name of ssh_config or DNS" if what == "host" else ""
            said = f'{what} "{name}" is named nowhere else - did you mean "{near}"?'
            if what == "host":
                said = f'there is no host "{name}" under hosts - did you mean "{near}"?'
            self._warn(loc, said, meant)

    def _empty_pools(self) -> None:
        used = Counter(agent.pool for agent in self.spec.agents.values())
        for pool in self.spec.pools:
            if not used[pool]:
                self._warn(("pools", pool), "no agent is in this pool", "its tasks would wait")

    def _unused_hosts(self) -> None:
        used = {agent.host for agent in self.spec.agents.values()}
        used |= {host.jump for host in self.spec.hosts.values()}
        for host in self.spec.hosts:
            if host not in used:
                self._warn(("hosts", host), "no agent runs there and no host goes through it")

    def _residency(self, loc: Loc, rule: ResidencyRule) -> None:
        served = {agent.region for agent in self.spec.agents.values() if agent.region}
        if served.intersection(rule.regions) and not any(
            _can_serve(agent, rule) for agent in self.spec.agents.values()
        ):
            whose = rule.client or rule.project
            self._warn(
                loc,
                f"no agent can serve {whose}: those in {', '.join(rule.regions)} are reserved for "
                "others",
                value=True,
            )

    def _isolated_clients(self) -> None:
        """Clients that wait for an agent of their own."""
        served = {client for agent in self.spec.agents.values() for client in agent.clients}
        for client in sorted(self.spec.isolated - served):
            self._warn(
                ("routing", "isolated"),
                f"no agent isolates {client}{did_you_mean(client, served)}",
                "its tasks would wait",
            )

    def _isolation(self, agent: AgentSpec) -> None:
        """An agent reserved for clients none of whose work may run where it stands."""
        if not agent.clients or not self.spec.residency:
            return
        kept_out = [
            rule
            for client in agent.clients
            for rule in self.spec.residency
            if rule.client == client and rule.project is None and agent.region not in rule.regions
        ]
        if {rule.client for rule in kept_out} >= set(agent.clients):
            lines = ", ".join(f"line {rule.line}" for rule in kept_out if rule.line)
            where = f"in {agent.region}" if agent.region else "in no region"
            self._warn(
                ("agents", agent.name),
                f"will never get work: it is {where} and reserved for "
                f"{', '.join(agent.clients)}, whose work must stay elsewhere ({lines})",
            )

    def _probe(self, agent: AgentSpec) -> None:
        if agent.probe.timeout_ms > agent.probe.every_ms:
            self._warn(
                ("agents", agent.name),
                "a probe may take longer than the time to the next one",
                "make probe.timeout at most probe.every",
            )

    def _variables(self, agent: AgentSpec) -> None:
        given = [("labels", agent.labels)]
        if isinstance(agent.kind, CommandAgent | LocalAgent):
            given.append(("env", agent.kind.env))
        for where, named in given:
            for name in (name for name, value in named.items() if holds_secret(name, value)):
                self._warn(
                    ("agents", agent.name, where, name),
                    "looks like a secret written out",
                    "write a reference such as secret:env:NAME",
                )

    def _limits(self) -> None:
        most = self.spec.limits.open
        lanes = {("lanes", lane.name): limit for lane, limit in self.spec.limits.lanes.items()}
        clients = {("clients", name): limit for name, limit in self.spec.limits.clients.items()}
        for loc, limit in (lanes | clients).items():
            if limit > most:
                self._warn(("limits", *loc), f"is above limits.open ({most:,}), which comes first")

    def _deadlines(self) -> None:
        limits = self.spec.deadlines
        if limits.start_to_close_ms is None:
            return
        if limits.heartbeat_ms is not None and limits.heartbeat_ms >= limits.start_to_close_ms:
            self._warn(
                ("deadlines", "heartbeat"), "is not shorter than start_to_close, which comes first"
            )
        if limits.total_ms is not None and limits.total_ms < limits.start_to_close_ms:
            self._warn(
                ("deadlines", "total"),
                "is shorter than start_to_close, which can then never be reached",
            )

    def _warn(self, loc: Loc, message: str, hint: str = "", *, value: bool = False) -> None:
        node = find(self.root, loc) if value else find_key(self.root, loc)
        width = node.width if isinstance(node, Scalar) else 1
        mark = node.mark if node else None
        self.source.warn(mark, message, path=dotted(loc), hint=hint, width=width)


def _can_serve(agent: AgentSpec, rule: ResidencyRule) -> bool:
    if agent.region not in rule.regions:
        return False
    if rule.client and agent.clients and rule.client not in agent.clients:
        return False
    return not (rule.project and agent.projects and rule.project not in agent.projects)
