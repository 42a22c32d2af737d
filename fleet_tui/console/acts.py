"""The way from an action that acts to what it does, which is imported when somebody first acts."""

from fleet_tui.console.action import Run
from fleet_tui.console.host import Stage
from fleet_tui.console.selection import Selection


async def _act(screen: Stage, chosen: Selection, name: str) -> None:
    # Plans and their cards are needed only once somebody acts.
    from fleet_tui.console import acting  # noqa: PLC0415 - keeps the first paint early

    await acting.ACTS[name](screen, chosen)


def acts(name: str) -> Run:
    """What an acting action runs: :data:`fleet_tui.console.acting.ACTS` has it under ``name``."""
    return lambda screen, chosen: _act(screen, chosen, name)
