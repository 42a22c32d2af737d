"""File descriptors: how many this process may have, and how they are shared out.

The ledger, the lock, the socket and the consoles come first. The rest is for connections to agents;
agents beyond it are not probed, and this is reported. A fleet larger than the limit takes no
descriptors from anything else.
"""

import os
import resource
from pathlib import Path
from typing import Final, NamedTuple

from fleet_tui.core.modes import Trouble
from fleet_tui.journal.errors import JournalFailed
from fleet_tui.wire.ssh.places import Places

WANTED: Final = 65_536
"""The soft limit is raised up to this; no fleet needs more."""
LEAST: Final = 40
"""With fewer an engine cannot even write its ledger while it answers commands."""
OWN_FILES: Final = 4
"""Files that an engine still opens for itself once its ledger is open: its socket, and another
generation of the files of the ledger, of samples or of log lines while they roll."""
KEPT_BACK: Final = 10
"""For files that are open briefly: the head file, a checkpoint, a verification of the ledger, the
fleet file, keys and known_hosts while connecting to a host."""
FEW_CLIENTS: Final = 8
MANY_CLIENTS: Final = 64
"""Consoles and commands that are connected at once, with few descriptors and with enough."""
ENOUGH: Final = 512
FILES_PER_PROCESS: Final = 4
"""Pipes of a program that runs here."""
FD_DIRECTORIES: Final = (Path("/proc/self/fd"), Path("/dev/fd"))


class Budget(NamedTuple):
    """How ``limit`` descriptors are shared out."""

    limit: int
    clients: int
    """Consoles and commands at once."""
    connections: int
    """To hosts of agents."""
    processes: int | None
    """Programs of agents on this machine at once; None for as many as the ports allow."""

    @property
    def places(self) -> Places:
        """The places for connections."""
        return Places(self.connections, limit=self.limit)


def budget(limit: int, in_use: int, *, has_local_agents: bool) -> Budget:
    """Share out. ``in_use`` is the number open once the ledger is, before any connection is
    made."""
    clients = MANY_CLIENTS if limit >= ENOUGH else FEW_CLIENTS
    spare = max(limit - in_use - OWN_FILES - KEPT_BACK - clients, 2)
    processes = max(spare // 2 // FILES_PER_PROCESS, 1) if has_local_agents else 0
    connections = max(spare - processes * FILES_PER_PROCESS, 1)
    return Budget(limit, clients, connections, None if limit >= ENOUGH else processes)


def raised_limit() -> int:
    """Raise the soft limit towards the hard one, as far as useful, and return it. Raises
    JournalFailed when it is too low for an engine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    top = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < top:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
            soft = top
        except (OSError, ValueError):  # some systems allow less than the hard limit says
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    limit = WANTED if soft == resource.RLIM_INFINITY else soft
    if limit < LEAST:
        raise JournalFailed(
            f"an engine needs at least {LEAST} file descriptors, and may have {limit}",
            hint="raise `ulimit -n` where it is started",
            trouble=Trouble.NO_DESCRIPTORS,
        )
    return limit


def open_now() -> int:
    """How many descriptors are open; 0 where the system does not report it."""
    for directory in FD_DIRECTORIES:
        try:
            return len(os.listdir(directory))
        except OSError:
            continue
    return 0
