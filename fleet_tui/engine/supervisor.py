"""Keeps the engine's units running: a bug in one of them restarts that unit, not the engine."""

import asyncio
from collections.abc import Awaitable, Callable

from fleet_tui.base.errors import FleetError

RESTART_S = 1.0
"""Delay, so that a unit that fails at once does not spin."""

Failed = Callable[[str, Exception], None]
"""Called with the unit and its error."""


async def keep_going(unit: str, work: Callable[[], Awaitable[None]], failed: Failed) -> None:
    """Run the work, and again after a bug, until it ends by itself. Raises FleetError, which is not
    a bug but a reason to stop."""
    while True:
        try:
            await work()
            return
        except FleetError:
            raise
        except Exception as error:  # reported, and the work continues
            failed(unit, error)
        await asyncio.sleep(RESTART_S)
