"""What colours reach a real terminal: none with NO_COLOR, only its own where it has sixteen."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os
from textual.app import App
from fleet_tui.base import bundled
from fleet_tui.console.shell import themes
from fleet_tui.console.text import glyphs, looks
from fleet_tui.console.terminal.seatbelt import SeatbeltDriver
from fleet_tui.console.widgets.fleet_table import Column, FleetTable, Row
from fleet_tui.console.text.cells import Cell
from fleet_tui.core.agents.words import AgentWord

loaded = themes.load(bundled.themes())
choice = themes.choose(os.environ, known=loaded.themes)
signs = glyphs.choose(os.environ)

class Program(App):
    def __init__(self):
        super().__init__(driver_class=SeatbeltDriver, ansi_color=choice.ansi_color)
        themes.install(self, loaded, choice.name)
    def compose(self):
        yield FleetTable([Column("s", "STATE", 14), Column("a", "AGENT", 14)])
    def on_mount(self):
        table = self.query_one(FleetTable)
        table.show([Row(w, (looks.agent_cell(signs, w), Cell(w))) for w in AgentWord])
        table.set_marks(frozenset({"down"}))
        table.focus()
        self.call_after_refresh(lambda: self.set_timer(0.3, self.exit))

Program().run()
"""


def painted(env: dict[str, str]) -> str:
    """Everything the program sends to a terminal of 80x24."""
    main, other = pty.openpty()
    size = {"COLUMNS": "80", "LINES": "24", "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
    whole = {**size, "PYTHONPATH": str(Path(__file__).parents[2]), **env}
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=other, stdout=other, stderr=other, env=whole
    )
    os.close(other)
    sent = b""
    try:
        while data := os.read(main, 65_536):
            sent += data
    except OSError:
        pass  # how a terminal ends on Linux
    finally:
        os.close(main)
        if program.wait(30) != 0:
            pytest.fail(sent.decode("utf-8", "replace")[-2_000:])
    return sent.decode("utf-8")


def styles(sent: str) -> set[tuple[int, ...]]:
    """The parameters of every SGR sequence (ECMA-48 8.3.117), default colours left out."""
    found = re.findall(r"\x1b\[([0-9;]*)m", sent)
    numbers = {tuple(int(number or 0) for number in each.split(";")) for each in found}
    return {tuple(number for number in each if number not in (39, 49)) for each in numbers}


def test_no_color_means_none_and_states_still_differ() -> None:
    sent = painted({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"})
    used = styles(sent)
    assert all(number in (0, 1, 2, 4, 7) for style in used for number in style)
    assert any(7 in style for style in used)
    assert "✗ down" in sent
    assert "▲ degraded" in sent


@pytest.mark.parametrize("term", ["xterm", "linux", "screen"])
def test_sixteen_colours_are_the_terminals_own(term: str) -> None:
    sent = painted({"TERM": term})
    used = styles(sent)
    assert not any(38 in style or 48 in style for style in used)
    for color in (31, 33, 34):
        assert any(color in style for style in used)
    assert ("x down" if term == "linux" else "✗ down") in sent


def test_with_256_and_with_all_colours() -> None:
    indexed = styles(painted({"TERM": "xterm-256color"}))
    assert any(style[-3:-1] == (48, 5) for style in indexed)
    assert not any(style[:2] == (38, 2) for style in indexed)
    direct = styles(painted({"TERM": "xterm-256color", "COLORTERM": "truecolor"}))
    assert any(style[-10:-5] == (38, 2, 135, 255, 175) for style in direct)
