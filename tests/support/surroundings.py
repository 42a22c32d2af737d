"""A machine without an operator: no home, no settings, no agents, nothing of this user's.

The suite takes nothing from the account that runs it and leaves nothing behind in it. Programs
that tests start inherit these surroundings, so they import this checkout too, whatever is
installed.
"""

import os
import shutil
import tempfile
from pathlib import Path

import platformdirs

CHECKOUT = Path(__file__).resolve().parents[2]

COLOURS = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TEXTUAL_THEME")
"""NO_COLOR and TEXTUAL_THEME change every picture of a screen; the rest change printed output."""

OPERATORS = ("SSH_AUTH_SOCK", "TMUX", "TMUX_PANE", "EDITOR", "VISUAL")
"""What would reach out of the test into the session it is typed in."""

KEPT = "FLEET_TUI_OPENCLAW_CACHE"
"""The one setting of ours that is about the tests themselves."""

HOMES = {
    "HOME": "home",
    "XDG_CONFIG_HOME": "config",
    "XDG_STATE_HOME": "state",
    "XDG_DATA_HOME": "data",
    "XDG_CACHE_HOME": "cache",
    "XDG_RUNTIME_DIR": "run",
    "FLEET_TUI_STATE_DIR": "fleets",
}


def short_dir() -> Path:
    """A new directory whose path leaves room for a Unix socket's name: 104 bytes on macOS, where
    the usual temporary directory alone takes 50."""
    root = "/tmp" if Path("/tmp").is_dir() else None
    return Path(tempfile.mkdtemp(prefix="ft-", dir=root))


def isolate() -> Path:
    """Give this process and its children empty surroundings; returns the directory they are in."""
    _keep_installers_working()
    for name in list(os.environ):
        if name.startswith("FLEET_TUI_") and name != KEPT:
            del os.environ[name]
    for name in (*COLOURS, *OPERATORS):
        os.environ.pop(name, None)
    directory = short_dir()
    for name, folder in HOMES.items():
        (directory / folder).mkdir(mode=0o700)
        os.environ[name] = str(directory / folder)
    os.environ["PYTHONPATH"] = str(CHECKOUT)
    return directory


def remove(directory: Path) -> None:
    """Take the surroundings away again."""
    shutil.rmtree(directory, ignore_errors=True)


def _keep_installers_working() -> None:
    """OpenClaw is installed once per machine, with the settings npm has on it."""
    cache = platformdirs.user_cache_path("fleet-tui-test") / "openclaw"
    os.environ.setdefault(KEPT, str(cache))
    os.environ.setdefault("NPM_CONFIG_USERCONFIG", str(Path.home() / ".npmrc"))
