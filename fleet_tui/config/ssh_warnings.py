"""Warnings about the operator's ``~/.ssh/config``: options a fleet's hosts will not get."""

from pathlib import Path

from fleet_tui.config.problems import Problem, Severity, visible
from fleet_tui.config.ssh_config import IGNORED_OPTIONS, read_ssh_config
from fleet_tui.core.fleet import FleetSpec


def ssh_config_warnings(spec: FleetSpec, home: Path) -> tuple[Problem, ...]:
    """One warning for each line that OpenSSH would follow for a host of the fleet and fleet-tui
    does not, and a note for each part of the file that could not be read."""
    addresses = {host.address: host.name for host in spec.hosts.values() if host.use_ssh_config}
    if not addresses:
        return ()
    config = read_ssh_config(home / ".ssh" / "config", home)
    hosts_of: dict[tuple[str, int, str, str], list[str]] = {}
    for address, name in addresses.items():
        for option in config.ignored_for(address):
            where = (str(option.file), option.line, option.name, option.value)
            hosts_of.setdefault(where, []).append(name)
    return (
        *(_ignored(*where, names) for where, names in sorted(hosts_of.items())),
        *(_unread(reason) for reason in config.unread),
    )


def _ignored(file: str, line: int, option: str, value: str, hosts: list[str]) -> Problem:
    shown = ", ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "")
    return Problem(
        severity=Severity.WARNING,
        file=visible(file),
        line=line,
        col=1,
        width=1,
        path="",
        message=f"{option} {visible(value)} is not followed for {shown}: {IGNORED_OPTIONS[option]}",
        hint="",
        excerpt=(),
    )


def _unread(reason: str) -> Problem:
    return Problem(
        severity=Severity.NOTE,
        file="~/.ssh/config",
        line=None,
        col=None,
        width=1,
        path="",
        message=f"partly not read: {visible(reason)}",
        hint="",
        excerpt=(),
    )
