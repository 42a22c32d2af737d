"""How many handshakes one server gets at a time.

An sshd drops new connections while too many others are not authenticated yet (MaxStartups), and its
limit is not known beforehand. So a server that drops one of several handshakes gets fewer at once
from then on, and the dropped one is queued again: the cause was our own load, not the server.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

AT_ONCE = 4
"""Handshakes at once before a server has dropped any."""
TRIES = 6
AGAIN_AFTER_S = 0.2
"""sshd counts finished handshakes a little longer than we do."""


class SshAdmission:
    """The queue in front of one server."""

    def __init__(self) -> None:
        self._width = AT_ONCE
        self._inside = 0
        self._is_shared = False
        """Whether there were ever two at once: a single one is dropped for other reasons."""
        self._one_left = asyncio.Event()

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Wait for a turn."""
        while self._inside >= self._width:
            await self._one_left.wait()
        self._inside += 1
        self._is_shared = self._is_shared or self._inside > 1
        try:
            yield
        finally:
            self._inside -= 1
            left, self._one_left = self._one_left, asyncio.Event()
            left.set()

    def was_crowded(self, tries: int, error: BaseException) -> bool:
        """Whether the last of ``tries`` handshakes may have failed because of other handshakes of
        ours, and is to be repeated."""
        turned_away = isinstance(error, asyncssh.ConnectionLost | ConnectionResetError)
        if not turned_away or not self._is_shared or tries >= TRIES:
            return False
        self._width = max(1, self._width // 2)
        return True
