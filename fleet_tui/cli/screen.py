"""Opening the console from a command: the shared options."""

import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from fleet_tui.base.confine import confine
from fleet_tui.base.errors import UsageError
from fleet_tui.cli.choosing import OneOf

if TYPE_CHECKING:
    from fleet_tui.feed.feed import Feed, Timeline


class Screen(NamedTuple):
    """How the console is drawn."""

    ascii_glyphs: bool
    theme: str
    low_bandwidth: bool
    mouse: bool
    bell: str = "crit"
    """Which new alerts ring the bell: ``crit``, ``all`` or ``off``."""


def screen_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--theme --ascii --low-bandwidth --no-mouse --bell``, as one ``screen``."""

    @wraps(command)
    def with_screen(
        *args: Any,
        ascii_glyphs: bool,
        theme: str,
        low_bandwidth: bool,
        no_mouse: bool,
        bell: str,
        **others: Any,
    ) -> Any:
        screen = Screen(ascii_glyphs, theme, low_bandwidth, not no_mouse, bell)
        return command(*args, screen=screen, **others)

    made: Callable[..., Any] = with_screen
    for option in (
        click.option(
            "--bell",
            type=OneOf(("crit", "all", "off")),
            default="crit",
            show_default=True,
            envvar="FLEET_TUI_BELL",
            show_envvar=True,
            help="New alerts that ring the bell, notify the desktop and show in the title.",
        ),
        click.option("--no-mouse", is_flag=True, help="Leave mouse handling to the terminal."),
        click.option(
            "--low-bandwidth", is_flag=True, help=("Repaint less often, for slow connections.")
        ),
        click.option(
            "--ascii", "ascii_glyphs", is_flag=True, help="Draw with ASCII characters only."
        ),
        click.option(
            "--theme",
            default="auto",
            show_default=True,
            help="fleet-dark, fleet-light, fleet-contrast or a theme of your own.",
        ),
    ):
        made = option(made)
    return made


def need_terminal() -> None:
    """Raises UsageError where a console cannot be drawn, naming what works there."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        raise UsageError(
            "the console needs a terminal", hint="`fleet-tui status` works without one"
        )
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        raise UsageError(
            "this terminal (TERM=dumb) cannot draw the console",
            hint="`fleet-tui status` works here",
        )


DEVELOPERS = ("TEXTUAL", "TEXTUAL_LOG", "TEXTUAL_DRIVER", "TEXTUAL_PRESS", "TEXTUAL_SCREENSHOT")
"""Textual's variables that connect, record or control a program; unsafe for one that shows remote
text."""


def prepare(screen: Screen) -> None:
    """Import the console's dependencies, which takes half a second, if possible while waiting for
    something else. From here on the process is confined."""
    confine()
    for name in DEVELOPERS:
        os.environ.pop(name, None)
    if screen.low_bandwidth:
        # Textual reads these when it is imported.
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
        os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    import_module("fleet_tui.console.shell.run")


def show(
    feed: "Feed",
    screen: Screen,
    *,
    timeline: "Timeline | None" = None,
    banner: str | None = None,
    directory: Path,
) -> int:
    """Run the console on a feed until the operator leaves; returns the exit code. ``directory`` is
    the fleet's state directory, whose earlier sessions can be reviewed."""
    prepare(screen)
    from fleet_tui.base.paths import cache_dir, private_dir, sessions_dir, state_root
    from fleet_tui.base.redact import redact
    from fleet_tui.console.shell.history import History
    from fleet_tui.console.shell.run import run
    from fleet_tui.console.terminal.attention import Calls
    from fleet_tui.console.text.glyphs import choose
    from fleet_tui.feed.sessions import Sessions

    recordings = private_dir(cache_dir() / "recordings")

    return run(
        feed,
        glyphs=choose(os.environ, "ascii" if screen.ascii_glyphs else "auto"),
        theme=screen.theme,
        low_bandwidth=screen.low_bandwidth,
        banner=banner,
        timeline=timeline,
        sessions=Sessions(directory, sessions_dir(), recordings),
        utc_offset_minutes=time.localtime().tm_gmtoff // 60,
        mouse=screen.mouse,
        calls=Calls(screen.bell),
        history=History(state_root() / "history.txt", redact),
    )
