"""Running the console: the operator's own settings, then the application until it is left."""

import logging
import os

from fleet_tui.base import crash, interrupt
from fleet_tui.console.shell import keymap
from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.history import History
from fleet_tui.console.shell.messages import Loudness
from fleet_tui.console.shell.timeline import SessionSource
from fleet_tui.console.terminal.attention import Calls
from fleet_tui.console.text.glyphs import UNICODE, Glyphs
from fleet_tui.feed.feed import Feed, Timeline


class Complaints(logging.Handler):
    """Shows output in the console that would otherwise be printed over the screen."""

    def __init__(self, app: FleetApp) -> None:
        super().__init__(logging.ERROR)
        self.setFormatter(crash.PrivateFormatter("%(message)s"))
        self._app = app

    def emit(self, record: logging.LogRecord) -> None:
        """Show a message to the operator, from any thread."""
        loop = self._app._loop
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(self._app.tell, self.format(record), Loudness.ERROR)


def run(
    feed: Feed,
    *,
    glyphs: Glyphs = UNICODE,
    theme: str = "auto",
    low_bandwidth: bool = False,
    banner: str | None = None,
    timeline: Timeline | None = None,
    sessions: SessionSource | None = None,
    utc_offset_minutes: int = 0,
    mouse: bool = True,
    calls: Calls = Calls.OFF,
    history: History | None = None,
) -> int:
    """Show a feed until the operator leaves; the exit code.

    The operator's own keys and themes are read from ``$XDG_CONFIG_HOME/fleet-tui``.
    """
    app = FleetApp(
        feed,
        glyphs=glyphs,
        theme=theme,
        low_bandwidth=low_bandwidth,
        banner=banner,
        timeline=timeline,
        sessions=sessions,
        utc_offset_minutes=utc_offset_minutes,
        keys=keymap.read(keymap.own_keys(os.environ)),
        calls=calls,
        history=history,
    )
    crash.install()
    complaints = Complaints(app)
    logging.getLogger().addHandler(complaints)
    try:
        with interrupt.left_to_a_loop():
            app.run(mouse=mouse)
    finally:
        app.exit_watch.over()
        logging.getLogger().removeHandler(complaints)
    return app.return_code or 0
