"""Whether the key files that a fleet names are usable. Only the beginning of their content is
read."""

import stat
from pathlib import Path

from fleet_tui.base.files import read_regular
from fleet_tui.config.problems import Source, visible
from fleet_tui.config.reader import Loc, Node, find, written
from fleet_tui.config.validate import dotted
from fleet_tui.core.fleet import FleetSpec

_FIRST_BYTES = 64
"""Enough of a key file to tell a public key from a private one."""


def judge_identities(source: Source, root: Node, spec: FleetSpec) -> None:
    """Report every identity file that is missing (a warning: another machine may be meant) or that
    SSH would refuse (an error: not a regular file, a public key, readable by others)."""
    seen: set[str] = set()
    for host in spec.hosts.values():
        if host.identity is None or host.identity in seen:
            continue
        seen.add(host.identity)
        loc: Loc = ("hosts", host.name, "identity")
        if not written(root, loc):
            loc = ("defaults", "identity")
        node = find(root, loc)
        reason, hint = _refusal(Path(host.identity))
        if reason is None:
            continue
        say = source.warn if reason == _MISSING else source.error
        mark, width = (node.mark, node.width) if node else (None, 1)
        say(
            mark,
            f"{visible(host.identity)}: {reason}",
            path=dotted(loc),
            hint=visible(hint),
            width=width,
        )


_MISSING = "no such file on this machine"


def _refusal(path: Path) -> tuple[str | None, str]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "not a regular file", "name the private key file"
        if status.st_mode & 0o077:
            shown = stat.filemode(status.st_mode)
            return f"others can read it ({shown})", f"chmod 600 {path}"
        start = read_regular(path, _FIRST_BYTES)
    except FileNotFoundError:
        return _MISSING, "it is looked for again when the engine connects"
    except OSError as refused:
        return refused.strerror or "cannot be read", ""
    if start.startswith((b"ssh-", b"ecdsa-", b"sk-ssh-", b"sk-ecdsa-")):
        return "a public key", "name the private key, without .pub"
    return None, ""
