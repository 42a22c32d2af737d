"""Fetches a host's key for review, and adds it to known_hosts after confirmation.

A key is never replaced: an operator has to examine and remove one that changed.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from pathlib import Path
from socket import socket
from typing import Final, TypeVar

import asyncssh
import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.ids import HostName
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.ssh.advice import host_key_advice
from fleet_tui.wire.ssh.algorithms import HOST_CERTIFICATES
from fleet_tui.wire.ssh.failures import connect_failure, cut_off, may_be_told
from fleet_tui.wire.ssh.hello import HelloListener, our_offers, why_not
from fleet_tui.wire.ssh.options import Known, Route
from fleet_tui.wire.ssh.pool import SshConnection, SshFailure, SshPool
from fleet_tui.wire.ssh.proxy_command import ProxyProcess, start_proxy
from fleet_tui.wire.words import words_of

LOOK_TIMEOUT_MS = 15_000
"""Upper bound, whatever the host's own connect timeout."""

_T = TypeVar("_T")


class KeyTrust(StrEnum):
    """How an offered key compares with the known ones."""

    NEW = "new"
    KNOWN = "known"
    CHANGED = "changed"
    CERTIFIED = "certified"
    """An authority in known_hosts vouches for it."""
    REVOKED = "revoked"

    @property
    def text(self) -> str:
        """What it is to the files of known hosts, which are named after it."""
        return _TRUST[self]


_TRUST: Final = {
    KeyTrust.NEW: "not in",
    KeyTrust.KNOWN: "known already in",
    KeyTrust.CHANGED: "this is not the key in",
    KeyTrust.CERTIFIED: "vouched for by an authority in",
    KeyTrust.REVOKED: "this key is revoked in",
}


class OfferedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key that a host presents, and its status in known_hosts."""

    host: HostName
    label: str
    """The name in known_hosts: ``address``, ``[address]:port`` or ssh_config's HostKeyAlias."""
    algorithm: str
    fingerprint: str
    """``SHA256:`` and 43 characters of base 64."""
    trust: KeyTrust
    public_key: str
    file: Path
    """Where it would be added."""
    files: tuple[Path, ...]
    known_fingerprints: tuple[str, ...] = ()

    def confirms(self, typed: str) -> bool:
        """Whether the text is the last eight characters of the fingerprint."""
        return typed.strip() == self.fingerprint[-8:]


async def look_at_key(pool: SshPool, host: HostName) -> OfferedKey | SshFailure:
    """Fetch a host's key, through its jump hosts, without logging in."""
    way = await pool.way_to(host)
    if isinstance(way, SshFailure):
        return way
    route, jump = way
    known = route.known
    certified = False
    if known.authorities and not known.keys:
        refused = await _certificate_trouble(host, route, jump)
        if refused is not None:
            return refused
        certified = True
    kinds = HOST_CERTIFICATES if certified else known.key_kinds()
    key = await _key_of(route, jump, kinds)
    if isinstance(key, SshFailure):
        return key
    return OfferedKey(
        host=host,
        label=route.key_label,
        algorithm=key.get_algorithm(),
        fingerprint=key.get_fingerprint(),
        trust=KeyTrust.CERTIFIED if certified else _trust_in(key, known),
        public_key=key.export_public_key().decode("ascii", "replace").strip(),
        file=route.known_hosts_files[0],
        files=route.known_hosts_files,
        known_fingerprints=tuple(each.get_fingerprint() for each in known.keys),
    )


def _trust_in(key: asyncssh.SSHKey, known: Known) -> KeyTrust:
    if key in known.revoked:
        return KeyTrust.REVOKED
    if key in known.keys:
        return KeyTrust.KNOWN
    return KeyTrust.CHANGED if known.keys else KeyTrust.NEW


async def _key_of(
    route: Route, jump: SshConnection | None, kinds: Sequence[str]
) -> asyncssh.SSHKey | SshFailure:
    async def ask(sock: socket | None, listener: HelloListener) -> asyncssh.SSHKey | None:
        return await asyncssh.get_server_host_key(
            str(route.arguments["host"]),
            route.port,
            family=route.options.family,
            local_addr=route.options.local_addr,
            tunnel=jump.raw if jump is not None else None,
            sock=sock,
            kex_algs=our_offers(route.options).key_exchanges,
            server_host_key_algs=kinds,
            config=None,
            options=asyncssh.SSHClientConnectionOptions(
                route.options, config=None, client_factory=lambda: listener, **route.arguments
            ),
        )

    key = await _reach(route, jump, ask)
    if key is None:
        return SshFailure(kind=FailureKind.SSH_HOST_KEY, detail=Untrusted("it showed no key"))
    return key


async def _certificate_trouble(
    host: HostName, route: Route, jump: SshConnection | None
) -> SshFailure | None:
    """Why the certificate of a host is invalid; None if it is valid."""

    async def greet(sock: socket | None, listener: HelloListener) -> SshFailure | None:
        try:
            raw = await asyncssh.connect(
                options=route.options,
                config=None,
                tunnel=jump.raw if jump is not None else None,
                sock=sock,
                client_factory=lambda: listener,
                **(route.arguments | {"client_keys": None}),  # no login happens here
            )
        except asyncssh.PermissionDenied:
            return None  # it requested authentication, so its certificate was accepted
        except asyncssh.HostKeyNotVerifiable as error:
            advice = host_key_advice(host, route, error) or str(error)
            return SshFailure(kind=FailureKind.SSH_HOST_KEY, detail=words_of(advice))
        raw.close()
        return None

    return await _reach(route, jump, greet)


async def _reach(
    route: Route,
    jump: SshConnection | None,
    ask: Callable[[socket | None, HelloListener], Awaitable[_T]],
) -> _T | SshFailure:
    """Send a request to a host through its proxy program, if it has one."""
    proxy: ProxyProcess | None = None
    listener = HelloListener()
    limit_ms = min(LOOK_TIMEOUT_MS, route.connect_timeout_ms)
    try:
        async with asyncio.timeout(limit_ms / 1000):
            if jump is None and route.proxy_command is not None:
                proxy = await start_proxy(route.proxy_command)
            return await ask(proxy.socket if proxy is not None else None, listener)
    except Exception as error:  # every failure becomes a value here
        ended = await proxy.failure() if proxy is not None and cut_off(error) else None
        if ended is not None:
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=ended)
        is_told = may_be_told(error)
        reason = why_not(listener.heard, our_offers(route.options)) if is_told else None
        return reason or connect_failure(error, timeout_ms=limit_ms)
    finally:
        listener.stop_listening()
        if proxy is not None:
            await proxy.end()


def add_key(offered: OfferedKey) -> None:
    """Append a new key to its known_hosts file, made if needed (0600, its directory 0700).

    Raises OSError. Only for a key that is NEW.
    """
    assert offered.trust is KeyTrust.NEW, offered.trust
    offered.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    entry = f"{offered.label} {offered.public_key}\n".encode()
    handle = os.open(offered.file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            entry = b"\n" + entry
        os.write(handle, entry)
        os.fsync(handle)
    finally:
        os.close(handle)
