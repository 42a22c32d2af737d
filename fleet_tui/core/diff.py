"""What changed in the fleet between two moments: two states, compared entity by entity.

Only the two states are read, so a change that was undone in between does not show, except for
alerts: the later state remembers those that opened and closed.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import assert_never

import msgspec

from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.agents.words import AgentWord, word_of
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName, AlertId
from fleet_tui.core.ledger.state import FleetState, Totals
from fleet_tui.core.tasks.open_work import OpenWork
from fleet_tui.core.text import words

HIDDEN = "(not shown)"
"""In place of a value that may be a secret."""

_HIDDEN_KEYS = frozenset({"env"})
_NOT_DECLARED = frozenset({"source", "digest", "same"})
"""Fields of the fleet that are not in the file: where it was read from, and what was found out
about its hosts."""


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet at two moments, the earlier one first."""

    before: FleetState
    after: FleetState
    before_ms: int
    after_ms: int


class About(StrEnum):
    """The subject of a change, in the order in which changes are listed."""

    ALERT = "alert"
    AGENT = "agent"
    FLEET_FILE = "fleet file"
    ENGINE = "engine"
    WORK = "work"
    ROUTING = "routing"

    @property
    def names_agent(self) -> bool:
        """Whether the change is named after an agent."""
        match self:
            case About.AGENT | About.ROUTING:
                return True
            case About.ALERT | About.FLEET_FILE | About.ENGINE | About.WORK:
                return False
            case _:
                assert_never(self)

    @property
    def heading(self) -> str:
        """The heading of this group of changes."""
        match self:
            case About.ALERT:
                return "Alerts"
            case About.AGENT:
                return "Agents"
            case About.FLEET_FILE:
                return "Fleet file"
            case About.ENGINE:
                return "Engine"
            case About.WORK:
                return "Work"
            case About.ROUTING:
                return "Runs ended, by agent"
            case _:
                assert_never(self)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One field of one entity that changed. Texts are as recorded: not yet safe to show."""

    about: About
    name: str
    """The agent, the alert's subject, a key path of the fleet file; empty for the whole fleet."""
    field: str
    """``state``, ``version``; for an alert its text; empty for a key path, which is complete by
    itself."""
    before: str | None
    """None where there was nothing."""
    after: str | None
    is_worse: bool = False
    """Whether it is a change for the worse that needs attention."""


def diff(moments: Moments) -> list[Change]:
    """Everything that differs, in the order of :class:`About`; within each group the worst, or the
    largest, first."""
    before, after = moments.before, moments.after
    return [
        *_alerts(moments),
        *_agents(before, after),
        *_fleet_file(before.fleet, after.fleet),
        *_engine(before, after),
        *_work(before, after),
        *_routing(before, after),
    ]


# --- alerts ---


def _alerts(moments: Moments) -> list[Change]:
    before = moments.before.alerts
    after: dict[AlertId, Alert] = {
        alert.id: alert
        for alert in moments.after.closed_alerts
        if alert.id in before or alert.raised_at_ms > moments.before_ms
    }
    after.update(moments.after.alerts)
    found: list[Change] = []
    for alert in sorted({**before, **after}.values(), key=lambda a: (a.severity.order, a.subject)):
        was, now = before.get(alert.id), after.get(alert.id)
        change = Change(
            about=About.ALERT,
            name=alert.subject,
            field=alert.text,
            before=None if was is None else _alert(was),
            after=None if now is None else _alert(now),
            is_worse=now is not None and _is_louder(was, now),
        )
        if change.before != change.after:
            found.append(change)
    return found


def _alert(alert: Alert) -> str:
    """``crit``, ``warn, acked by ops``, ``crit, resolved``."""
    if alert.resolved_at_ms is not None:
        return f"{alert.severity}, resolved"
    return alert.severity + (f", acked by {alert.acked_by}" if alert.acked_by is not None else "")


def _is_louder(was: Alert | None, now: Alert) -> bool:
    if now.resolved_at_ms is not None or now.severity is Severity.INFO:
        return False
    return was is None or now.severity.order < was.severity.order


# --- agents ---


def _agents(before: FleetState, after: FleetState) -> list[Change]:
    found: list[Change] = []
    for name in {**before.agents, **after.agents}:
        was, now = before.agents.get(name), after.agents.get(name)
        if was != now:
            found += _agent(name, was, now)
    return sorted(found, key=lambda change: (not change.is_worse, change.name))


def _agent(name: AgentName, was: AgentState | None, now: AgentState | None) -> Iterator[Change]:
    a = None if was is None else word_of(was)
    b = None if now is None else word_of(now)
    if a is not b:
        order = AgentWord.UP.order if a is None else a.order
        yield Change(
            about=About.AGENT,
            name=name,
            field="state",
            before=a,
            after=None if now is None else _state(now),
            is_worse=b is not None and b.is_problem and b.order < order,
        )
    if was is not None and now is not None and _was_restarted(was, now):
        yield Change(about=About.AGENT, name=name, field="restarted", before=None, after="yes")
    for field, tell in _AGENT_FIELDS.items():
        before = None if was is None else tell(was)
        after = None if now is None else tell(now)
        if before != after:
            yield Change(about=About.AGENT, name=name, field=field, before=before, after=after)


