"""Ansible inventories: hosts, groups, ``ansible_host``, ``ansible_port`` and ``ansible_user``.

What ``ansible-inventory --list`` prints is read if that program is there, since only Ansible knows
all of its own formats; it may run the inventory's own scripts, as it does for Ansible. Otherwise
YAML inventories and simple INI ones are read here. Passwords, keys and arguments are left out.
"""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleet_tui.config import reader
from fleet_tui.config.files import read_regular
from fleet_tui.config.importers.found import DEFAULT_POOL, Findings, FoundHost
from fleet_tui.config.models import MAX_ENTRIES
from fleet_tui.config.problems import as_text, quoted
from fleet_tui.errors import FleetError, InvalidConfig

ANSIBLE_TIMEOUT_S = 60
MAX_RANGE = 1_000
"""Hosts that one ``web[01:50]`` may stand for."""
MAX_GROUP_DEPTH = 32

_KEPT = frozenset({"ansible_host", "ansible_port", "ansible_user", "ansible_ssh_host"})
_SECRET_WORDS = ("pass", "key", "secret", "token", "vault")
_RANGE = re.compile(r"\[(?P<low>[0-9]{1,6}):(?P<high>[0-9]{1,6})\]")
_NO_POOLS = frozenset({"all", "ungrouped", "_meta"})
_GET_ANSIBLE = "where Ansible is installed, ansible-inventory reads every format"

Variables = dict[str, str]


@dataclass(slots=True)
class _Group:
    hosts: dict[str, Variables] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: Variables = field(default_factory=dict)


@dataclass(slots=True)
class _Inventory:
    groups: dict[str, _Group] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    expanded: int = 0
    """Hosts that patterns with ranges stand for so far."""

    def group(self, name: str) -> _Group:
        return self.groups.setdefault(name, _Group())


def read_inventory(
    path: Path, groups: Mapping[str, str], *, which: Callable[[str], str | None] = shutil.which
) -> Findings:
    """The hosts of an inventory.

    ``groups`` maps a group to a pool; if it is not empty, only hosts of these groups are taken.
    Otherwise a host's first group is its pool, and its other groups become labels. Raises
    InvalidConfig if the file cannot be read, FleetError if ansible-inventory fails.
    """
    program = which("ansible-inventory")
    if program:
        inventory = _listed(program, path)
    else:
        text = _text_of(path)
        looks_yaml = path.suffix.lower() in (".yaml", ".yml", ".json")
        inventory = _from_yaml(path, text) if looks_yaml else _from_ini(text)
    return _findings(inventory, groups)


def _findings(inventory: _Inventory, wanted: Mapping[str, str]) -> Findings:
    findings = Findings(ignored=inventory.ignored)
    for missing in wanted.keys() - inventory.groups.keys():
        findings.ignored.append(f"there is no group {quoted(missing)}")
    variables, members = _flattened(inventory)
    left_out: dict[str, int] = {}
    for host, said in variables.items():
        own = [group for group in members[host] if group not in _NO_POOLS]
        if wanted:
            chosen = [group for group in own if group in wanted]
            if not chosen:
                left_out["hosts outside the named groups"] = (
                    left_out.get("hosts outside the named groups", 0) + 1
                )
                continue
            pool = wanted[chosen[0]]
            own.remove(chosen[0])
        else:
            pool = own.pop(0) if own else DEFAULT_POOL
        for key in said.keys() - _KEPT:
            if key.startswith("ansible_") or any(part in key.lower() for part in _SECRET_WORDS):
                left_out[key] = left_out.get(key, 0) + 1
        findings.hosts.append(
            FoundHost(
                alias=host,
                address=said.get("ansible_host") or said.get("ansible_ssh_host"),
                user=said.get("ansible_user"),
                port=said.get("ansible_port"),
                pool=pool,
                labels=tuple((group, "member") for group in own),
            )
        )
    findings.ignored += [f"{quoted(key)} ({count}x)" for key, count in sorted(left_out.items())]
    return findings


def _flattened(inventory: _Inventory) -> tuple[dict[str, Variables], dict[str, list[str]]]:
    """Each host's variables (the host's own over its groups', children over parents) and groups,
    the most specific first."""
    variables: dict[str, Variables] = {}
    members: dict[str, list[str]] = {}
    parents = {child: name for name, group in inventory.groups.items() for child in group.children}
    for name, group in inventory.groups.items():
        chain = [name]
        while chain[-1] in parents and len(chain) < MAX_GROUP_DEPTH:
            if parents[chain[-1]] in chain:
                break
            chain.append(parents[chain[-1]])
        if chain[-1] != "all":
            chain.append("all")
        inherited: Variables = {}
        for step in reversed(chain):
            inherited |= inventory.groups.get(step, _Group()).variables
        for host, own in group.hosts.items():
            variables[host] = {**variables.get(host, {}), **inherited, **own}
            known = members.setdefault(host, [])
            known += [step for step in chain if step not in known]
    for group in inventory.groups.values():
        for host, own in group.hosts.items():
            variables[host] |= own
    return variables, members


# ansible-inventory


