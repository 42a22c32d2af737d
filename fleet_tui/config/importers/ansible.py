"""Ansible inventories: hosts, their groups, and the variables that define how a host is reached.

``ansible-inventory`` reads them (:mod:`fleet_tui.config.importers.ansible_run`); its ``--list`` is
the documented JSON of inventory scripts. Passwords and other secrets are left out. Connection
settings that a fleet file cannot express are reported with the host, the variable and the reason.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from fleet_tui.base.errors import FleetError
from fleet_tui.config.importers.ansible_run import (
    Setting,
    connection_settings,
    find_program,
    list_inventory,
)
from fleet_tui.config.importers.found import DEFAULT_POOL, Findings, FoundHost, Missed
from fleet_tui.config.importers.places import split_login, told
from fleet_tui.config.importers.ssh_words import SshWords, as_ssh_reads
from fleet_tui.config.problems import did_you_mean, quoted
from fleet_tui.config.values import Unacceptable, address, user, whole
from fleet_tui.core.text.secret_names import names_secret

MAX_GROUPS_OF_HOST = 64
"""Groups of one host that become labels."""

Variables = Mapping[str, object]

# The newer name of each variable first; it wins.
_ADDRESS = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port")
_USER = ("ansible_user", "ansible_ssh_user")
_KEY = ("ansible_ssh_private_key_file", "ansible_private_key_file")
# In the order in which Ansible gives them to ssh, for which the first value counts. Its own port,
# user and key stand between the first of them and the others.
_ARGUMENTS_BEFORE = ("ansible_ssh_args",)
_ARGUMENTS_AFTER = ("ansible_ssh_common_args", "ansible_ssh_extra_args")
_CONNECTION = "ansible_connection"
_KEPT = frozenset(
    (*_ADDRESS, *_PORT, *_USER, *_KEY, *_ARGUMENTS_BEFORE, *_ARGUMENTS_AFTER, _CONNECTION)
)
_NO_PLACE = {
    "ansible_ssh_executable": "a fleet file names no program of this machine",
    "ansible_paramiko_proxy_command": "a fleet file names no program of this machine; say it as "
    "ProxyCommand in ~/.ssh/config",
    "ansible_ssh_pkcs11_provider": "a fleet file has no place for it; say it in ~/.ssh/config",
}
_VARIABLE_OF = {
    "transport": _CONNECTION,
    "port": _PORT[0],
    "remote_user": _USER[0],
    "private_key_file": _KEY[0],
    "ssh_args": "ansible_ssh_args",
    "ssh_common_args": "ansible_ssh_common_args",
    "ssh_extra_args": "ansible_ssh_extra_args",
    "ssh_executable": "ansible_ssh_executable",
    "pkcs11_provider": "ansible_ssh_pkcs11_provider",
    "proxy_command": "ansible_paramiko_proxy_command",
}
"""Settings of a connection plugin, and the variable by which an inventory overrides each."""
_OVER_SSH = {
    "ssh": "ssh",
    "smart": "ssh",
    "paramiko": "paramiko",
    "paramiko_ssh": "paramiko",
    "ansible.netcommon.paramiko": "paramiko",
    "libssh": "libssh",
    "ansible.netcommon.libssh": "libssh",
}
"""Connections over SSH, and the word by which the plugin's own variables are known:
``ansible_paramiko_port``. They say it before all others while that connection is in force."""
_NO_LABELS = frozenset({"all", "ungrouped", "_meta"})
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")


def read_inventory(path: Path, groups: Mapping[str, str], env: Mapping[str, str]) -> Findings:
    """The hosts of any inventory that Ansible can read.

    ``groups`` maps a group to a pool; if it is not empty, only hosts of these groups are taken.
    Otherwise a host's first group is its pool. All its other groups become labels, and the groups
    those are in. Raises Unreachable without ansible-inventory, InvalidConfig if that cannot read
    the inventory, FleetError if it fails.
    """
    program = find_program()
    listed = list_inventory(program, path, env)
    findings = findings_of(listed.document, groups, connection_settings(program, env))
    findings.missed += [f"part of the inventory: {line}" for line in listed.unread]
    findings.ignored += [f"ansible-inventory says: {line}" for line in listed.warnings]
    return findings


def findings_of(
    document: bytes, groups: Mapping[str, str], settings: Iterable[Setting] = ()
) -> Findings:
    """The hosts in what ``ansible-inventory --list`` printed, reached as ``settings`` say where the
    inventory says nothing else. Raises FleetError if it is not JSON or no inventory."""
    try:
        said = json.loads(document)
    except (ValueError, RecursionError):
        raise FleetError("ansible-inventory did not print JSON") from None
    if not isinstance(said, dict):
        raise FleetError("ansible-inventory printed no inventory")
    everywhere = {_VARIABLE_OF[each.name]: each for each in settings if each.name in _VARIABLE_OF}
    return _Listing(said, everywhere).findings(groups)


class _Listing:
    """What ``--list`` printed, and the tree of its groups."""

    def __init__(self, groups: dict[str, object], everywhere: Mapping[str, Setting]) -> None:
        self.everywhere = everywhere
        self.variables = _map(_map(groups.get("_meta")).get("hostvars"))
        self.children = {name: _list(_map(body).get("children")) for name, body in groups.items()}
        self.members = {name: _list(_map(body).get("hosts")) for name, body in groups.items()}
        self.order = self._in_order()
        self.parents: dict[str, list[str]] = {}
        for name in self.order:
            for child in self.children.get(name, ()):
                self.parents.setdefault(child, []).append(name)
        self.above: dict[str, tuple[str, ...]] = {}

    def findings(self, wanted: Mapping[str, str]) -> Findings:
        """Every selected host, in the inventory's order."""
        findings = Findings(whole=True)
        known = [name for name in self.order if name not in _NO_LABELS]
        for group in wanted:
            if group not in self.order:
                nearest = did_you_mean(group, known)
                findings.missed.append(f"there is no group {quoted(group)}{nearest}")
        left_out: Counter[str] = Counter()
        for host, own in self._groups_of_hosts().items():
            pool = self._pool(own, wanted)
            if pool is None:
                left_out["hosts outside the named groups"] += 1
                continue
            way = _Way(_map(self.variables.get(host)), self.everywhere)
            _add(findings, host, way, pool, own, left_out)
        findings.ignored += [f"{quoted(key)} ({count}x)" for key, count in sorted(left_out.items())]
        return findings

    def _in_order(self) -> list[str]:
        """Groups in the order of the inventory, parents before their children."""
        order: dict[str, None] = {}
        waiting = [*reversed(self.children), "all"]  # unreachable groups come last
        while waiting:
            name = waiting.pop()
            if name not in order and name != "_meta":
                order[name] = None
                waiting += reversed(self.children.get(name, ()))
        return list(order)

    def _groups_of_hosts(self) -> dict[str, list[str]]:
        """Each host's groups: its own in the inventory's order, then those above them."""
        own: dict[str, list[str]] = {}
        for group in self.order:
            for host in self.members.get(group, ()):
                own.setdefault(host, []).append(group)
        return {
            host: [
                name
                for name in dict.fromkeys(
                    (*direct, *(above for group in direct for above in self._above(group)))
                )
                if name not in _NO_LABELS
            ]
            for host, direct in own.items()
        }

    def _above(self, group: str) -> tuple[str, ...]:
        """Every group that a group is in, at any depth, the nearest first."""
        if group not in self.above:
            found: dict[str, None] = {}
            waiting = list(self.parents.get(group, ()))
            for name in waiting:  # grows while it is walked
                if name not in found and name != group:
                    found[name] = None
                    waiting += self.parents.get(name, ())
            self.above[group] = tuple(found)
        return self.above[group]

    @staticmethod
    def _pool(own: list[str], wanted: Mapping[str, str]) -> str | None:
        """Remove and return the group that becomes the pool; None for an unselected host. A group
        without subgroups describes a host's purpose best."""
        if not wanted:
            return own.pop(0) if own else DEFAULT_POOL
        chosen = next((group for group in own if group in wanted), None)
        if chosen is None:
            return None
        own.remove(chosen)
        return wanted[chosen]


