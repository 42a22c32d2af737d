"""All inputs of the engine's loop."""

import asyncio
from typing import NamedTuple

from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Reply
from fleet_tui.core.plans import Impact
from fleet_tui.core.step import (
    AgentProbed,
    FleetChanged,
    FleetFileSeen,
    MachinesSeen,
    RunReported,
    Tick,
)

INBOX_LIMIT = 10_000
"""Inputs waiting for the loop; producers wait beyond it, so nothing is dropped."""

BATCH_LIMIT = 512
"""Inputs taken into one transaction."""


class CommandAsked(NamedTuple):
    """An operator's command; ``reply`` is set after the commit."""

    by: str
    command: Command
    reply: asyncio.Future[Reply]
    shown: Impact | None = None
    """The impact that its author was shown, if it was planned."""


Input = (
    AgentProbed | RunReported | CommandAsked | FleetChanged | FleetFileSeen | MachinesSeen | Tick
)


class Inbox:
    """A bounded queue that is emptied in batches."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Input] = asyncio.Queue(INBOX_LIMIT)

    async def put(self, item: Input) -> None:
        """Pass an input to the loop; waits while the inbox is full."""
        await self._queue.put(item)

    async def take(self) -> list[Input]:
        """At least one input, and further ones that are ready, up to BATCH_LIMIT."""
        items = [await self._queue.get()]
        while len(items) < BATCH_LIMIT and not self._queue.empty():
            items.append(self._queue.get_nowait())
        return items

    def take_rest(self) -> list[Input]:
        """What is left when the loop has ended."""
        rest = []
        while not self._queue.empty():
            rest.append(self._queue.get_nowait())
        return rest
