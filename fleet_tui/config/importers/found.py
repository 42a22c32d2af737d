"""Hosts that were found somewhere, and the fleet file they become."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fleet_tui.config.models import MAX_ENTRIES
from fleet_tui.config.problems import quoted
from fleet_tui.config.values import NAME_PATTERN, Unacceptable, address, user, whole, word

DEFAULT_POOL = "general"

_NAME = re.compile(NAME_PATTERN)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_YAML_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHost:
    """One host as its list names it; nothing of it is checked yet."""

    alias: str
    """What it is called there, and what SSH connects to if there is no address."""
    address: str | None = None
    user: str | None = None
    port: str | None = None
    pool: str = DEFAULT_POOL
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Findings:
    """What a list of hosts holds, and what of it was left out and why."""

    hosts: list[FoundHost] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Agent:
    name: str
    host: str
    entry: str
    """The body of its entry under hosts; empty if it needs none."""
    pool: str
    labels: str


def fleet_file(findings: Findings, *, fleet: str, origin: str) -> str:
    """The text of a fleet file with one OpenClaw agent for each host found.

    Hosts that cannot be written are added to what was ignored. ``origin`` goes into a comment.
    """
    agents = _agents(findings)
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
    entries = [f"  {_scalar(each.name)}: {{{each.entry}}}" for each in agents if each.entry]
    if entries:
        lines += ["hosts:", *entries, ""]
    pools = dict.fromkeys(each.pool for each in agents)
    lines += ["pools:", *(f"  {_scalar(pool)}: {{strategy: load-aware}}" for pool in pools), ""]
    lines.append("agents:")
    for each in agents:
        body = f"pool: {_scalar(each.pool)}, host: {_scalar(each.host)}{each.labels}"
        lines.append(f"  {_scalar(each.name)}: {{{body}}}")
    return "\n".join(lines) + "\n"


def _agents(findings: Findings) -> list[_Agent]:
    agents: list[_Agent] = []
    names: set[str] = set()
    machines: set[tuple[str, str, str | None]] = set()
    pools: dict[str, str] = {}
    for found in findings.hosts:
        try:
            where = address(found.address or found.alias)
            login = user(found.user) if found.user else None
            port = str(whole(found.port, least=1, most=65_535)) if found.port else None
        except Unacceptable as reason:
            findings.ignored.append(f"{quoted(found.alias)}: {reason.message}")
            continue
        if len(agents) >= MAX_ENTRIES:
            findings.ignored.append(f"{quoted(found.alias)}: more than {MAX_ENTRIES:,} hosts")
            break
        machine = (where, port or "22", login)
        if machine in machines:
            findings.ignored.append(f"{quoted(found.alias)}: the same machine as one before it")
            continue
        machines.add(machine)
        name = _unique(as_name(found.alias, "host"), names)
        names.add(name)
        said = [f"address: {_scalar(where)}"] if where != name else []
        said += [f"port: {port}"] if port else []
        said += [f"user: {_scalar(login)}"] if login else []
        pool = pools.setdefault(found.pool, _unique(as_name(found.pool, "pool"), pools.values()))
        agents.append(
            _Agent(
                name=name,
                host=name,
                entry=", ".join(said),
                pool=pool,
                labels=_labels(found, findings),
            )
        )
    return agents


def _labels(found: FoundHost, findings: Findings) -> str:
    kept: dict[str, str] = {}
    for key, value in found.labels:
        try:
            kept[word(key)] = word(value)
        except Unacceptable as reason:
            findings.ignored.append(f"a label of {quoted(found.alias)}: {reason.message}")
    if not kept:
        return ""
    shown = ", ".join(f"{_scalar(key)}: {_scalar(value)}" for key, value in kept.items())
    return f", labels: {{{shown}}}"


def as_name(text: str, otherwise: str) -> str:
    """The nearest allowed name: lower case, ``-`` for what names, or the hosts called so, cannot
    hold."""
    near = re.sub(r"(?:[^a-z0-9._-]|\.{2,})+", "-", text.lower()).strip("._-")[:56].rstrip("._-")
    return near if _NAME.fullmatch(near) else otherwise


def _unique(name: str, taken: Iterable[str]) -> str:
    taken = set(taken)
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"


def _scalar(text: str) -> str:
    """A value that every YAML reader takes for the same text."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(text)


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