def _add(
    findings: Findings,
    host: str,
    reading: "_Way",
    pool: str,
    groups: list[str],
    left_out: Counter[str],
) -> None:
    found = reading.found(host, pool, groups)
    for key in reading.said.keys() - _KEPT - _NO_PLACE.keys() - reading.plugins:
        if key.startswith("ansible_") or names_secret(key):
            left_out[key] += 1
    findings.missed += [f"{told(host)}: {each.what}: {each.why}" for each in reading.missed]
    for key in reading.words.changes_nothing:
        left_out[key] += 1
    if found is not None:
        findings.hosts.append(found)


class _Way:
    """How one host is reached according to its variables."""

    def __init__(self, said: Variables, everywhere: Mapping[str, Setting]) -> None:
        self.said = said
        self.everywhere = everywhere
        """Ansible's own settings, by the variable that would override them."""
        self.words = SshWords()
        self.missed = self.words.missed
        self.plugin = "ssh"
        self.plugins: set[str] = set()
        """Variables of the connection plugin itself that apply."""
        self.user_before: str | None = None
        """The user of ``user@address``, which ssh uses where no other is given."""

    def found(self, host: str, pool: str, groups: list[str]) -> FoundHost | None:
        """The host; None, with the reason recorded as missed, if a fleet cannot reach it."""
        connection = self._value((_CONNECTION,))
        if connection is not None and not _is_ssh(connection[1]):
            why = f"{quoted(connection[1])} is not SSH; the host was left out"
            self.missed.append(Missed(_CONNECTION, why))
            return None
        if connection is not None:
            self.plugin = _OVER_SSH[connection[1].removeprefix("ansible.builtin.")]
        reachable = len(self.missed)
        where = self._address(host)
        if where is None and len(self.missed) > reachable:
            return None
        self._arguments(_ARGUMENTS_BEFORE)
        self._into_words()
        self._arguments(_ARGUMENTS_AFTER)
        for key in sorted(_NO_PLACE.keys() & (self.said.keys() | self.everywhere.keys())):
            self.missed.append(Missed(key, _NO_PLACE[key]))
        if len(groups) > MAX_GROUPS_OF_HOST:
            why = f"{len(groups)} of them; {MAX_GROUPS_OF_HOST} became labels"
            self.missed.append(Missed("groups", why))
        words = self.words
        return FoundHost(
            alias=host,
            address=words.address or where,
            user=words.user or self.user_before,
            port=words.port,
            identity=self._file(words.identity),
            known_hosts=self._file(words.known_hosts),
            via=words.via or (),
            direct=words.via == (),
            pool=pool,
            labels=tuple((group, "member") for group in groups[:MAX_GROUPS_OF_HOST]),
        )

    def _address(self, host: str) -> str | None:
        """None if there is none of its own, or, with a reason, none that can be used."""
        value = self._value(self._own("host", _ADDRESS), then="; the host was left out")
        what, said = value or ("its name", host)
        try:
            login, where = split_login(said)
            address(where)
        except Unacceptable as reason:
            self.missed.append(Missed(what, f"{reason.message}; the host was left out"))
            return None
        if login is not None:
            try:
                self.user_before = user(login)
            except Unacceptable as reason:
                self.missed.append(Missed(what, reason.message))
        return None if value is None and login is None else where

    def _into_words(self) -> None:
        """Ansible's own port, user and key, where no argument before them says others."""
        port = self._judged(
            self._own("port", _PORT), lambda said: str(whole(said, least=1, most=65_535))
        )
        login = self._judged(self._own("user", _USER), lambda said: user(as_ssh_reads(said)))
        self.words.port = self.words.port or port
        self.words.user = self.words.user or login
        key = self._value(self._own("private_key_file", _KEY))
        if key is not None:
            self.words.add_key(*key)

    def _own(self, word: str, names: tuple[str, ...]) -> tuple[str, ...]:
        """With the plugin's own variable before them. Those of ``ssh`` are among them."""
        own = f"ansible_{self.plugin}_{word}"
        if own in names or self.plugin == "ssh":
            return names
        self.plugins.add(own)
        return (own, *names)

    def _judged(self, names: tuple[str, ...], judge: Callable[[str], str]) -> str | None:
        value = self._value(names)
        if value is None:
            return None
        try:
            return judge(value[1])
        except Unacceptable as reason:
            self.missed.append(Missed(value[0], reason.message))
            return None

    def _arguments(self, names: tuple[str, ...]) -> None:
        for name in names:
            value = self._value((name,))
            if value is not None:
                self.words.read(*value)

    def _value(self, names: tuple[str, ...], then: str = "") -> tuple[str, str] | None:
        """The first variable that says something, and what; None, with a reason if there is one,
        if it is nothing that can be used."""
        for name in names:
            said = self.said.get(name)
            if said is None or said == "":
                continue
            plain = _plain(said)
            if plain is not None:
                return name, plain
            self.missed.append(Missed(name, _why_not(said) + then))
            return None
        if any(self.said.get(name) == "" for name in names):
            return None  # an empty value also overrides the settings
        for setting in (self.everywhere[name] for name in names if name in self.everywhere):
            what = f"{setting.name} ({setting.origin})"
            plain = _plain(setting.value)
            if plain is not None:
                return what, plain
            self.missed.append(Missed(what, _why_not(setting.value) + then))
        return None

    @staticmethod
    def _file(said: str | None) -> str | None:
        """Ansible resolves a relative path against its working directory, a fleet file against its
        own."""
        if said is None or said == "~" or said.startswith("~/"):
            return said
        return os.path.abspath(os.path.expanduser(said))


def _is_ssh(connection: str) -> bool:
    return connection.removeprefix("ansible.builtin.") in _OVER_SSH


def _plain(said: object) -> str | None:
    """A variable as text; None for other types, encrypted values and templates."""
    match said:
        case bool():
            return None
        case int():
            return str(said)
        case str():
            return None if _TEMPLATE.search(said) else said
        case {"__ansible_unsafe": str(literal)}:
            return literal  # marked as never to be filled in
        case _:  # floats, lists, maps, null and what is encrypted
            return None


def _why_not(said: object) -> str:
    match said:
        case str():
            return "is a template, which ansible-inventory does not fill in"
        case {"__ansible_vault": _}:
            return "is encrypted"
        case _:  # what _plain keeps never comes here
            return "is no plain value"


def _map(value: object) -> dict[str, object]:
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def _list(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
