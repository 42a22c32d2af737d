"""A plain list of hosts, one a line: ``[user@]host[:port]``, ``#`` begins a comment.

An IPv6 address with a port stands in brackets; ``ssh://`` before the host is allowed.
"""

import re
from pathlib import Path
from typing import BinaryIO

from fleet_tui.base.errors import InvalidConfig
from fleet_tui.config.files import read_regular
from fleet_tui.config.importers.found import DEFAULT_POOL, Findings, FoundHost
from fleet_tui.config.problems import as_text, quoted
from fleet_tui.config.reader import MAX_FILE_BYTES, decode

_LINE = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@\s/]+)@)?(?:\[(?P<ip6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:@\s\[\]/]+))"
    r"(?::(?P<port>[0-9]+))?/?"
)
_BARE_IP6 = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?P<ip6>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)"
)


def read_hosts(text: str, *, pool: str = DEFAULT_POOL) -> Findings:
    """The hosts of a list. Never raises; lines that are none are among what was missed."""
    findings = Findings(whole=True)
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        said = line.split("#", maxsplit=1)[0].strip()
        if not said:
            continue
        found = _BARE_IP6.fullmatch(said) or _LINE.fullmatch(said)
        if found is None:
            findings.missed.append(f"line {number}: {quoted(said)} is not [user@]host[:port]")
            continue
        parts = found.groupdict()
        host = parts["ip6"] or parts["host"]
        findings.hosts.append(
            FoundHost(alias=host, user=parts["user"], port=parts.get("port"), pool=pool)
        )
    return findings


def text_of(path: Path, standard_input: BinaryIO | None) -> str:
    """A list of hosts as text; ``-`` is standard input, None if that is closed. Raises
    InvalidConfig if it is no text or too large."""
    name = "standard input" if str(path) == "-" else str(path)
    try:
        if str(path) != "-":
            data = read_regular(path, MAX_FILE_BYTES + 1)
        elif standard_input is None:
            raise InvalidConfig("standard input is closed")
        else:
            data = standard_input.read(MAX_FILE_BYTES + 1)
    except OSError as refused:
        raise InvalidConfig(f"{name}: {refused.strerror}") from None
    source = decode(name, data)
    if source.errors:
        raise InvalidConfig("\n".join(as_text(each) for each in source.in_order()))
    return source.text
