"""Starting a program of this machine so that somebody knows of it and ends it, whatever interrupts.

asyncio, cancelled while it starts one, ends the program alone and not what that has started. Worse:
where its pipes are not connected yet it waits for ever, as when the loop ends and cancels every
task there is. Source: CPython, ``BaseSubprocessTransport._wait`` and ``_try_finish``.
"""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress

from fleet_tui.base import children

ENDED_WITHIN_S = 0.5
"""How long asyncio may wait for a program that it has killed."""


async def start(
    *command: str,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int = asyncio.subprocess.DEVNULL,
    own_session: bool = True,
) -> Process:
    """Start a program in a session of its own and without our secrets. Raises OSError, and
    ValueError for a word with a null character.

    Whoever cancels this leaves no process behind; with ``own_session`` none that it started either.
    """
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=own_session,
            env=children.environment(),
        ),
        name=f"start of {command[0]}",
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _give_up(starting, own_session=own_session)
        raise


async def end(process: Process, *, own_session: bool = True) -> None:
    """Kill a program and wait for it; with ``own_session`` everything that it started, too."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            if own_session:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    # asyncio does not see the end of a process whose output nobody reads.
    for output in (process.stdout, process.stderr):
        while output is not None and await output.read(65_536):
            pass
    await process.wait()


async def _give_up(starting: "asyncio.Task[Process]", *, own_session: bool) -> None:
    within_s = ENDED_WITHIN_S if starting.cancelling() else None
    await asyncio.wait([starting], timeout=within_s)
    if not starting.done():
        starting.cancel()
    elif not starting.cancelled() and starting.exception() is None:
        await end(starting.result(), own_session=own_session)
