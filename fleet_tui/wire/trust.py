"""A host's key, fetched to be looked at by a person, and added to known_hosts when they agree.

Nothing is ever replaced: a key that changed is for a person to understand and to remove.
"""

import asyncio
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import asyncssh
import msgspec

from fleet_tui.core.ids import HostName
from fleet_tui.core.untrusted import Untrusted
from fleet_tui.core.vitals import FailureKind
from fleet_tui.wire.ssh import SshConnection, SshFailure, SshPool
from fleet_tui.wire.ssh_failures import connect_failure
from fleet_tui.wire.ssh_options import Route

LOOK_TIMEOUT_MS = 15_000
KEY_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
"""The kinds that are asked for, the best first."""


class Standing(StrEnum):
    """How an offered key compares with what is known."""

    NEW = "new"
    KNOWN = "known"
    CHANGED = "changed"
    REVOKED = "revoked"


class OfferedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key a host shows, and what known_hosts says to it."""

    host: HostName
    label: str
    """The name in known_hosts: ``address`` or ``[address]:port``."""
    algorithm: str
    fingerprint: str
    """``SHA256:`` and 43 characters of base 64."""
    standing: Standing
    public_key: str
    file: Path
    """Where it would be added."""
    files: tuple[Path, ...]
    known_fingerprints: tuple[str, ...] = ()

    def confirms(self, typed: str) -> bool:
        """Whether somebody typed the last eight characters of the fingerprint."""
        return typed.strip() == self.fingerprint[-8:]


async def look_at_key(pool: SshPool, host: HostName) -> OfferedKey | SshFailure:
    """Ask a host for its key, through its jump hosts, without logging in."""
    way = await pool.way_to(host)
    if isinstance(way, SshFailure):
        return way
    route, jump = way
    port = None if route.port == asyncssh.DEFAULT_PORT else route.port
    known, _, revoked, *_ = route.known_hosts.match(route.key_alias, "", port)
    key = await _key_of(route, jump, _kinds_of(known) or KEY_KINDS)
    if isinstance(key, SshFailure) and key.kind is FailureKind.SSH_HOST_KEY and known:
        # It has none of the kinds we know: what it has instead is another key.
        key = await _key_of(route, jump, KEY_KINDS)
    if isinstance(key, SshFailure):
        return key
    label = route.key_alias if port is None else f"[{route.key_alias}]:{port}"
    return OfferedKey(
        host=host,
        label=label,
        algorithm=key.get_algorithm(),
        fingerprint=key.get_fingerprint(),
        standing=_standing(key, known, revoked),
        public_key=key.export_public_key().decode("ascii", "replace").strip(),
        file=route.known_hosts_files[0],
        files=route.known_hosts_files,
        known_fingerprints=tuple(each.get_fingerprint() for each in known),
    )


def _standing(
    key: asyncssh.SSHKey, known: Sequence[asyncssh.SSHKey], revoked: Sequence[asyncssh.SSHKey]
) -> Standing:
    if key in revoked:
        return Standing.REVOKED
    if key in known:
        return Standing.KNOWN
    return Standing.CHANGED if known else Standing.NEW


def _kinds_of(known: Sequence[asyncssh.SSHKey]) -> tuple[str, ...]:
    """The signature algorithms of the keys that are known, without SHA-1."""
    kinds: list[str] = []
    for key in known:
        name = key.get_algorithm()
        kinds.extend(("rsa-sha2-512", "rsa-sha2-256") if name == "ssh-rsa" else (name,))
    return tuple(dict.fromkeys(kinds))


async def _key_of(
    route: Route, jump: SshConnection | None, kinds: Sequence[str]
) -> asyncssh.SSHKey | SshFailure:
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_MS / 1000):
            key = await asyncssh.get_server_host_key(
                str(route.arguments["host"]),
                route.port,
                tunnel=jump.raw if jump is not None else None,
                server_host_key_algs=kinds,
                config=None,
                options=route.options,
            )
    except Exception as error:  # every way to fail becomes a value here
        return connect_failure(error, timeout_ms=LOOK_TIMEOUT_MS)
    if key is None:
        return SshFailure(kind=FailureKind.SSH_HOST_KEY, detail=Untrusted("it showed no key"))
    return key


def add_key(offered: OfferedKey) -> None:
    """Append a new key to its known_hosts file, made if needed (0600, its directory 0700).

    Raises OSError. Only for a key whose standing is NEW.
    """
    assert offered.standing is Standing.NEW, offered.standing
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
