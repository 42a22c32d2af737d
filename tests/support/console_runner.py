"""Shows the scene of the tests in a real terminal: ``python -m tests.support.console_runner``.

With ``--live`` time passes and five lines a second are said; this is also what is measured.
"""

import argparse
import asyncio
import contextlib
import itertools
import sys

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.terminal.attention import Calls
from fleet_tui.console.text import glyphs
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Reply
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.plans import Impact
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fake_feed import FakeFeed
from tests.support.scene import agent_name, task_id


async def live(feed: FakeFeed, lines_per_s: int) -> None:
    """Let the scene go on: once a second the looks, ``lines_per_s`` lines."""
    for number in itertools.count():
        await asyncio.sleep(1 / lines_per_s)
        feed.say(
            LogLine(
                received_at_ms=feed.view().now_ms,
                source=agent_name(1 + number % 20),
                level=Level.WARN if number % 17 == 0 else Level.INFO,
                text=Untrusted(f"tool call browser.open ok {200 + number * 7 % 400}ms"),
                task=task_id(48_170 + number % 40),
            )
        )
        if number % lines_per_s == 0:
            feed.tick(1_000)


class AlertOnNote(FakeFeed):
    """A note raises a critical alert: the test's way to say when."""

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        reply = await super().send(command, shown)
        if isinstance(command, AddNote):
            view = self.view()
            raised = Alert(
                id=AlertId("room:gpu"),
                severity=Severity.CRIT,
                subject="gpu",
                text="no room",
                raised_at_ms=view.now_ms,
            )
            self.change_state(alerts={**view.state.alerts, raised.id: raised})
        return reply


async def main() -> int:
    """Run until the operator leaves; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--theme", default="auto")
    parser.add_argument("--glyphs", default="unicode")
    parser.add_argument("--lines", type=int, default=5)
    parser.add_argument("--bell", type=Calls, default=Calls.OFF)
    parser.add_argument("--alert-on-note", action="store_true")
    options = parser.parse_args()
    feed = AlertOnNote() if options.alert_on_note else FakeFeed()
    signs = glyphs.choose({}, options.glyphs)
    app = FleetApp(feed, theme=options.theme, glyphs=signs, calls=options.bell)
    task = asyncio.create_task(live(feed, options.lines)) if options.live else None
    try:
        await app.run_async()
    finally:
        app.exit_watch.over()
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
