"""What an operator can ask the engine itself."""

from fleet_tui.core.ledger.base import CommandBase, Made


class Freeze(CommandBase, frozen=True, kw_only=True, tag="freeze"):
    """Start nothing until a thaw; what runs goes on, what is submitted waits."""

    reason: str = ""


class Thaw(CommandBase, frozen=True, kw_only=True, tag="thaw"):
    """Start work again after a freeze."""

    frozen: Made | None = None
    """Only after a freeze that was made so."""


class StopEngine(CommandBase, frozen=True, kw_only=True, tag="stop-engine"):
    """End the engine in good order; running work goes on at the agents."""

    reason: str = ""


EngineCommand = Freeze | Thaw | StopEngine
