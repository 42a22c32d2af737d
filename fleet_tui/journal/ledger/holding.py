"""The process that owns a ledger, for sending it a signal: only where that is proven."""

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
"""A process starts before it writes itself into the lock file, within this tolerance for a changed
clock."""


def proven_holder(directory: Path) -> LockHolder | None:
    """The process that holds the lock of a ledger, when it is certain: the lock is held, its file
    names a process of this machine and of our user, and (Linux) the system confirms that this
    process holds the lock. None without a holder, or without certainty."""
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
