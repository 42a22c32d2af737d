"""A plain list of hosts, one a line: ``[user@]host[:port]``, ``#`` begins a comment."""

import re

from fleet_tui.config.importers.found import DEFAULT_POOL, Findings, FoundHost
from fleet_tui.config.problems import quoted

_LINE = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:@\s\[\]]+))"
    r"(?::(?P<port>[0-9]+))?"
)
_BARE_IP6 = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?P<ip6>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)"
)


def read_hosts(text: str, *, pool: str = DEFAULT_POOL) -> Findings:
    """The hosts of a list. Never raises; lines that are none are among the ignored."""
    findings = Findings()
    for number, line in enumerate(text.splitlines(), 1):
        said = line.split("#", maxsplit=1)[0].strip()
        if not said:
            continue
        found = _BARE_IP6.fullmatch(said) or _LINE.fullmatch(said)
        if found is None:
            findings.ignored.append(f"line {number}: {quoted(said)} is not [user@]host[:port]")
            continue
        parts = found.groupdict()
        host = parts["ip6"] or parts["host"]
        findings.hosts.append(
            FoundHost(alias=host, user=parts["user"], port=parts.get("port"), pool=pool)
        )
    return findings
