"""Resolves a validated fleet file to a :class:`FleetSpec`: applies defaults, looks up names.

Absent values come from the next level up: agent, then its pool, then ``defaults``, then the
program's own. Lists replace, maps (labels, env, prices, probe) merge key by key.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fleet_tui.config.levels import Levels, prices, probe
from fleet_tui.config.models import (
    NEVER,
    AgentEntry,
    Defaults,
    HostEntry,
    LanesEntry,
    LimitsEntry,
    PoolEntry,
    RetryBudgetEntry,
    RetryEntry,
    RoutingEntry,
)
from fleet_tui.config.problems import APART, Source, did_you_mean
from fleet_tui.config.reader import Loc, Mapping, Node, Scalar, find, find_key, written
from fleet_tui.config.validate import Valid, dotted
from fleet_tui.core.fleet import (
    AgentKind,
    AgentSpec,
    CommandAgent,
    Deadlines,
    FleetSpec,
    HostSpec,
    LocalAgent,
    OpenClawAgent,
    PoolSpec,
    Priority,
    QueueLimits,
    ResidencyRule,
    RetryBudget,
    RetryPolicy,
    Strategy,
    TaskClass,
)
from fleet_tui.core.ids import AgentName, Capability, ClientName, HostName, PoolName, Region
from fleet_tui.core.ssh.ways import MAX_JUMPS
from fleet_tui.core.text.names import twins

IMPLIED_POOL = "default"
"""The pool of every agent in a file that has no pools."""

DIRECT = "none"
"""As a jump: connect directly, whatever defaults and ssh_config say."""

_OPENCLAW_ONLY = (
    "port",
    "agent_id",
    "token",
    "openclaw_bin",
    "start_command",
    "keep_sessions",
    "canary",
)
_PROGRAM_ONLY = ("command", "run_dir", "env")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Meant:
    """The meaning of a file."""

    spec: FleetSpec | None
    hosts: tuple[HostSpec, ...]
    """Its hosts, even if there is no fleet; of a file valid in part they may lack something."""


def resolve(source: Source, root: Node, valid: Valid, *, digest: str, home: Path | None) -> Meant:
    """The fleet the file means, or none with the reasons in ``source``. Never raises.

    ``home`` is what ``~`` stands for in key files; relative ones start at the fleet file. Of a file
    that is only valid in part the names are still looked up, so that one run shows every problem.
    """
    resolver = _Resolver(source, root, valid, home)
    return Meant(resolver.fleet(digest), tuple(resolver.hosts.values()))


class _Resolver:
    def __init__(self, source: Source, root: Node, valid: Valid, home: Path | None) -> None:
        self.source = source
        self.root = root
        self.file = valid.file
        self.whole = valid.whole
        self.home = home
        self.hosts: dict[HostName, HostSpec] = {}
        self.pools = self.file.pools or {IMPLIED_POOL: PoolEntry()}
        self.default_way = self._default_way()

    def fleet(self, digest: str) -> FleetSpec | None:
        for name, entry in self.file.hosts.items():
            self._add_host(name, entry)
        pools = self._pools()
        self._known_pool(("defaults", "pool"), self.file.defaults.pool)
        self._twins("pools", self.file.pools)
        self._twins("agents", self.file.agents)
        agents = {AgentName(name): self._agent(name) for name in self.file.agents}
        self._jumps({spec.host for spec in agents.values() if spec and spec.host})
        self._same_host_twice()
        self._same_gateway_twice({name: spec for name, spec in agents.items() if spec})
        residency = self._residency()
        if self.source.errors:
            return None
        routing = self.file.routing or RoutingEntry()
        return FleetSpec(
            name=self.file.fleet,
            hosts=self.hosts,
            pools=pools,
            agents={name: spec for name, spec in agents.items() if spec},
            residency=residency,
            isolated=self._isolated(),
            clients=frozenset(ClientName(each) for each in routing.clients or ()),
            projects=frozenset(routing.projects or ()),
            retry=self._retry(),
            retry_budget=self._retry_budget(),
            limits=self._limits(),
            deadlines=self._deadlines(),
            lost_after_ms=self._lost_after_ms(),
            protected=bool(self.file.protected),
            source=self.source.name,
            digest=digest,
        )

    # Hosts

    def _add_host(self, name: str, entry: HostEntry) -> HostName:
        """Declare a host, and the hosts it goes through."""
        added = HostName(name)
        step: str | None = name
        while step is not None and HostName(step) not in self.hosts:
            spec = self._host_spec(HostName(step), entry)
            self.hosts[spec.name] = spec
            step = spec.jump
            entry = self.file.hosts.get(step or "", HostEntry())
        return added

    def _host_spec(self, name: HostName, entry: HostEntry) -> HostSpec:
        defaults = self.file.defaults
        jump = entry.jump or (defaults.jump if name not in self.default_way else None)
        direct = jump == DIRECT
        usual = HostSpec(name=name, address=name)
        return HostSpec(
            name=name,
            address=entry.address or name,
            port=entry.port,
            user=entry.user or defaults.user,
            identity=self._path(entry.identity or defaults.identity),
            jump=HostName(jump) if jump and not direct else None,
            direct=direct,
            known_hosts=self._path(entry.known_hosts or defaults.known_hosts),
            use_ssh_config=_first(entry.ssh_config, defaults.ssh_config, usual.use_ssh_config),
            connect_timeout_ms=(
                defaults.connect_timeout if entry.connect_timeout is None else entry.connect_timeout
            ),
        )

    def _host(self, said: str) -> HostName:
        """The host an agent or a jump names: an entry of hosts, or else an address of its own."""
        return self._add_host(said, self.file.hosts.get(said, HostEntry()))

    def _default_way(self) -> dict[str, None]:
        """The hosts ``defaults.jump`` leads through, which must not go through themselves."""
        way: dict[str, None] = {}
        step = self.file.defaults.jump
        while step and step != DIRECT and step not in way:
            way[step] = None
            entry = self.file.hosts.get(step)
            step = entry.jump if entry else None
        return way

    def _path(self, said: str | None) -> str | None:
        if said is None:
            return None
        if self.home and (said == "~" or said.startswith("~/")):
            return str(self.home / said[2:])
        if said.startswith(("/", "~")):
            return said
        return str(Path(self.source.name).parent / said)

    def _jumps(self, used: set[HostName]) -> None:
        """Every way leads through hosts that are known, ends, and after no more than MAX_JUMPS.
        ``used`` are the hosts that agents run on."""
        self._known_jump(("defaults", "jump"), self.file.defaults.jump)
        for said, entry in self.file.hosts.items():
            self._known_jump(("hosts", said, "jump"), entry.jump)
        for name in self.hosts:
            way = [name]
            step = self.hosts[name].jump
            while step and step not in way and len(way) <= MAX_JUMPS:
                way.append(step)
                step = self.hosts[step].jump
            loc: Loc = ("hosts", name, "jump")
            if step == name:
                self._error(loc, f"goes through itself: {' -> '.join([*way, name])}")
            elif len(way) > MAX_JUMPS:
                self._error(loc, f"goes through more than {MAX_JUMPS} hosts")
        # Of the first host of defaults.jump it is clear that it goes straight; of a host behind it
        # that an agent runs on, the file says both.
        for at, said in enumerate(self.default_way):
            host = self.file.hosts.get(said, HostEntry())
            if at and not host.jump and said in used:
                way = [HostName(said), *(HostName(each) for each in [*self.default_way][: at + 1])]
                self._error(
                    ("defaults", "jump"),
                    f"leads back to {said}: {' -> '.join(way)}",
                    f"write jump: {DIRECT} under hosts.{said} if it is reached directly",
                )

    def _known_jump(self, loc: Loc, said: str | None) -> None:
        """A jump names an entry of hosts, or an address that says what it is. Any other word would
        be looked up only when it is connected to."""
        if said is None or said in (DIRECT, "localhost") or said in self.file.hosts:
            return
        if "." in said or ":" in said or (not self.whole and written(self.root, ("hosts", said))):
            return
        suggestion = "" if self.source.full else did_you_mean(said, self.file.hosts)
        self._error(
            loc,
            f'there is no host "{said}"{suggestion}',
            f"declare it under hosts; {said}: {{}} is enough for an alias of ~/.ssh/config",
        )

    def _same_host_twice(self) -> None:
        if not self.whole:
            return
        # One private address behind two jump hosts is two machines.
        seen: dict[tuple[str, int, str | None, str | None, bool], str] = {}
        for name in self.file.hosts:
            spec = self.hosts[HostName(name)]
            where = (spec.address, spec.port or 22, spec.user, spec.jump, spec.direct)
            first = seen.setdefault(where, name)
            if first != name:
                lines = self._lines(("hosts", first), ("hosts", name))
                self._error(
                    ("hosts", name),
                    f"is the same machine as {first} ({lines}): address, port, user and jump are "
                    "equal",
                    "several agents can name one host",
                    at_key=True,
                )

    def _twins(self, where: str, names: Iterable[str]) -> None:
        """Names that differ only in l and 1, or o and 0, which people mistype."""
        for name, other in twins(names):
            lines = self._lines((where, other), (where, name))
            self._error(
                (where, name),
                f"looks like {other}, and is another one ({lines})",
                f"give it a name that can be told from {other}",
                at_key=True,
            )

    # Pools

    def _pools(self) -> dict[PoolName, PoolSpec]:
        routing = self.file.routing
        usual = (routing.strategy if routing else None) or Strategy.LOAD_AWARE
        return {
            PoolName(name): PoolSpec(
                name=PoolName(name),
                strategy=entry.strategy or usual,
                overflow=bool(entry.overflow),
                min_up_percent=entry.min_up or 0,
                labels=dict(entry.labels or {}),
            )
            for name, entry in self.pools.items()
        }

    def _pool_of(self, name: str, entry: AgentEntry) -> str | None:
        self._known_pool(("agents", name, "pool"), entry.pool)
        said = entry.pool or self.file.defaults.pool
        if said is None and not self.file.pools:
            return IMPLIED_POOL
        if said is None:
            self._missing(
                name,
                "pool",
                "says no pool",
                f"add pool: {next(iter(self.file.pools))}, or defaults.pool",
            )
        return said if said in self.pools else None

    def _known_pool(self, loc: Loc, said: str | None) -> None:
        """A pool that is named is declared, or the one of a file without pools."""
        if said is None or said in self.pools:
            return
        if not self.whole and written(self.root, ("pools", said)):
            return
        message, known = f'there is no pool "{said}"', self.file.pools
        if not known:
            self._error(loc, message, "declare it under pools")
            return
        hint = f"there are {', '.join(itertools.islice(known, 8))}"
        suggestion = "" if self.source.full else did_you_mean(said, known)
        self._error(loc, f"{message}{suggestion}", hint)

    # Agents

    def _agent(self, name: str) -> AgentSpec | None:
        entry = self.file.agents[name]
        pool = self._pool_of(name, entry)
        levels = Levels(entry, self.file.pools.get(pool or "", PoolEntry()), self.file.defaults)
        host = self._agent_host(name, levels)
        kind = self._kind(name, levels)
        if pool is None or kind is None:
            return None
        region = levels.first(lambda level: level.region)
        return AgentSpec(
            name=AgentName(name),
            pool=PoolName(pool),
            kind=kind,
            host=host,
            region=Region(region) if region else None,
            capabilities=frozenset(
                Capability(each) for each in levels.first(lambda level: level.capabilities) or ()
            ),
            clients=tuple(
                ClientName(each) for each in levels.first(lambda level: level.isolate) or ()
            ),
            projects=tuple(levels.first(lambda level: level.projects) or ()),
            slots=levels.first(lambda level: level.slots) or 1,
            prices=prices(levels),
            labels=levels.merged(lambda level: level.labels),
            probe=probe(levels),
            canary=isinstance(kind, OpenClawAgent)
            and levels.first(lambda level: level.canary) is not False,
        )

    def _agent_host(self, name: str, levels: Levels) -> HostName | None:
        if levels.first(lambda level: level.kind) == "local":
            if levels.agent.host is not None:
                self._error(
                    ("agents", name, "host"),
                    "a local agent runs on the engine's own machine and has no host",
                    "leave host out, or use kind: command",
                )
            return None
        said = levels.first(lambda level: level.host)
        if said is None:
            self._missing(
                name,
                "host",
                "says no host",
                "add host: an entry of hosts, an ssh_config alias or an address",
            )
            return None
        return self._host(said)

    def _kind(self, name: str, levels: Levels) -> AgentKind | None:
        kind = levels.first(lambda level: level.kind) or "openclaw"
        foreign = _PROGRAM_ONLY if kind == "openclaw" else _OPENCLAW_ONLY
        for key in foreign if self.whole or levels.agent.kind else ():
            if getattr(levels.agent, key) is not None:
                self._error(("agents", name, key), f"means nothing for kind {kind}", at_key=True)
        if kind == "openclaw":
            return self._openclaw(name, levels)
        command = levels.first(lambda level: level.command)
        if command is None:
            self._missing(
                name,
                "command",
                f"kind {kind} needs a command",
                "such as command: [my-agent, --once]",
            )
            return None
        maker = LocalAgent if kind == "local" else CommandAgent
        usual = maker(command=())
        return maker(
            command=tuple(command),
            run_dir=levels.first(lambda level: level.run_dir) or usual.run_dir,
            env=levels.merged(lambda level: level.env),
            log_file=levels.first(lambda level: level.log_file),
        )

    def _openclaw(self, name: str, levels: Levels) -> OpenClawAgent | None:
        port = levels.first(lambda level: level.port)
        token = levels.first(lambda level: level.token)
        if port is None:
            self._missing(
                name,
                "port",
                "says no port",
                "add port: the gateway's port on its host's loopback (OpenClaw's own default is "
                "18789)",
            )
        if token is None:
            self._missing(
                name,
                "token",
                "says no token",
                "add token: secret:env:NAME or another reference, here, in the pool or in defaults",
            )
        if port is None or token is None:
            return None
        usual = OpenClawAgent(port=port, token=token)
        return OpenClawAgent(
            port=port,
            token=token,
            agent_id=levels.first(lambda level: level.agent_id) or usual.agent_id,
            openclaw_bin=levels.first(lambda level: level.openclaw_bin) or usual.openclaw_bin,
            log_file=levels.first(lambda level: level.log_file),
            start_command=levels.first(lambda level: level.start_command),
            keep_sessions=bool(levels.first(lambda level: level.keep_sessions)),
        )

    def _same_gateway_twice(self, agents: dict[AgentName, AgentSpec]) -> None:
        seen: dict[tuple[HostName | None, int, str], AgentName] = {}
        for name, spec in agents.items():
            if not isinstance(spec.kind, OpenClawAgent):
                continue
            first = seen.setdefault((spec.host, spec.kind.port, spec.kind.agent_id), name)
            if first != name:
                lines = self._lines(("agents", first), ("agents", name))
                self._error(
                    ("agents", name),
                    f"is the same agent as {first} ({lines}): host {spec.host}, port "
                    f"{spec.kind.port} and agent_id {spec.kind.agent_id} are equal",
                    APART,
                    at_key=True,
                )

    # The rest

    def _residency(self) -> tuple[ResidencyRule, ...]:
        rules = (self.file.routing.residency if self.file.routing else None) or []
        resolved = []
        served = self._regions() if self.file.agents else None
        for at, rule in enumerate(rules):
            loc: Loc = ("routing", "residency", at)
            node = find(self.root, loc)
            if rule.client is None and rule.project is None:
                self._error(loc, "says neither client nor project", "name whose work it is about")
            if not rule.regions:
                self._error((*loc, "regions"), "names no region")
            for number, region in enumerate(rule.regions):
                if served is not None and region not in served:
                    suggestion = "" if self.source.full else did_you_mean(region, served)
                    self._error(
                        (*loc, "regions", number), f'no agent is in region "{region}"{suggestion}'
                    )
            resolved.append(
                ResidencyRule(
                    regions=tuple(Region(each) for each in rule.regions),
                    client=ClientName(rule.client) if rule.client else None,
                    project=rule.project,
                    line=node.mark.line if node else None,
                )
            )
        return tuple(resolved)

    def _regions(self) -> dict[str, None] | None:
        """Regions that agents are in; of a file valid in part also those that it wrote wrongly.
        None if it cannot be told."""
        levels = [self._levels(name) for name in self.file.agents]
        found = [each.first(lambda level: level.region) for each in levels]
        places: list[Loc] = [("defaults", "region")] if not self.whole else []
        if not self.whole:
            for section in ("pools", "agents"):
                at = find(self.root, (section,))
                names = at.entries if isinstance(at, Mapping) else ()
                places += [(section, name, "region") for name in names]
        nodes = [find(self.root, loc) for loc in places if written(self.root, loc)]
        if any(not isinstance(node, Scalar) or "$" in node.text for node in nodes):
            return None
        found += [node.text for node in nodes if isinstance(node, Scalar)]
        return dict.fromkeys(each for each in found if each)

    def _levels(self, name: str) -> Levels:
        entry = self.file.agents[name]
        pool = self.file.pools.get(entry.pool or self.file.defaults.pool or "", PoolEntry())
        return Levels(entry, pool, self.file.defaults)

    def _isolated(self) -> frozenset[ClientName]:
        named = (self.file.routing.isolated if self.file.routing else None) or []
        return frozenset(ClientName(client) for client in named)

    def _retry(self) -> dict[TaskClass, RetryPolicy]:
        section = self.file.retry
        if section is None:
            return {}
        said = {
            TaskClass.ONCE: section.once,
            TaskClass.IDEMPOTENT: section.idempotent,
            TaskClass.RESUMABLE: section.resumable,
        }
        return {kind: _retry_policy(entry) for kind, entry in said.items() if entry}

    def _retry_budget(self) -> RetryBudget:
        said, usual = self.file.retry_budget or RetryBudgetEntry(), RetryBudget()
        return RetryBudget(
            percent=_first(said.percent, usual.percent), floor=_first(said.floor, usual.floor)
        )

    def _limits(self) -> QueueLimits:
        said = self.file.limits or LimitsEntry()
        lanes = said.lanes or LanesEntry()
        by_priority = {
            Priority.P0: lanes.P0,
            Priority.P1: lanes.P1,
            Priority.P2: lanes.P2,
            Priority.P3: lanes.P3,
        }
        return QueueLimits(
            open=_first(said.open, QueueLimits().open),
            lanes={lane: most for lane, most in by_priority.items() if most is not None},
            clients={ClientName(name): most for name, most in (said.clients or {}).items()},
            per_client=said.per_client,
        )

    def _deadlines(self) -> Deadlines:
        said, usual = self.file.deadlines, Deadlines()
        if said is None:
            return usual
        return Deadlines(
            schedule_to_start_ms=_limit(said.schedule_to_start, usual.schedule_to_start_ms),
            start_to_close_ms=_limit(said.start_to_close, usual.start_to_close_ms),
            heartbeat_ms=_limit(said.heartbeat, usual.heartbeat_ms),
            total_ms=_limit(said.total, usual.total_ms),
        )

    def _lost_after_ms(self) -> int | None:
        return _limit(self.file.lost_after, FleetSpec(name="").lost_after_ms)

    def _lines(self, first: Loc, second: Loc) -> str:
        nodes = (find_key(self.root, first), find_key(self.root, second))
        return "lines " + " and ".join(str(node.mark.line) for node in nodes if node)

    def _missing(self, name: str, key: str, message: str, hint: str) -> None:
        """Something that an agent has to say. Of a file valid in part it counts as said wherever it
        was written wrongly."""
        if not self.whole and self._may_say(name, key):
            return
        self._error(("agents", name), message, hint, at_key=True)

    def _may_say(self, name: str, key: str) -> bool:
        pool = self.file.agents[name].pool or self.file.defaults.pool or ""
        levels: tuple[Loc, ...] = (("agents", name), ("pools", pool), ("defaults",))
        pool_written = any(written(self.root, (*level, "pool")) for level in (levels[0], levels[2]))
        if key != "pool" and pool_written and pool not in self.file.pools:
            return True  # the settings of its pool are unknown
        for level in levels:
            node = find(self.root, level) if written(self.root, level) else None
            if node is None or (isinstance(node, Scalar) and node.is_null):
                continue
            keys = node.entries.keys() if isinstance(node, Mapping) else {key}
            # An unknown key may be this one, misspelt; of a wrong kind nothing is known.
            if key in keys or keys - Defaults.model_fields.keys() - PoolEntry.model_fields.keys():
                return True
            if "kind" in keys and self._levels(name).first(lambda each: each.kind) is None:
                return True
        return False

    def _error(self, loc: Loc, message: str, hint: str = "", *, at_key: bool = False) -> None:
        node = find_key(self.root, loc) if at_key else find(self.root, loc)
        width = node.width if isinstance(node, Scalar) else 1
        mark = node.mark if node else None
        self.source.error(mark, message, path=dotted(loc), hint=hint, width=width)


def _first(*values: _T | None) -> _T:
    found = next(value for value in values if value is not None)
    return found


def _limit(said: int | None, usual: int | None) -> int | None:
    if said is None:
        return usual
    return None if said == NEVER else said


def _retry_policy(entry: RetryEntry) -> RetryPolicy:
    usual = RetryPolicy()
    base_ms, cap_ms = entry.backoff or (usual.backoff_base_ms, usual.backoff_cap_ms)
    return RetryPolicy(
        max_attempts=entry.max_attempts or usual.max_attempts,
        backoff_base_ms=base_ms,
        backoff_cap_ms=cap_ms,
        factor=entry.factor or usual.factor,
        non_retryable=tuple(dict.fromkeys(entry.non_retryable or usual.non_retryable)),
    )