def _was_restarted(was: AgentState, now: AgentState) -> bool:
    return was.boot_id != now.boot_id and was.boot_id is not None and now.boot_id is not None


def _state(agent: AgentState) -> str:
    word = word_of(agent)
    return f"{word}: {agent.reason}" if word.is_problem and agent.reason else word


def _cordon(agent: AgentState) -> str | None:
    if agent.cordon is None:
        return None
    return f"by {agent.cordon.by}" + (f": {agent.cordon.reason}" if agent.cordon.reason else "")


_AGENT_FIELDS: dict[str, Callable[[AgentState], str | None]] = {
    "version": lambda agent: agent.version,
    "cordon": _cordon,
}


# --- the fleet file ---


def _fleet_file(before: FleetSpec, after: FleetSpec) -> Iterator[Change]:
    if before == after:
        return
    was, now = dict(_declared(before)), dict(_declared(after))
    for path in {**was, **now}:
        if was.get(path) == now.get(path) or _is_of_one_only(path, was, now):
            continue
        is_hidden = not _HIDDEN_KEYS.isdisjoint(path[:-1])
        yield Change(
            about=About.FLEET_FILE,
            name=".".join(path),
            field="",
            before=_hidden(was.get(path), is_hidden),
            after=_hidden(now.get(path), is_hidden),
        )


_Path = tuple[str, ...]


def _declared(value: object, path: _Path = ()) -> Iterator[tuple[_Path, str]]:
    """Every key path with its value; for an entity with fields also the path of the entity
    itself."""
    match value:
        case FleetSpec():
            for name in value.__struct_fields__:
                if name not in _NOT_DECLARED:
                    yield from _declared(getattr(value, name), (name,))
        case msgspec.Struct():
            yield path, str(value.__struct_config__.tag or "declared")
            for name in value.__struct_fields__:
                yield from _declared(getattr(value, name), (*path, name))
        case Mapping():
            for name, inner in value.items():
                yield from _declared(inner, (*path, str(name)))
        case frozenset():
            if value:
                yield path, ", ".join(sorted(map(str, value)))
        case tuple():
            if any(isinstance(inner, msgspec.Struct) for inner in value):
                for place, inner in enumerate(value, 1):
                    yield from _declared(inner, (*path, str(place)))
            elif value:
                yield path, ", ".join(map(str, value))
        case None:
            pass
        case _:  # one value: text, a number, a member of an enum
            yield path, str(value)


def _is_of_one_only(path: _Path, was: Mapping[_Path, str], now: Mapping[_Path, str]) -> bool:
    """Whether it is a field of an entity that only one of the two has: the entity itself is
    listed."""
    things = (path[:end] for end in range(len(path)))
    return any((thing in was) is not (thing in now) for thing in things)


def _hidden(value: str | None, is_hidden: bool) -> str | None:
    return HIDDEN if is_hidden and value is not None else value


# --- the engine, work, routing ---


def _engine(before: FleetState, after: FleetState) -> Iterator[Change]:
    was, now = before.engine, after.engine
    pools = {**before.braked_pools, **after.braked_pools}
    for name, field, a, b in (
        ("", "starts", str(was.epoch), str(now.epoch)),
        ("", "version", was.version or None, now.version or None),
        ("", "mode", was.mode.mode.label.lower(), now.mode.mode.label.lower()),
        ("", "fleet file", was.file_problem or None, now.file_problem or None),
        *(
            (pool, "failover stopped", before.braked_pools.get(pool), after.braked_pools.get(pool))
            for pool in pools
        ),
    ):
        if a != b:
            yield Change(about=About.ENGINE, name=name, field=field, before=a, after=b)


def _work(before: FleetState, after: FleetState) -> Iterator[Change]:
    a, b = OpenWork().follow(before.open_tasks), OpenWork().follow(after.open_tasks)
    for field, was, now in (
        ("waiting", a.waiting, b.waiting),
        ("held", a.held, b.held),
        ("running", a.running, b.running),
        ("unknown", a.unknown, b.unknown),
        ("need a verdict", a.needs_operator, b.needs_operator),
        ("dead letters", len(before.dead_letters), len(after.dead_letters)),
        *_totals(before.totals, after.totals),
    ):
        if was != now:
            yield _counted(About.WORK, "", field, was, now)
    spent = before.totals.cost_microusd, after.totals.cost_microusd
    if spent[0] != spent[1]:
        was_money, now_money = map(words.money, spent)
        yield Change(about=About.WORK, name="", field="cost", before=was_money, after=now_money)


def _counted(about: About, name: str, field: str, was: int, now: int) -> Change:
    return Change(
        about=about,
        name=name,
        field=field,
        before=words.grouped(was),
        after=words.grouped(now),
    )


def _totals(was: Totals, now: Totals) -> Iterator[tuple[str, int, int]]:
    """The counters since the ledger began."""
    for field in ("submitted", "succeeded", "failed", "expired", "cancelled", "dropped"):
        yield field, getattr(was, field), getattr(now, field)


def _routing(before: FleetState, after: FleetState) -> list[Change]:
    ended = []
    for name, now in after.agents.items():
        was = before.agents.get(name)
        a = 0 if was is None else was.succeeded + was.failed
        b = now.succeeded + now.failed
        if a != b:
            ended.append((a - b, name, a, b))
    return [_counted(About.ROUTING, name, "", a, b) for _, name, a, b in sorted(ended)]