def _listed(program: str, path: Path) -> _Inventory:
    try:
        ran = subprocess.run(  # noqa: S603 - found on PATH, no shell, the path cannot be an option
            [program, "--list", "-i", str(path.absolute())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSIBLE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FleetError(f"ansible-inventory took longer than {ANSIBLE_TIMEOUT_S}s") from None
    except OSError as refused:
        raise FleetError(f"ansible-inventory cannot be run: {refused.strerror}") from None
    if ran.returncode != 0:
        said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        raise FleetError(f"ansible-inventory failed: {quoted(said[-1] if said else 'no reason')}")
    try:
        document = json.loads(ran.stdout)
    except (ValueError, RecursionError):
        raise FleetError("ansible-inventory did not print JSON") from None
    return _from_list(document)


def _from_list(document: object) -> _Inventory:
    inventory = _Inventory()
    groups = _map(document)
    host_variables = _map(_map(groups.get("_meta")).get("hostvars"))
    for name, body in groups.items():
        if name == "_meta":
            continue
        group = inventory.group(name)
        for host in _list(_map(body).get("hosts")):
            group.hosts[host] = _texts(host_variables.get(host))
        group.children = dict.fromkeys(_list(_map(body).get("children")))
        group.variables = _texts(_map(body).get("vars"))
    return inventory


# Inventories read here


def _from_yaml(path: Path, text: str) -> _Inventory:
    source = reader.decode(str(path), text.encode())
    root = reader.read(source)
    if source.errors:
        shown = "\n".join(as_text(each) for each in source.in_order())
        raise InvalidConfig(f"the inventory cannot be read here:\n{shown}", hint=_GET_ANSIBLE)
    inventory = _Inventory()
    for name, body in _map(_plain(root)).items():
        _yaml_group(inventory, name, body)
    return inventory


def _yaml_group(inventory: _Inventory, name: str, body: object) -> None:
    group = inventory.group(name)
    said = _map(body)
    for pattern, variables in _map(said.get("hosts")).items():
        for host in _expanded(inventory, pattern):
            group.hosts[host] = group.hosts.get(host, {}) | _texts(variables)
    group.variables |= _texts(said.get("vars"))
    for child, inner in _map(said.get("children")).items():
        group.children.setdefault(child)
        _yaml_group(inventory, child, inner)


def _plain(node: reader.Node | None) -> object:
    match node:
        case reader.Mapping():
            return {key: _plain(entry.value) for key, entry in node.entries.items()}
        case reader.Sequence():
            return [_plain(item) for item in node.items]
        case reader.Scalar():
            return None if node.is_null else node.text
        case None:
            return None


def _from_ini(text: str) -> _Inventory:
    inventory = _Inventory()
    section, part = "ungrouped", "hosts"
    for number, line in enumerate(text.splitlines(), 1):
        said = line.strip()
        if not said or said.startswith(("#", ";")):
            continue
        if said.startswith("[") and said.endswith("]"):
            section, _, part = said[1:-1].partition(":")
            part = part or "hosts"
            inventory.group(section)
            if part not in ("hosts", "children", "vars"):
                inventory.ignored.append(f"line {number}: section {quoted(said)}")
            continue
        try:
            words = shlex.split(said, comments=True)
        except ValueError:
            inventory.ignored.append(f"line {number}: a quote is not closed")
            continue
        if words:
            _ini_line(inventory, section, part, words, said)
    return inventory


def _ini_line(inventory: _Inventory, section: str, part: str, words: list[str], said: str) -> None:
    group = inventory.group(section)
    match part:
        case "children":
            group.children.setdefault(words[0])
            inventory.group(words[0])
        case "vars":
            key, _, value = said.partition("=")
            group.variables[key.strip()] = value.strip().strip("'\"")
        case "hosts":
            pairs = (word.partition("=") for word in words[1:])
            variables = {key: value for key, equals, value in pairs if equals}
            for host in _expanded(inventory, words[0]):
                group.hosts[host] = group.hosts.get(host, {}) | variables
        case _:
            pass


def _expanded(inventory: _Inventory, pattern: str) -> list[str]:
    """``web[01:03]`` to its hosts; further or lettered ranges are left to Ansible."""
    found = _RANGE.search(pattern)
    if found is None:
        if "[" in pattern:
            inventory.ignored.append(f"the pattern {quoted(pattern)}")
            return []
        return [pattern]
    low, high = int(found["low"]), int(found["high"])
    before, after = pattern[: found.start()], pattern[found.end() :]
    count = high - low + 1
    if not 0 < count <= MAX_RANGE or "[" in after:
        inventory.ignored.append(f"the pattern {quoted(pattern)}")
        return []
    if inventory.expanded + count > MAX_ENTRIES:
        inventory.ignored.append(f"the pattern {quoted(pattern)}: more than {MAX_ENTRIES:,} hosts")
        return []
    inventory.expanded += count
    width = len(found["low"])
    return [f"{before}{number:0{width}}{after}" for number in range(low, high + 1)]


def _text_of(path: Path) -> str:
    if path.is_dir():
        raise InvalidConfig(f"{path} is a directory", hint=_GET_ANSIBLE)
    return read_text(path)


def read_text(path: Path) -> str:
    """A list of hosts as text. Raises InvalidConfig if it is none or too large."""
    try:
        data = read_regular(path, reader.MAX_FILE_BYTES + 1)
    except OSError as refused:
        raise InvalidConfig(f"{path}: {refused.strerror}") from None
    source = reader.decode(str(path), data)
    if source.errors:
        raise InvalidConfig("\n".join(as_text(each) for each in source.in_order()))
    return source.text


def _map(value: object) -> dict[str, object]:
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def _list(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _texts(value: object) -> Variables:
    """The simple values of a map, as text."""
    return {key: str(item) for key, item in _map(value).items() if isinstance(item, str | int)}
