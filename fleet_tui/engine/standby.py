"""The stand-in for an engine whose ledger cannot be used: it owns the state directory, reports at
the door what is wrong and what can be done, and accepts no commands.

Consoles read the ledger themselves, up to the last event that can be trusted. Runs on the agents
continue and are found again by the next engine.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fleet_tui.base.doors import make_room
from fleet_tui.base.errors import FleetError
from fleet_tui.base.paths import socket_path
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.engine.protocol import Doorbell
from fleet_tui.core.ids import NOWHERE, Epoch, Seq
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Accepted, Reply
from fleet_tui.core.modes import TROUBLES, EngineMode, ModeNow, Trouble
from fleet_tui.core.plans import Impact
from fleet_tui.engine.clock import Clock
from fleet_tui.engine.engine import refused_by
from fleet_tui.engine.pacing import Pacing
from fleet_tui.engine.server import Server
from fleet_tui.journal.directory import LOCK_NAME, EngineLock, Home, holder_now
from fleet_tui.journal.errors import (
    JournalDamaged,
    JournalError,
    JournalFailed,
    JournalUnavailable,
    LockHolder,
)
from fleet_tui.journal.ledger.lockers import is_locked
from fleet_tui.journal.ledger.segments import numbered_files
from fleet_tui.journal.ledger.troubles import failure, touched
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.upkeep import ballast

log = logging.getLogger(__name__)


def mode_for(directory: Path, error: JournalError, now_ms: int) -> ModeNow:
    """The mode that an unusable ledger puts an engine in. Blocks: it may read the whole ledger.

    RECOVERY needs two reads of the ledger that both find that it differs from what was written.
    """
    trouble = (
        error.trouble if isinstance(error, JournalFailed | JournalUnavailable) else Trouble.DAMAGED
    )
    reason = error.message
    if TROUBLES[trouble].may_be_damage:
        try:
            checked = verify(directory)
        except (JournalFailed, OSError) as refused:
            log.warning("the ledger cannot be verified: %s", refused)
            trouble = refused.trouble if isinstance(refused, JournalFailed) else Trouble.UNCLEAR
        except JournalError as also:
            log.warning("the ledger cannot be verified: %s", also)
        else:
            if checked.first_bad_seq is not None:
                trusted = checked.first_bad_seq - 1
                if isinstance(error, JournalDamaged):
                    trusted = min(trusted, error.first_bad_seq - 1)
                reason = f"{checked.reason} (events {checked.bad_range} cannot be trusted)"
                return _recovery(reason, trusted, now_ms)
            if trouble is Trouble.DAMAGED:
                trouble = Trouble.UNCLEAR
                reason = f"{reason}; a second look found it intact"
    if trouble is Trouble.DAMAGED:
        known = error.first_bad_seq - 1 if isinstance(error, JournalDamaged) else None
        return _recovery(reason, known, now_ms)
    return ModeNow(mode=TROUBLES[trouble].mode, reason=reason, since_ms=now_ms, trouble=trouble)


def _recovery(reason: str, trusted: int | None, now_ms: int) -> ModeNow:
    return ModeNow(
        mode=EngineMode.RECOVERY,
        reason=reason,
        since_ms=now_ms,
        trusted_seq=None if trusted is None else Seq(max(trusted, 0)),
        trouble=Trouble.DAMAGED,
    )


def _is_over(directory: Path) -> bool:
    """Whether the ledger is worth another try. Leaves the ledger unchanged."""
    try:
        if touched(directory) is not None or not ballast.make(directory):
            return False
        files = numbered_files(directory, "events")
        return not files or not is_locked(files[-1][1])
    except OSError:
        return False


class Standby:
    """Answers the door instead of an engine."""

    def __init__(self, fleet: str, home: Home, mode: ModeNow, clock: Clock, pacing: Pacing) -> None:
        self.mode = mode
        self.pacing = pacing
        self._fleet = fleet
        self._home = home
        self._directory = home.directory
        self._clock = clock
        self._lock: EngineLock | None = None
        self._stopped: asyncio.Future[str] | None = None

    async def run(self, ready: Callable[[], None], *, wait_s: float = 0.0) -> str | None:
        """Stand in until stopped; returns the reason, or None when the ledger is worth another try,
        not before ``wait_s``. Raises JournalInUse, UnsafeDirectory, StateGone, and JournalFailed
        when the system does not even let it stand in."""
        try:
            self._home.enter()
            self._lock = EngineLock(self._directory, self._holder())
        except OSError as error:
            raise self._cannot_stay(error) from error
        self._stopped = asyncio.get_running_loop().create_future()
        server = Server(self, lambda: self._fleet, Epoch(0), self.doorbell)
        try:
            path = socket_path(self._directory)
            try:
                make_room(path)
                await server.listen(path)
            except OSError as error:
                raise self._cannot_stay(error) from error
            ready()
            return await self._wait(self._stopped, server, wait_s)
        finally:
            await server.close()
            self._lock.release()

    def _cannot_stay(self, error: OSError) -> JournalFailed:
        also = failure(error, self._directory, "and the engine cannot wait for its end")
        message = f"{self.mode.reason}; {also.message}"
        hint = f"{also.hint}; then start the engine again"
        return JournalFailed(message, hint=hint, trouble=also.trouble)

    def _stay_owner(self) -> None:
        """Recreate a lock file that vanished: without it another engine could start, and each would
        take the door from the other. Raises JournalInUse when one did, OSError."""
        if self._lock is None or self._lock.is_ours:
            return
        lock = EngineLock(self._directory, self._holder())
        self._lock.release()
        self._lock = lock
        log.warning("%s was removed or replaced; it was recreated", LOCK_NAME)

    def _holder(self) -> LockHolder:
        return holder_now(os.getpid(), self._clock.now_ms)

    async def _wait(
        self, stopped: "asyncio.Future[str]", server: Server, wait_s: float
    ) -> str | None:
        now_s = asyncio.get_running_loop().time
        not_before_s = now_s() + wait_s
        while True:
            done, _ = await asyncio.wait({stopped}, timeout=self.pacing.room_every_s)
            if done:
                return stopped.result()
            with suppress(OSError):  # retried in the next round
                self._home.stay()
                await asyncio.to_thread(self._stay_owner)
                with suppress(FleetError):  # retried, too
                    await server.stay()
            if self.mode.mode is EngineMode.RECOVERY or now_s() < not_before_s:
                continue
            if await asyncio.to_thread(_is_over, self._directory):
                return None

    def stop(self, reason: str) -> None:
        """End; for signal handlers."""
        if self._stopped is not None and not self._stopped.done():
            self._stopped.set_result(reason)

    async def ask(self, by: str, command: Command, shown: Impact | None = None) -> Reply:
        """Accepts only the command to stop."""
        if isinstance(command, StopEngine):
            self.stop(command.reason or f"stopped by {by}")
            return Accepted(seq=self.doorbell().seq)
        return refused_by(self.mode)

    def doorbell(self) -> Doorbell:
        """The marks of the newest data, which will not grow."""
        return Doorbell(
            seq=self.mode.trusted_seq or NOWHERE,
            sample=0,
            line=0,
            now_ms=self._clock.now_ms(),
            mode=self.mode,
        )
