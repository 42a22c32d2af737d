"""The keys that hosts may show, and those they may not, as asyncssh takes them."""

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
    """Add what a file vouches for. Raises LocalSetupError for a line that closes."""
    for line in read_known_hosts(path):
        if isinstance(line, OddLine):
            if line.closes:
                raise LocalSetupError(FailureKind.SSH_PROTOCOL, str(line))
        elif line.closes:
            _load_closing(hosts, path, line)
        else:
            try:
                hosts.load(line.text)
            except ValueError:  # an entry that the library cannot use vouches for nobody either
                continue


def _load_closing(hosts: asyncssh.SSHKnownHosts, path: Path, line: KnownHostsLine) -> None:
    """asyncssh passes over keys that it cannot read: a revocation would be lost without a word."""
    try:
        _, _, key = line.text.split(None, 2)
        if key.startswith(OF_STRINGS):
            asyncssh.import_public_key(key)
        hosts.load(line.text)
    except ValueError as error:
        odd = OddLine(file=path, line=line.number, why="its key is damaged", closes=True)
        raise LocalSetupError(FailureKind.SSH_PROTOCOL, str(odd)) from error


def load_revoked(hosts: asyncssh.SSHKnownHosts, path: Path) -> None:
    """Keys no host may show. Raises LocalSetupError."""
    keys, odd = read_revoked(path)
    if odd is not None:
        raise LocalSetupError(FailureKind.SSH_PROTOCOL, f"RevokedHostKeys {odd}")
    for number, key in enumerate(keys, 1):
        _load_closing(hosts, path, KnownHostsLine(number, f"@revoked * {key}", closes=True))
