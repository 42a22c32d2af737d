"""The values of ssh_config's tokens on this machine."""

import getpass
import os
import socket
from pathlib import Path

from fleet_tui.core.ssh.config import Resolved, Surroundings, expand_file


def surroundings() -> Surroundings:
    """This machine and its user, as they are now."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())  # an account without a name
    return Surroundings(
        home=str(Path.home()),
        user=user,
        user_id=os.getuid(),
        hostname=socket.gethostname(),
        environment=os.environ,
    )


def named_files(host: Resolved, keyword: str) -> tuple[Path, ...]:
    """The files that a keyword names, one per line, with tokens replaced. Raises
    UnknownTokenError."""
    names = [name for name in host.all(keyword) if name.lower() != "none"]
    if not names:
        return ()
    here = surroundings()
    return tuple(Path(expand_file(name, host, here)) for name in names)
