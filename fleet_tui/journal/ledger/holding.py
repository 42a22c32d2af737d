"""Which process owns a ledger, for those who want to signal it: only where that is proved."""

import fcntl
import os
import socket
from pathlib import Path
from typing import Final

import psutil

from fleet_tui.journal.directory import LOCK_NAME, open_there, read_holder
from fleet_tui.journal.errors import LockHolder
from fleet_tui.journal.ledger.lockers import flock_pids

CLOCK_SLACK_MS: Final = 5_000
"""A process was there before it wrote itself into the lock file, give or take a set clock."""


def proven_holder(directory: Path) -> LockHolder | None:
    """The process that holds the lock of a ledger, when it is certain which one that is: the lock
    is held, its file names a process of this machine and of our user, and (Linux) the system says
    that the lock is that process's. None for nobody, and for somebody who is not certain."""
    try:
        file = open_there(directory / LOCK_NAME)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        holder, inode = read_holder(file), os.fstat(file).st_ino
    else:
        return None
    finally:
        os.close(file)
    if holder is None or holder.host != socket.gethostname():
        return None
    try:
        process = psutil.Process(holder.pid)
        ours = process.uids().real == os.getuid()
        older = process.create_time() * 1_000 <= holder.since_ms + CLOCK_SLACK_MS
    except psutil.Error:
        return None
    holders = flock_pids(inode)
    told = holders is None or holder.pid in holders
    return holder if ours and older and told else None
