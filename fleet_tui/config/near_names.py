"""Names in a fleet file that are probably misspelt: one letter too many, missing, wrong or
misplaced, compared with another name of the same kind.

A host that is not an entry of ``hosts`` is a name of ssh_config or DNS, and a client or project is
whatever the file names, so neither can be refused for that.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fleet_tui.config.reader import Loc, Mapping, Node, find, written
from fleet_tui.core.fleet import FleetSpec

LEAST_CHARS = 4
"""Shorter names often differ by one letter."""


_ISOLATED: Loc = ("routing", "isolated")


class Slip(NamedTuple):
    """A name that was probably meant to be another one."""

    loc: Loc
    what: str
    name: str
    near: str


def is_slip(name: str, other: str) -> bool:
    """Whether one is the other with one letter changed as fingers do it. Names that are numbered,
    or differ in a word of one letter, are different names."""
    if min(len(name), len(other)) < LEAST_CHARS or abs(len(name) - len(other)) > 1:
        return False
    pairs = zip(name, other, strict=False)
    at = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(name), len(other)))
    if len(name) != len(other):
        shorter, longer = sorted((name, other), key=len)
        return longer[at].isalpha() and longer[at + 1 :] == shorter[at:]
    if name[at:] == other[at:]:
        return False
    if name[at : at + 2] == other[at : at + 2][::-1]:
        return name[at : at + 2].isalpha() and name[at + 2 :] == other[at + 2 :]
    inside = name[max(at - 1, 0) : at + 2]
    return name[at + 1 :] == other[at + 1 :] and len(inside) == 3 and (inside + other[at]).isalpha()


def slips(root: Node, spec: FleetSpec) -> Iterator[Slip]:
    """Every such name, once, with its place."""
    yield from _hosts(root, spec)
    yield from _named_once("client", _clients(spec))
    yield from _named_once("project", _projects(spec))


def _hosts(root: Node, spec: FleetSpec) -> Iterator[Slip]:
    entries = find(root, ("hosts",))
    known = tuple(entries.entries) if isinstance(entries, Mapping) and entries is not root else ()
    told: set[str] = set()
    for name, agent in spec.agents.items():
        host = agent.host
        if host is None or host in known or host in told or str(host) == name:
            continue
        near = next((each for each in known if is_slip(host, each)), None)
        if near is None:
            continue
        told.add(host)
        places: tuple[Loc, ...] = (("agents", name, "host"), ("pools", agent.pool, "host"))
        loc = next((each for each in places if written(root, each)), ("defaults", "host"))
        yield Slip(loc, "host", host, near)


def _named_once(what: str, named: Iterable[tuple[str, Loc]]) -> Iterator[Slip]:
    places = list(named)
    times = Counter(name for name, _ in places)
    for at, (name, loc) in enumerate(places):
        if times[name] > 1 or loc == _ISOLATED:  # whom no agent isolates is told anyway
            continue
        # Of two that are named once, the later one is told.
        others = [other for n, (other, _) in enumerate(places) if times[other] > 1 or n < at]
        near = next((other for other in others if is_slip(name, other)), None)
        if near is not None:
            yield Slip(loc, what, name, near)


def _clients(spec: FleetSpec) -> Iterator[tuple[str, Loc]]:
    for agent in spec.agents.values():
        yield from ((name, ("agents", agent.name, "isolate")) for name in agent.clients)
    for at, rule in enumerate(spec.residency):
        if rule.client is not None:
            yield rule.client, ("routing", "residency", at, "client")
    yield from ((name, _ISOLATED) for name in sorted(spec.isolated))
    yield from ((name, ("routing", "clients")) for name in sorted(spec.clients))
    yield from ((name, ("limits", "clients", name)) for name in spec.limits.clients)


def _projects(spec: FleetSpec) -> Iterator[tuple[str, Loc]]:
    for agent in spec.agents.values():
        yield from ((name, ("agents", agent.name, "projects")) for name in agent.projects)
    for at, rule in enumerate(spec.residency):
        if rule.project is not None:
            yield rule.project, ("routing", "residency", at, "project")
    yield from ((name, ("routing", "projects")) for name in sorted(spec.projects))
