"""The ProxyCommand of the operator's ssh_config: a program whose input and output are the
connection to a host.

asyncssh can run one too, but takes the program's error output for the host's, and reports nothing
when it fails. Here it runs as under ssh(1): by the operator's shell, on a socket, in a session of
its own so that it cannot prompt on our terminal; and it ends, with everything it started, when the
connection does.
"""

import asyncio
import os
import socket

from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire import processes
from fleet_tui.wire.words import LOOK_BACK_BYTES, end_of, words_of

LAST_WORDS_CHARS = 300
LAST_WORDS_WITHIN_S = 0.5
"""Wait for its exit and its error output once it has closed the socket."""


class ProxyProcess:
    """A running ProxyCommand and our end of its socket. ``end`` it in every case."""

    def __init__(self, process: asyncio.subprocess.Process, ours: socket.socket) -> None:
        self.socket = ours
        self._process = process
        self._said = b""
        self._hearing = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        """Keep the end of its error output; keep reading so that it never blocks the program."""
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(4_096):
            self._said = (self._said + chunk)[-LOOK_BACK_BYTES:]

    async def failure(self) -> Untrusted | None:
        """Why the connection is closed, if the program ended; None if it still runs."""
        try:
            async with asyncio.timeout(LAST_WORDS_WITHIN_S):
                status = await self._process.wait()
                await asyncio.shield(self._hearing)
        except TimeoutError:
            if (running := self._process.returncode) is None:
                return None
            status = running
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        words = " ".join(end_of(self._said, LOOK_BACK_BYTES).split())[-LAST_WORDS_CHARS:]
        why = f": {words}" if words else ", without a message"
        return words_of(f"the ProxyCommand of ssh_config ended with {how}{why}")

    async def end(self) -> None:
        """End the program and everything it started, and close our end of its socket."""
        self._hearing.cancel()
        self.socket.close()
        await processes.end(self._process)


async def start_proxy(command: str) -> ProxyProcess:
    """Start a ProxyCommand, its tokens replaced already. Raises OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = await processes.start(
                os.environ.get("SHELL") or "/bin/sh",
                "-c",
                f"exec {command}",
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=asyncio.subprocess.PIPE,
            )
        except BaseException:  # cancelled, too: nothing else would close it
            ours.close()
            raise
    return ProxyProcess(process, ours)
