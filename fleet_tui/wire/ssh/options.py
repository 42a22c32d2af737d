"""How to connect to a host: keys, known hosts, algorithms, jumps and proxies.

Everything is read once and off the event loop: parsing one RSA key costs 95 ms, an encrypted one
more. The settings of ssh_config come resolved (:mod:`fleet_tui.wire.ssh.resolver`) and are passed
to asyncssh value by value, except those that would weaken security.
"""

import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import asyncssh
import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ssh.config import Resolved
from fleet_tui.core.ssh.ways import Hop, judge_login, jump_chain, proxy_command
from fleet_tui.wire.ssh.algorithms import HOST_KEYS, algorithms
from fleet_tui.wire.ssh.failures import LocalSetupError
from fleet_tui.wire.ssh.host_keys import load_known_hosts, load_revoked
from fleet_tui.wire.ssh.identities import (
    Identities,
    Stamps,
    identity_stamps,
    read_identities,
    stamp,
)
from fleet_tui.wire.ssh.known_hosts import known_hosts_files
from fleet_tui.wire.ssh.surroundings import named_files

KEEPALIVE_EVERY_S = 5
KEEPALIVE_MISSES = 3

DEFAULT_CONNECT_TIMEOUT_MS = 12_000
"""Above five seconds on purpose: a gateway that refuses a token does so slowly."""
MAX_CONNECT_TIMEOUT_S = 300
"""Of ssh_config's ConnectTimeout; a host is tried again anyway."""

_T = TypeVar("_T")

_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of known_hosts for one host."""

    keys: tuple[asyncssh.SSHKey, ...]
    authorities: tuple[asyncssh.SSHKey, ...]
    revoked: tuple[asyncssh.SSHKey, ...]

    @classmethod
    def of(cls, hosts: asyncssh.SSHKnownHosts, name: str, port: int) -> "Known":
        """Search for ``name``, or ``[name]:port`` where the port is not the usual one."""
        keys, authorities, revoked, *_ = hosts.match(
            name, "", None if port == asyncssh.DEFAULT_PORT else port
        )
        return cls(keys=tuple(keys), authorities=tuple(authorities), revoked=tuple(revoked))

    def key_kinds(self) -> list[str]:
        """Signature algorithms for plain host keys, those of known keys first.

        All of them, as in OpenSSH: a host that has lost the kind we know presents what it has
        instead, which can be distinguished from a network failure.
        """
        kinds: list[str] = []
        for key in self.keys:
            name = key.get_algorithm()
            kinds.extend(("rsa-sha2-512", "rsa-sha2-256") if name == "ssh-rsa" else (name,))
        return list(dict.fromkeys((*kinds, *HOST_KEYS)))


_FOR_ALL: dict[str, Any] = {
    "config": None,
    "tunnel": None,  # the pool handles jump hosts and proxies itself
    "proxy_command": None,
    "agent_forwarding": False,
    "x11_forwarding": False,
    "command": None,
    "request_pty": False,
    "password_auth": False,
    "kbdint_auth": False,
    "host_based_auth": False,
    "gss_auth": False,
    "gss_kex": False,
    "preferred_auth": ("publickey",),
    "encoding": None,
    "utf8_decode_errors": "replace",  # banners and disconnect messages may be in any encoding
    "keepalive_interval": KEEPALIVE_EVERY_S,
    "keepalive_count_max": KEEPALIVE_MISSES,
}
"""Options that ssh_config does not decide."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a connection to one host needs, parsed and ready."""

    options: asyncssh.SSHClientConnectionOptions
    identities: Identities
    known: Known
    known_hosts_files: tuple[Path, ...]
    key_alias: str
    """The name to search in known_hosts (HostKeyAlias, HostName or the address)."""
    key_label: str
    """The name under which known_hosts stores a new key, with the port where it has one."""
    port: int
    jump_chain: tuple[Hop, ...]
    """The hosts of ssh_config's ProxyJump, the first one first."""
    proxy_command: str | None
    """ssh_config's ProxyCommand, its tokens replaced; a jump host goes before it."""
    connect_timeout_ms: int
    arguments: dict[str, object]
    """Arguments of asyncssh.connect that must be given in addition to the options: its own defaults
    take precedence over those."""
    stamps: tuple[object, ...]
    """Of the files that it was made from."""


class _Latest(Generic[_T]):
    """Values made from files, once until one of them changes. Only the latest of each set of files
    is kept: every enrolled host makes another known_hosts."""

    def __init__(self) -> None:
        self._kept: dict[object, tuple[Stamps, _T]] = {}

    def made_of(self, which: object, stamps: Stamps, make: Callable[[], _T]) -> _T:
        """The value for ``which`` files with these ``stamps``; ``make`` reads them."""
        kept = self._kept.get(which)
        if kept is None or kept[0] != stamps:
            kept = self._kept[which] = (stamps, make())
        return kept[1]


