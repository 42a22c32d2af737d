"""What stands in for an engine whose ledger cannot be used: it owns the state directory, says at
the door what is wrong and what can be done, and takes nothing.

Consoles read the ledger themselves, up to the last event that can be trusted. What runs at the
agents goes on and is found again by the engine that comes next.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from fleet_tui.core.commands import Accepted, Command, Reply, StopEngine
from fleet_tui.core.ids import NOWHERE, Epoch, Seq
from fleet_tui.core.modes import EngineMode, ModeNow
from fleet_tui.core.protocol import Doorbell
from fleet_tui.doors import make_room
from fleet_tui.engine.clock import Clock
from fleet_tui.engine.engine import refused_by
from fleet_tui.engine.server import Server
from fleet_tui.journal import ballast
from fleet_tui.journal.directory import EngineLock, holder_now, prepare
from fleet_tui.journal.errors import JournalDamaged, JournalError, JournalFull
from fleet_tui.journal.verifying import verify
from fleet_tui.paths import socket_path

log = logging.getLogger(__name__)

ROOM_EVERY_S = 2.0
"""How often a full disk is looked at."""


def mode_for(directory: Path, error: JournalError, now_ms: int) -> ModeNow:
    """The mode that an unusable ledger puts an engine in. Blocks: it reads the whole ledger."""
    if isinstance(error, JournalFull):
        reason = "the disk is full, the ledger cannot be opened for writing"
        return ModeNow(mode=EngineMode.READ_ONLY, reason=reason, since_ms=now_ms)
    trusted: int | None = None
    reason = error.message
    if isinstance(error, JournalDamaged):
        trusted = error.first_bad_seq - 1
    try:
        verdict = verify(directory)
    except (JournalError, OSError) as also:
        log.warning("the ledger cannot be verified: %s", also)
    else:
        if verdict.first_bad_seq is not None:
            found = verdict.first_bad_seq - 1
            trusted = found if trusted is None else min(trusted, found)
            reason = f"{verdict.reason} (events {verdict.bad_range} cannot be trusted)"
    return ModeNow(
        mode=EngineMode.RECOVERY,
        reason=reason,
        since_ms=now_ms,
        trusted_seq=None if trusted is None else Seq(max(trusted, 0)),
    )


class Standby:
    """Answers the door instead of an engine."""

    def __init__(self, fleet: str, directory: Path, mode: ModeNow, clock: Clock) -> None:
        self.mode = mode
        self._fleet = fleet
        self._directory = directory
        self._clock = clock
        self._stopped: asyncio.Future[str] | None = None

    async def run(self, ready: Callable[[], None]) -> str | None:
        """Stand in until somebody stops it, and say why it stopped; None when the ledger is worth
        another try. Raises JournalInUse and UnsafeDirectory."""
        prepare(self._directory)
        lock = EngineLock(self._directory, holder_now(os.getpid(), self._clock.now_ms))
        self._stopped = asyncio.get_running_loop().create_future()
        server = Server(self, lambda: self._fleet, Epoch(0), self.doorbell)
        try:
            path = socket_path(self._directory)
            make_room(path)
            await server.listen(path)
            ready()
            return await self._wait(self._stopped)
        finally:
            await server.close()
            lock.release()

    async def _wait(self, stopped: "asyncio.Future[str]") -> str | None:
        while True:
            done, _ = await asyncio.wait({stopped}, timeout=ROOM_EVERY_S)
            if done:
                return stopped.result()
            full = self.mode.mode is EngineMode.READ_ONLY
            if full and await asyncio.to_thread(ballast.make, self._directory):
                return None

    def stop(self, reason: str) -> None:
        """End; for signal handlers."""
        if self._stopped is not None and not self._stopped.done():
            self._stopped.set_result(reason)

    async def ask(self, by: str, command: Command) -> Reply:
        """Takes nothing but the order to stop."""
        if isinstance(command, StopEngine):
            self.stop(command.reason or f"stopped by {by}")
            return Accepted(seq=self.doorbell().seq)
        return refused_by(self.mode)

    def doorbell(self) -> Doorbell:
        """What there is to read, and that it is all."""
        return Doorbell(
            seq=self.mode.trusted_seq or NOWHERE,
            sample=0,
            line=0,
            now_ms=self._clock.now_ms(),
            mode=self.mode,
        )
