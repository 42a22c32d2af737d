"""Keeping the engine's parts going: a bug in one of them ends that part's turn, not the engine."""

import asyncio
from collections.abc import Awaitable, Callable

from fleet_tui.base.errors import FleetError

RESTART_S = 1.0
"""A part that fails at once must not spin."""

Failed = Callable[[str, Exception], None]
"""Told the unit and what it met."""


async def keep_going(unit: str, work: Callable[[], Awaitable[None]], failed: Failed) -> None:
    """Do the work, and again after a bug, until it ends by itself. Raises FleetError, which is no
    bug but a reason to stop."""
    while True:
        try:
            await work()
            return
        except FleetError:
            raise
        except Exception as error:  # told, and the work goes on
            failed(unit, error)
        await asyncio.sleep(RESTART_S)
