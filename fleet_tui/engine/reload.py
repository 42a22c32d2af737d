"""Follows the fleet file: a valid new version takes effect; an invalid one changes nothing and is
reported, until a valid one comes."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from fleet_tui.config.load import InvalidFleet, load_fleet
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.text.words import plural

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
STILL_S = 0.5
"""A file is read when it has not changed for this long: editors write in several steps."""

Fingerprint = tuple[int, int, int]


class FleetFileWatch:
    """Watches one fleet file and passes on every valid new version."""

    def __init__(
        self,
        path: Path,
        current: FleetSpec,
        loaded: Callable[[FleetSpec], Awaitable[None]],
        judged: Callable[[str], Awaitable[None]],
    ) -> None:
        """``loaded`` gets every valid new version, ``judged`` the first problem of an invalid one,
        or none when the file equals the one in force."""
        self._path = path
        self._digest = current.digest
        self._loaded = loaded
        self._judged = judged

    async def run(self) -> None:
        """Watch until cancelled."""
        last: Fingerprint | None = None  # it may have changed since the engine loaded it
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = self._fingerprint()
            if now == last or now is None:
                continue
            await asyncio.sleep(STILL_S)
            if self._fingerprint() != now:
                continue
            last = now
            await self._read()

    async def _read(self) -> None:
        try:
            loaded = await asyncio.to_thread(load_fleet, self._path, dict(os.environ))
        except InvalidFleet as error:
            first = error.problems[0]
            where = f"{first.path or self._path}:{first.line}:{first.col}"
            found = plural(len(error.problems) + error.not_kept, "problem")
            await self._judged(f"{found}, the first at {where}: {first.message}")
            return
        if loaded.spec.digest != self._digest:
            self._digest = loaded.spec.digest
            await self._loaded(loaded.spec)
        else:
            await self._judged("")

    def _fingerprint(self) -> Fingerprint | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
