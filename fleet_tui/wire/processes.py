"""Starts programs on this machine so that each is always ended, whatever interrupts the start.

When cancelled during a start, asyncio ends the program but not its children. Worse: where its pipes
are not connected yet it waits for ever, as when the loop ends and cancels every task. Source:
CPython, ``BaseSubprocessTransport._wait`` and ``_try_finish``.
"""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress

from fleet_tui.base import children

ENDED_WITHIN_S = 0.5
"""How long a killed program, or asyncio's start of one, may take to end."""


async def start(
    *command: str,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.PIPE,
    stderr: int = asyncio.subprocess.DEVNULL,
) -> Process:
    """Start a program in a session of its own and without our secrets. Raises OSError, and
    ValueError for a word with a null character.

    Cancelling this, however often, leaves no process behind.
    """
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            env=children.environment(),
        ),
        name=f"start of {command[0]}",
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _give_up(starting)
        raise


async def end(process: Process) -> None:
    """Kill a program and its process group, close its pipes, and wait ENDED_WITHIN_S at most for it
    to end.

    It may have ended before: its children can outlive it. Processes that left the group continue,
    and may hold the other ends of the pipes indefinitely.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # Pipe by pipe: closing the transport as a whole would collect the exit status, for which
    # asyncio's own watcher of children waits.
    transport: asyncio.SubprocessTransport = process._transport  # type: ignore[attr-defined]  # private
    for number in range(3):
        pipe = transport.get_pipe_transport(number)
        if isinstance(pipe, asyncio.WriteTransport) and pipe.get_write_buffer_size():
            pipe.abort()  # close() waits until everything has been read
        elif pipe is not None:
            pipe.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(ENDED_WITHIN_S):
            await process.wait()


async def _give_up(starting: "asyncio.Task[Process]") -> None:
    """End the process of a start. Being cancelled again changes nothing, as this is already
    leaving."""
    while not starting.done():
        # Only the end of the loop cancels the start itself, once; see above why it may need twice.
        within_s = ENDED_WITHIN_S if starting.cancelling() else None
        with suppress(asyncio.CancelledError):
            _, slow = await asyncio.wait([starting], timeout=within_s)
            if slow:
                starting.cancel()
    if not starting.cancelled() and starting.exception() is None:
        await end(starting.result())
