"""A plain list of hosts, one a line: ``[user@]host[:port]``; ``#`` begins a comment, at the start
of a line or after a blank.
"""

import re
from pathlib import Path
from typing import BinaryIO

from fleet_tui.base.errors import InvalidConfig
from fleet_tui.base.files import read_regular
from fleet_tui.config.importers.found import DEFAULT_POOL, Findings, FoundHost
from fleet_tui.config.importers.places import place_of
from fleet_tui.config.problems import as_text
from fleet_tui.config.reader import MAX_FILE_BYTES, decode
from fleet_tui.config.values import Unacceptable

_COMMENT = re.compile(r"(?:^|\s)#.*")


def read_hosts(text: str, *, pool: str = DEFAULT_POOL) -> Findings:
    """The hosts of a list. Never raises; invalid lines are recorded as missed."""
    findings = Findings(whole=True)
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        said = _COMMENT.sub("", line).strip()
        if not said:
            continue
        try:
            place = place_of(said, bare_ip6=True)
        except Unacceptable as reason:
            findings.missed.append(f"line {number}: {reason.message}")
            continue
        findings.hosts.append(
            FoundHost(alias=place.address, user=place.user, port=place.port, pool=pool)
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
