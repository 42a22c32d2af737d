"""How many handshakes one server gets at a time.

An sshd hangs up on those who come while too many others have not been let in yet (MaxStartups), and
its limit is not known beforehand. So a server that hangs up on one of many gets fewer at once from
then on, and whoever was turned away stands in line again: that was our crowding, not its fault.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

AT_ONCE = 4
"""Before a server has turned anybody away."""


class Door:
    """The line in front of one server."""

    def __init__(self) -> None:
        self._width = AT_ONCE
        self._inside = 0
        self._one_left = asyncio.Event()

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[int]:
        """Wait until it is our turn; gives how many may be inside, 1 for who found it empty."""
        while self._inside >= self._width:
            await self._one_left.wait()
        self._inside += 1
        try:
            yield self._width if self._inside > 1 else 1
        finally:
            self._inside -= 1
            left, self._one_left = self._one_left, asyncio.Event()
            left.set()

    def was_crowded(self, width: int, error: BaseException) -> bool:
        """Whether a handshake may have failed because others of ours were inside with it, and is
        to be tried again; ``width`` is what it was given when it entered."""
        if width == 1 or not isinstance(error, asyncssh.ConnectionLost | ConnectionResetError):
            return False
        self._width = min(self._width, width // 2)
        return True
