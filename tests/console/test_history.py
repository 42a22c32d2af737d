"""What was typed is found again: on every screen, in the next console, and never too much of it."""

import stat
from pathlib import Path

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.commandline import is_private
from fleet_tui.console.shell.history import MAX_LINES, History
from fleet_tui.console.widgets.command_bar import CommandBar
from tests.support.console import COLOURFUL, press, running
from tests.support.fake_feed import FakeFeed


def bar_of(app: FleetApp) -> CommandBar:
    assert app.visible_screen is not None
    return app.visible_screen.bar


def no_secrets(text: str) -> str:
    return text.replace("hunter2", "[redacted]")


def test_the_next_console_finds_both_kinds_apart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.txt"
    first = History(path, no_secrets)
    first.add(":", "agents state:down")
    first.add("/", "pool:gpu")
    first.add("/", "pool:gpu")
    first.add(":", "why hunter2")
    first.add(":", "")
    second = History(path, no_secrets)
    assert second.of(":") == ("agents state:down", "why [redacted]")
    assert second.of("/") == ("pool:gpu",)
    assert first.of(":")[-1] == "why hunter2", "what is on screen anyway stays as it was typed"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_file_is_bounded_and_what_is_in_it_is_made_safe(tmp_path: Path) -> None:
    path = tmp_path / "history.txt"
    history = History(path)
    for at in range(MAX_LINES + 20):
        history.add(":", f"task {at}")
    assert len(path.read_text().splitlines()) == MAX_LINES
    assert len(History(path).of(":")) == MAX_LINES
    path.write_bytes(b":why \x1b[2J\n\xff\xfe\n\n:\nno prompt\n" + b"/" + b"x" * 9_000)
    again = History(path)
    assert all(line.isprintable() for prompt in ":/" for line in again.of(prompt))
    assert len(again.of("/")[0]) <= 1_000


def test_work_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "history.txt"
    history = History(path)
    history.add(":", "submit pay the invoice", private=True)
    assert not path.exists()
    assert history.of(":") == ("submit pay the invoice",)
    assert all(
        is_private(line) for line in ("submit a", ":submit a", "su a", "s a", "subm --pool x")
    )
    assert not any(is_private(line) for line in ("sessions", "why t-1", "", ":"))


def test_a_file_that_cannot_be_kept_is_told_and_nothing_breaks(tmp_path: Path) -> None:
    path = tmp_path / "history.txt"
    path.mkdir()
    assert "cannot be read" in History(path).problem
    nowhere = History(path / "below" / "history.txt")
    nowhere._path = path
    nowhere.add(":", "agents")
    assert "is not kept" in nowhere.problem
    assert nowhere.of(":") == ("agents",)


async def test_it_is_the_same_on_every_screen_and_apart_for_filters(tmp_path: Path) -> None:
    path = tmp_path / "history.txt"
    app = FleetApp(FakeFeed(), theme="fleet-dark", env=COLOURFUL, history=History(path))
    async with running(app) as pilot:
        await press(pilot, "colon", *"tasks state:held", "enter", "escape")
        await press(pilot, "slash", *"pool:gpu", "enter", "escape")
        await press(pilot, "colon", *"submit secret work", "enter", "escape")
        await press(pilot, "2", "colon", "up", "up")
        assert bar_of(app).text == "tasks state:held"
        await press(pilot, "escape", "slash", "up")
        assert bar_of(app).text == "pool:gpu"
        await press(pilot, "escape")
    assert path.read_text().splitlines() == [":tasks state:held", "/pool:gpu"]
