"""Restrictions of a process before it handles secrets: see :func:`confine`."""

import os
import resource
import sys

PR_SET_DUMPABLE = 4
"""prctl(2)."""

OTHERS = 0o077


def confine() -> None:
    """For the engine and the console: all created files are readable by their owner only, no core
    is dumped, and (Linux) processes of the same user can neither trace this one nor read its memory
    and environment. Programs that it starts can be traced as usual.
    """
    os.umask(OTHERS)
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - costs start-up time that other commands need not pay

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), "prctl")
