"""Commands for the engine itself."""

from fleet_tui.core.ledger.base import CommandBase, Made


class Freeze(CommandBase, frozen=True, kw_only=True, tag="freeze"):
    """Stop starting new work until thawed; running work continues, submitted tasks wait."""

    reason: str = ""


class Thaw(CommandBase, frozen=True, kw_only=True, tag="thaw"):
    """Start work again after a freeze."""

    frozen: Made | None = None
    """Only if this freeze is still in force."""


class StopEngine(CommandBase, frozen=True, kw_only=True, tag="stop-engine"):
    """Shut the engine down cleanly; work on the agents continues."""

    reason: str = ""


EngineCommand = Freeze | Thaw | StopEngine
