"""What acting actions do: make the command, show its plan, send it, tell what came of it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fleet_tui.console.selection import Selection

if TYPE_CHECKING:
    from fleet_tui.console.screens.base import FleetScreen

ACTS: dict[str, Callable[["FleetScreen", Selection], Awaitable[None]]] = {}
"""By the name of the action."""
