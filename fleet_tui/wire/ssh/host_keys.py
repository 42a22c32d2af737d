"""The keys that hosts may present, and revoked ones, in asyncssh's form."""

from pathlib import Path

import asyncssh

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.wire.ssh.failures import LocalSetupError
from fleet_tui.wire.ssh.known_hosts import (
    OF_STRINGS,
    KnownHostsLine,
    OddLine,
    read_known_hosts,
    read_revoked,
)


def load_known_hosts(hosts: asyncssh.SSHKnownHosts, path: Path) -> None:
    """Add the entries of a file. Raises LocalSetupError for a line that forbids connections."""
    for line in read_known_hosts(path):
        if isinstance(line, OddLine):
            if line.closes:
                raise LocalSetupError(FailureKind.SSH_PROTOCOL, str(line))
        elif line.closes:
            _load_closing(hosts, path, line)
        else:
            try:
                hosts.load(line.text)
            except ValueError:  # the library cannot use it: it vouches for no host
                continue


def _load_closing(hosts: asyncssh.SSHKnownHosts, path: Path, line: KnownHostsLine) -> None:
    """asyncssh skips keys that it cannot read: a revocation would be lost silently."""
    try:
        _, _, key = line.text.split(None, 2)
        if key.startswith(OF_STRINGS):
            asyncssh.import_public_key(key)
        hosts.load(line.text)
    except ValueError as error:
        odd = OddLine(file=path, line=line.number, why="its key is damaged", closes=True)
        raise LocalSetupError(FailureKind.SSH_PROTOCOL, str(odd)) from error


def load_revoked(hosts: asyncssh.SSHKnownHosts, path: Path) -> None:
    """Keys that no host may present. Raises LocalSetupError."""
    keys, odd = read_revoked(path)
    if odd is not None:
        raise LocalSetupError(FailureKind.SSH_PROTOCOL, f"RevokedHostKeys {odd}")
    for number, key in enumerate(keys, 1):
        _load_closing(hosts, path, KnownHostsLine(number, f"@revoked * {key}", closes=True))
