"""The way from an action that acts to what it does, which is imported when somebody first acts."""

from fleet_tui.console.actions.action import Run
from fleet_tui.console.actions.selection import Selection
from fleet_tui.console.host import Stage


async def _act(screen: Stage, chosen: Selection, name: str) -> None:
    # Plans and their cards are needed only once somebody acts.
    from fleet_tui.console.actions import (  # noqa: PLC0415 - keeps the first paint early
        doing_fleet as acting,
    )

    await acting.ACTS[name](screen, chosen)


def acts(name: str) -> Run:
    """What an acting action runs: :data:`fleet_tui.console.actions.doing_fleet.ACTS` has it under
    ``name``."""
    return lambda screen, chosen: _act(screen, chosen, name)
