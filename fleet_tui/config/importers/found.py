"""Hosts found in some list, and the fleet file made from them."""

import json
import re
from dataclasses import dataclass, field
from itertools import chain, count

from fleet_tui.config.models import MAX_ENTRIES
from fleet_tui.config.problems import quoted
from fleet_tui.config.values import NAME_PATTERN, Unacceptable, address, user, whole, word
from fleet_tui.core.text.names import looks_of

DEFAULT_POOL = "general"

_NAME = re.compile(NAME_PATTERN)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_YAML_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A host on the way to another one."""

    address: str
    user: str | None = None
    port: str | None = None
    identity: str | None = None
    known_hosts: str | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """A connection setting of a host that a fleet file cannot express."""

    what: str
    """Its variable."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHost:
    """One host as in its list; nothing of it is checked yet."""

    alias: str
    """Its name there, which SSH connects to if there is no address."""
    address: str | None = None
    user: str | None = None
    port: str | None = None
    identity: str | None = None
    """A private key file."""
    known_hosts: str | None = None
    via: tuple[Hop, ...] = ()
    """The hosts to go through, the first of them first."""
    direct: bool = False
    """Whether it explicitly has none, so that those of ssh_config do not apply either."""
    pool: str = DEFAULT_POOL
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Findings:
    """The content of a list of hosts, and what was left out and why."""

    hosts: list[FoundHost] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """Settings that are irrelevant to a fleet, or must never be copied."""
    missed: list[str] = field(default_factory=list)
    """Settings that the fleet file lacks: which host, which variable, why."""
    renamed: list[str] = field(default_factory=list)
    """Hosts whose own name is invalid in a fleet file, and their names there."""
    whole: bool = False
    """Whether a host that cannot be written is missed, and not ignored: its list is a file of
    another program, in which it means something."""

    agents: dict[str, FoundHost] = field(default_factory=dict)
    """Which host each agent of the fleet file stands for; set when that is made."""

    def same_machine(self, later: FoundHost, first: FoundHost) -> None:
        """Two hosts lead to one machine, and so to one gateway: the first is kept. That loses
        nothing unless the other is reached in another way, or stands in other groups."""
        other = []
        if (later.user, later.identity) not in ((None, None), (first.user, first.identity)):
            other.append("another user or key")
        if (later.pool, later.labels) != (first.pool, first.labels):
            other.append("other groups")
        if not other:
            self.ignored.append(f"{quoted(later.alias)}: the same machine as one before it")
        else:
            what = f"{quoted(later.alias)}: the same machine as {quoted(first.alias)}"
            self.missed.append(f"{what}, with {' and '.join(other)}")

    def rename(self, found: FoundHost, name: str, instead_of: str | None) -> None:
        """A host is called otherwise than in its list. Told, and missed where ``instead_of``, the
        name nearest to its own, is what another host is called: who knows the hosts by their names
        would take the one for the other."""
        if instead_of is None:
            self.renamed.append(f"{quoted(found.alias)}: is called {name}")
        else:
            self.missed.append(
                f"{quoted(found.alias)}: its name: it is called {name}, because another host is "
                f"called {instead_of}"
            )

    def leave_out(self, text: str) -> None:
        """Leave out a host, or a part of it, that cannot be written."""
        (self.missed if self.whole else self.ignored).append(text)


