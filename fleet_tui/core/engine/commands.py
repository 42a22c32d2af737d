"""Commands for the engine itself."""

from typing import ClassVar

from fleet_tui.core.ledger.base import CommandBase, Made, Tier


class Freeze(CommandBase, frozen=True, kw_only=True, tag="freeze"):
    """Stop starting new work until thawed; running work continues, submitted tasks wait."""

    tier: ClassVar[Tier] = Tier.PLAN
    reason: str = ""


class Thaw(CommandBase, frozen=True, kw_only=True, tag="thaw"):
    """Start work again after a freeze."""

    tier: ClassVar[Tier] = Tier.LINE
    frozen: Made | None = None
    """Only if this freeze is still in force."""


class StopEngine(CommandBase, frozen=True, kw_only=True, tag="stop-engine"):
    """Shut the engine down cleanly; work on the agents continues."""

    tier: ClassVar[Tier] = Tier.PLAN
    reason: str = ""


EngineCommand = Freeze | Thaw | StopEngine
