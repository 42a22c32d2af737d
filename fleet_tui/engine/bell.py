"""Notifies consoles of new data: often enough to feel immediate, rarely enough to be cheap."""

import asyncio
from collections.abc import Callable

PAUSE_S = 0.05
"""At most twenty rings per second, however much happens."""


class Bell:
    """Calls ``ring`` soon after :meth:`touch`, once for everything that happened meanwhile."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._touched = asyncio.Event()

    def touch(self) -> None:
        """Note that there is new data."""
        self._touched.set()

    async def run(self) -> None:
        """Ring until cancelled."""
        while True:
            await self._touched.wait()
            self._touched.clear()
            self._ring()
            await asyncio.sleep(PAUSE_S)