@dataclass(frozen=True, slots=True)
class _Machine:
    """What makes a host another machine than the next one."""

    address: str
    port: str
    user: str | None
    way: tuple["_Machine", ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A host that will be written."""

    found: FoundHost
    machine: _Machine
    hop: Hop
    """Itself, as it is reached."""


@dataclass(slots=True)
class _Agent:
    name: str
    host: str
    pool: str
    labels: str


@dataclass(slots=True)
class _Host:
    """An entry under hosts; its words are empty if it needs none."""

    words: list[str]
    needed: bool
    """A jump host is written in any case: a jump names an entry of hosts."""


def fleet_file(findings: Findings, *, fleet: str, origin: str) -> str:
    """The text of a fleet file with one OpenClaw agent for each host found.

    Hosts that cannot be written are added to what was left out. ``origin`` goes into a comment.
    """
    making = _Making(findings)
    making.make()
    findings.agents = making.found
    lines = [
        "# yaml-language-server: $schema=./fleet.schema.json",
        f"# Made by `fleet-tui import` from {_comment(origin)}.",
        "# One OpenClaw gateway on each host is assumed: look at token, port and kind, then run",
        "# `fleet-tui check`.",
        "version: 1",
        f"fleet: {_scalar(fleet)}",
        "",
        "defaults: {token: secret:env:OPENCLAW_GATEWAY_TOKEN, port: 18789}",
        "",
    ]
    entries = [
        f"  {_scalar(name)}: {{{', '.join(host.words)}}}"
        for name, host in making.hosts.items()
        if host.words or host.needed
    ]
    if entries:
        lines += ["hosts:", *entries, ""]
    pools = dict.fromkeys(each.pool for each in making.agents)
    lines += ["pools:", *(f"  {_scalar(pool)}: {{strategy: load-aware}}" for pool in pools), ""]
    lines.append("agents:")
    for each in making.agents:
        body = f"pool: {_scalar(each.pool)}, host: {_scalar(each.host)}{each.labels}"
        lines.append(f"  {_scalar(each.name)}: {{{body}}}")
    return "\n".join(lines) + "\n"


class _Making:
    """Builds the agents and hosts of a fleet file."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.agents: list[_Agent] = []
        self.hosts: dict[str, _Host] = {}
        self.host_names, self.pool_names = _Names(), _Names()
        self.machines: dict[_Machine, str] = {}
        """The host entry of each machine."""
        self.found: dict[str, FoundHost] = {}
        """The host of each agent."""
        self.names: dict[str, FoundHost] = {}
        """Which host each name belongs to."""
        self.taken: dict[_Machine, FoundHost] = {}
        """The first host on each machine, whoever logs in there."""
        self.pools: dict[str, str] = {}

    def make(self) -> None:
        """Agents first, so that their hosts keep their names; then the hosts they go through."""
        kept: list[_Kept] = []
        for found in self.findings.hosts:
            if len(kept) >= MAX_ENTRIES:
                self.findings.leave_out(f"{quoted(found.alias)}: more than {MAX_ENTRIES:,} hosts")
                break
            if (host := self._judge(found)) is not None:
                kept.append(host)
        # Before any name is made up: a host's own name is not given to another.
        for host in kept:
            own = host.found.alias
            if as_name(own, "") == own and self.host_names.keep(own):
                self.names.setdefault(own, host.found)
        ways = [(self._add(host), host.found) for host in kept]
        for name, found in ways:
            if found.via:
                self.hosts[name].words.append(f"jump: {_scalar(self._jump(found.via))}")

    def _judge(self, found: FoundHost) -> _Kept | None:
        """The host to keep; None if it is left out."""
        try:
            where = address(found.address or found.alias)
            login = user(found.user) if found.user else None
            port = str(whole(found.port, least=1, most=65_535)) if found.port else None
        except Unacceptable as reason:
            self.findings.leave_out(f"{quoted(found.alias)}: {reason.message}")
            return None
        machine = _Machine(where, port or "22", login, _way(found.via))
        first = self.taken.setdefault(_for_anybody(machine), found)
        if first is not found:
            self.findings.same_machine(found, first)
            return None
        hop = Hop(
            address=where,
            user=login,
            port=port,
            identity=found.identity,
            known_hosts=found.known_hosts,
        )
        return _Kept(found, machine, hop)

    def _name(self, found: FoundHost) -> str:
        """The name of a host, its own if possible."""
        if self.names.get(found.alias) is found:
            return found.alias
        near = as_name(found.alias, "host")
        like = self.host_names.like(near)
        name = self.host_names.give(near)
        other = found.alias if like is None else self.names[like].alias
        self.findings.rename(found, name, like if other != found.alias else None)
        self.names[name] = found
        return name

    def _add(self, kept: _Kept) -> str:
        """Its name, which is its host's too."""
        found = kept.found
        name = self._name(found)
        self.machines[kept.machine] = name
        self.found[name] = found
        self.hosts[name] = _Host(_host_words(kept.hop, name), needed=False)
        if found.direct:
            self.hosts[name].words.append("jump: none")
        if found.pool not in self.pools:
            self.pools[found.pool] = self.pool_names.give(as_name(found.pool, "pool"))
        labels = _labels(found, self.findings)
        self.agents.append(_Agent(name=name, host=name, pool=self.pools[found.pool], labels=labels))
        return name

    def _jump(self, via: tuple[Hop, ...]) -> str:
        """The entry of the last host of a path."""
        machine = _way(via)[-1]
        hop = via[-1]
        known = self.machines.get(machine)
        if known is not None:
            self.hosts[known].needed = True
            return known
        name = self.host_names.give(as_name(hop.address, "jump"))
        self.machines[machine] = name
        entry = _Host(_host_words(hop, name), needed=True)
        self.hosts[name] = entry
        if len(via) > 1:
            entry.words.append(f"jump: {_scalar(self._jump(via[:-1]))}")
        return name


def _way(via: tuple[Hop, ...]) -> tuple[_Machine, ...]:
    way: tuple[_Machine, ...] = ()
    for hop in via:
        way = (*way, _Machine(hop.address, hop.port or "22", hop.user, way))
    return way


def _for_anybody(machine: _Machine) -> _Machine:
    way = tuple(map(_for_anybody, machine.way))
    return _Machine(machine.address, machine.port, None, way)


def _host_words(hop: Hop, name: str) -> list[str]:
    said = [f"address: {_scalar(hop.address)}"] if hop.address != name else []
    said += [f"port: {hop.port}"] if hop.port else []
    said += [f"user: {_scalar(hop.user)}"] if hop.user else []
    said += [f"identity: {_scalar(hop.identity)}"] if hop.identity else []
    said += [f"known_hosts: {_scalar(hop.known_hosts)}"] if hop.known_hosts else []
    return said


def _labels(found: FoundHost, findings: Findings) -> str:
    kept: dict[str, str] = {}
    for key, value in found.labels:
        try:
            kept[word(key)] = word(value)
        except Unacceptable as reason:
            findings.leave_out(f"a label of {quoted(found.alias)}: {reason.message}")
    if not kept:
        return ""
    shown = ", ".join(f"{_scalar(key)}: {_scalar(value)}" for key, value in kept.items())
    return f", labels: {{{shown}}}"


def as_name(text: str, otherwise: str) -> str:
    """The nearest allowed name: lower case, ``-`` for what names, or the hosts called so, cannot
    hold. Of an address such as ``::1`` more is left than its last digit."""
    text = f"ip6{text}" if text.startswith(":") else text
    near = re.sub(r"(?:[^a-z0-9._-]|\.{2,})+", "-", text.lower()).strip("._-")[:56].rstrip("._-")
    return near if _NAME.fullmatch(near) else otherwise


class _Names:
    """Names given so far. No two are equal or look alike, which a fleet file does not allow."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        """By their looks."""

    def like(self, name: str) -> str | None:
        """The name that this could be mistaken for."""
        return self._given.get(looks_of(name).shape)

    def keep(self, name: str) -> bool:
        """Whether this name as it is is given now, or was."""
        return self._given.setdefault(looks_of(name).shape, name) == name

    def give(self, name: str) -> str:
        """This name, with a number if it could be mistaken for one given before."""
        numbered = (f"{name}-{number}" for number in count(2))
        given = next(each for each in chain((name,), numbered) if self.like(each) is None)
        self._given[looks_of(given).shape] = given
        return given


def _scalar(text: str) -> str:
    """A value in a form that every YAML reader parses as the same text."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(text)


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
