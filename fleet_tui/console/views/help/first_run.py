"""First run: without a fleet file, a card with four ways to begin instead of an error."""

import os
from collections.abc import Mapping
from enum import StrEnum

from textual.app import App

from fleet_tui.base import bundled, interrupt
from fleet_tui.console.actions.menus import Choice, Menu
from fleet_tui.console.shell import themes
from fleet_tui.console.terminal.seatbelt import SeatbeltDriver


class Beginning(StrEnum):
    """The operator's choice of how to begin."""

    DEMO = "demo"
    SSH_CONFIG = "ssh-config"
    ANSIBLE = "ansible"
    EXAMPLE = "example"


CHOICES = (
    Choice(Beginning.DEMO, "d", "see it with a simulated fleet"),
    Choice(Beginning.SSH_CONFIG, "s", "take hosts from ssh_config"),
    Choice(Beginning.ANSIBLE, "a", "take hosts from an inventory"),
    Choice(Beginning.EXAMPLE, "e", "write an example fleet.yaml"),
)


class FirstRun(App[Beginning]):
    """Asks how to begin; ends with the choice, None when the operator leaves."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, theme: str = "auto", env: Mapping[str, str] | None = None) -> None:
        """``theme`` is a theme's name or ``auto``, as for the console."""
        env = os.environ if env is None else env
        loaded = themes.load(bundled.themes(), themes.own_themes(env))
        choice = themes.choose(env, theme, known=loaded.themes)
        super().__init__(driver_class=SeatbeltDriver, ansi_color=choice.ansi_color)
        themes.install(self, loaded, choice.name)

    def on_mount(self) -> None:
        """The card."""
        self.push_screen(
            Menu("No fleet yet. Choose how to start. esc leaves", CHOICES), self._answered
        )

    def _answered(self, beginning: Beginning | None) -> None:
        self.exit(beginning)


def ask(theme: str = "auto") -> Beginning | None:
    """Show the card on the terminal; None when the operator leaves."""
    with interrupt.left_to_a_loop():
        return FirstRun(theme).run()
