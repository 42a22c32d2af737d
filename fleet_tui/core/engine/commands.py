"""What an operator can ask the engine itself."""

from typing import ClassVar

from fleet_tui.core.ledger.base import CommandBase, Made, Tier


class Freeze(CommandBase, frozen=True, kw_only=True, tag="freeze"):
    """Start nothing until a thaw; what runs goes on, what is submitted waits."""

    tier: ClassVar[Tier] = Tier.PLAN
    reason: str = ""


class Thaw(CommandBase, frozen=True, kw_only=True, tag="thaw"):
    """Start work again after a freeze."""

    tier: ClassVar[Tier] = Tier.LINE
    frozen: Made | None = None
    """Only after a freeze that was made so."""


class StopEngine(CommandBase, frozen=True, kw_only=True, tag="stop-engine"):
    """End the engine in good order; running work goes on at the agents."""

    tier: ClassVar[Tier] = Tier.PLAN
    reason: str = ""


EngineCommand = Freeze | Thaw | StopEngine