class SshFiles:
    """Keys and known hosts of this machine's user, each file parsed once until it changes.

    Not thread safe: the pool calls it from one worker at a time.
    """

    def __init__(self, known_hosts: Path | None = None) -> None:
        self._known_hosts = known_hosts
        self._hosts = _Latest[asyncssh.SSHKnownHosts]()
        self._identities = _Latest[Identities]()

    def identities(self, spec: HostSpec, host: Resolved) -> Identities:
        """The credentials for a host. Raises IdentityError, and ValueError for an impossible file
        name."""
        return self._shown(spec, host, identity_stamps(spec, host))

    def _shown(
        self, spec: HostSpec, host: Resolved, stamps: tuple[bool, str | None, Stamps]
    ) -> Identities:
        only_named, agent, files = stamps
        return self._identities.made_of(
            (only_named, agent, tuple(name for name, *_ in files)),
            files,
            lambda: read_identities(spec, host),
        )

    def route(self, spec: HostSpec, host: Resolved, before: Route | None = None) -> Route:
        """Read everything ``spec`` needs; returns ``before``, made for the same arguments, if no
        file has changed since. Raises LocalSetupError with a message for people."""
        arguments = {"host": host.hostname, "port": host.port, **_own_end(host)}
        if (user := spec.user or host.user) is not None:
            arguments["username"] = user
        timeout_ms = _connect_timeout_ms(spec, host)
        try:
            hosts_files = known_hosts_files(spec, self._known_hosts, host)
            revoked = named_files(host, "revokedhostkeys")
            hosts_stamps = tuple(map(stamp, (*hosts_files, *revoked)))
            own_stamps = identity_stamps(spec, host)
            if before is not None and before.stamps == (hosts_stamps, own_stamps):
                return before
            hosts = self._hosts.made_of(
                (hosts_files, revoked),
                hosts_stamps,
                lambda: _read_hosts(hosts_files, revoked),
            )
            identities = self._shown(spec, host, own_stamps)
            known = Known.of(hosts, host.key_alias, host.port)
            options = asyncssh.SSHClientConnectionOptions(
                **_FOR_ALL,
                known_hosts=hosts,
                host_key_alias=host.one("hostkeyalias"),
                connect_timeout=timeout_ms / 1000,
                login_timeout=timeout_ms / 1000,
                **identities.options(),
                **algorithms(host, known.key_kinds(), certified=bool(known.authorities)),
                **_line_options(host),
                **arguments,
            )
            for _, reason in judge_login(host):
                raise ValueError(reason)
            chain, program = jump_chain(host), proxy_command(host)
        except ValueError as error:
            raise LocalSetupError(FailureKind.SSH_PROTOCOL, f"ssh_config: {error}") from error
        return Route(
            options=options,
            identities=identities,
            known=known,
            known_hosts_files=hosts_files,
            key_alias=host.key_alias,
            key_label=_key_label(host),
            port=host.port,
            jump_chain=chain,
            proxy_command=program,
            connect_timeout_ms=timeout_ms,
            arguments=arguments,
            stamps=(hosts_stamps, own_stamps),
        )


def _read_hosts(files: Sequence[Path], revoked: Sequence[Path]) -> asyncssh.SSHKnownHosts:
    hosts = asyncssh.SSHKnownHosts()
    for path in files:
        load_known_hosts(hosts, path)
    for path in revoked:
        load_revoked(hosts, path)
    return hosts


def _key_label(host: Resolved) -> str:
    """The name under which known_hosts stores a key: an alias has no port, as in ssh(1)."""
    if host.one("hostkeyalias") or host.port == asyncssh.DEFAULT_PORT:
        return host.key_alias
    return f"[{host.key_alias}]:{host.port}"


def _connect_timeout_ms(spec: HostSpec, host: Resolved) -> int:
    """From the fleet file, else from ssh_config, else the default."""
    if spec.connect_timeout_ms is not None:
        return spec.connect_timeout_ms
    said_s = _number(host.one("connecttimeout") or "")
    return min(said_s, MAX_CONNECT_TIMEOUT_S) * 1000 if said_s else DEFAULT_CONNECT_TIMEOUT_MS


def _number(said: str) -> int:
    """A whole number of ssh_config; 0 for anything else, which ssh would not have printed."""
    return int(said) if said.isdecimal() and len(said) < 16 else 0


def _own_end(host: Resolved) -> dict[str, object]:
    """The settings of ssh_config for our own end of the connection."""
    chosen: dict[str, object] = {}
    family = _FAMILIES.get(host.one("addressfamily") or "")
    if family is not None:
        chosen["family"] = family
    if (bind := host.one("bindaddress")) is not None:
        chosen["local_addr"] = (bind, 0)
    return chosen


def _line_options(host: Resolved) -> dict[str, object]:
    """The settings of ssh_config for the connection itself, as arguments of asyncssh."""
    chosen: dict[str, object] = {}
    if (keepalive := host.one("tcpkeepalive")) is not None:
        chosen["tcp_keepalive"] = keepalive in ("yes", "true")
    rekey = map(_number, (host.one("rekeylimit") or "").split())
    for name, number in zip(("rekey_bytes", "rekey_seconds"), rekey, strict=False):
        if number:
            chosen[name] = number
    if variables := host.all("setenv"):
        # As bytes: asyncssh encodes text only as UTF-8.
        pairs = (os.fsencode(each).partition(b"=") for each in variables)
        chosen["env"] = {name: value for name, _, value in pairs}
    if names := [os.fsencode(name) for each in host.all("sendenv") for name in each.split()]:
        chosen["send_env"] = names
    return chosen
