"""Sends many commands over one connection: several in progress, within bounds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from fleet_tui.core.backoff import Backoff
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.tasks.commands import Submit

if TYPE_CHECKING:
    from fleet_tui.feed.client import EngineClient

UNDER_WAY = 250
"""Commands without a reply yet; the engine accepts hardly more from one client at once."""

MAX_BYTES_UNDER_WAY = 16 * 1024 * 1024
"""Of their texts; a single longer one goes alone."""

FULL = Backoff(base_ms=250, cap_ms=2_000)
"""Pauses before a full queue is asked again."""


class Sent(msgspec.Struct):
    """The outcome of the commands so far; valid even after an interruption."""

    accepted: int = 0
    known: int = 0
    waited: int = 0
    """How often a full queue was tried again."""
    stopped: Refused | None = None
    """Why the rest was not sent."""
    stopped_line: int = 0

    @property
    def answered(self) -> int:
        """Commands whose tasks the engine has accepted."""
        return self.accepted + self.known


async def send_all(
    client: "EngineClient",
    commands: Iterator[tuple[int, Submit]],
    sent: Sent,
    *,
    wait: bool,
    taken: Callable[[], None],
) -> None:
    """Send until the commands end or one is refused; ``wait`` retries a full queue. ``taken`` is
    called for each command that the engine has accepted. The outcome is in ``sent``."""
    weights = _Weights()

    async def work() -> None:
        for line, command in commands:
            async with weights.carry(len(command.spec.payload.raw)):
                await deliver(line, command)
            if sent.stopped is not None:
                return

    async def deliver(line: int, command: Submit) -> None:
        asked = 0
        while sent.stopped is None:
            match await client.send(command):
                case Accepted(duplicate=duplicate):
                    sent.known += duplicate
                    sent.accepted += not duplicate
                    taken()
                    return
                case Refused(code=code) if wait and code.is_full:
                    sent.waited += 1
                    asked += 1
                    await asyncio.sleep(FULL.ceiling_ms(asked) / 1_000)
                case Refused() as refused:
                    if sent.stopped is None:
                        sent.stopped, sent.stopped_line = refused, line
                    return

    works = [asyncio.create_task(work()) for _ in range(UNDER_WAY)]
    try:
        await asyncio.gather(*works)
    finally:
        for work_left in works:
            work_left.cancel()


class _Weights:
    """Bytes in progress, bounded."""

    def __init__(self) -> None:
        self._carried = 0
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def carry(self, weight: int) -> AsyncIterator[None]:
        """Wait until there is space for that many more."""
        while self._carried and self._carried + weight > MAX_BYTES_UNDER_WAY:
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(room)
            await room
        self._carried += weight
        try:
            yield
        finally:
            self._carried -= weight
            waiting, self._waiting = self._waiting, []
            for room in waiting:
                if not room.done():
                    room.set_result(None)
