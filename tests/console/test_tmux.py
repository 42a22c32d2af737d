"""The console in a real tmux, over a fleet that tries everything: nothing that tmux keeps or does
is other than before, and its answers are no keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_tui.core.text.firewall import safe_line
from tests.support import payloads
from tests.support.pty_harness import python
from tests.support.tmux import PROMPT, Tmux

pytestmark = [pytest.mark.tmux, pytest.mark.slow]

CLIPBOARDS = ("external", "on")
"""tmux's default, and the one with which programs may fill its buffers."""

SCREENS = (
    ("2", "PROBE"),
    ("\r", "Timeline"),
    ("l", "Logs - agent"),
    ("q", "Timeline"),
    ("y", "timeout_ms"),
    ("3", "TRIES"),
    ("G", "succeeded"),
    ("\r", "Attempts -"),
    ("i", "Candidates:"),
    ("5", "Routing decisions"),
    ("7", "ABOUT"),
    ("9", "LASTED"),
    ("u", "WHAT WENT WRONG"),
    ("?", "> Help"),
    (":", "command"),
)
"""A key, and a word that its screen has and the one before has not."""

KEYS = {"\r": "enter", "?": "question_mark", ":": "colon", "\x11": "ctrl+q", "\x1b": "escape"}
"""What the console calls a key, where that is not the key itself."""

STEERING = tuple(
    each
    for each in payloads.ESCAPES
    if each.startswith(("\x1b]52;c;cm", "\x1b]2;", "\x1b]7;", "\x1bk", "\x1bPtmux;", "\x1b[c"))
)
"""Payloads that steer tmux, each in its own way."""


@pytest.fixture(params=CLIPBOARDS)
def tmux(request: pytest.FixtureRequest, short_dir: Path) -> Iterator[Tmux]:
    """A shell in a tmux of its own."""
    with Tmux(short_dir, request.param, env={"ENV": ""}) as started:
        yield started


def open_console(tmux: Tmux) -> None:
    tmux.run(python("-m", "tests.support.hostile", "--by-hand"))
    tmux.wait_for("Fleet health", "Queue depth", "Routing decisions", "12:04:31")


def last_lines(tmux: Tmux, count: int) -> list[str]:
    return tmux.screen().rstrip().splitlines()[-count:]


def test_tmux_can_be_steered_and_the_tests_would_see_it(tmux: Tmux, tmp_path: Path) -> None:
    """Nothing of the console: the payloads as they are."""
    before, passed_on = tmux.names(), tmux.strings()
    assert before["buffers"] == ""
    evil = tmp_path / "evil"
    evil.write_bytes("".join(STEERING).encode() + b"SHOWN\n")
    tmux.run(["cat", str(evil)])
    tmux.wait_for("SHOWN", "^[[?1;2")  # an answer, typed at the shell
    changed = {name for name, now in tmux.names().items() if now != before[name]}
    assert changed - {"buffers"} == {"pane_title", "pane_path", "window_name"}
    assert ("buffers" in changed) == (tmux.clipboard == "on")
    tmux.terminal.wait_until(lambda _: b"52;c;cm0gLXJmIC8=" in tmux.strings() - passed_on)


def test_a_hostile_fleet_changes_nothing_in_tmux_and_presses_no_key(tmux: Tmux) -> None:
    names, modes, options = tmux.names(), tmux.modes(), tmux.options()
    passed_on = tmux.strings()
    open_console(tmux)
    pressed: list[str] = []
    seen: list[str] = [tmux.screen()]

    def press(key: str) -> None:
        pressed.append(KEYS.get(key, key))
        tmux.press(key)

    for key, word in SCREENS:
        press(key)
        seen.append(tmux.wait_for(word))
    press("\x1b")
    press("4")
    seen.append(tmux.wait_for("following", "12:04:31.204"))
    assert unseen(seen) == []
    assert tmux.modes()["alternate_on"] == "1"
    assert tmux.names() == names, "while it is there"
    for reply in payloads.REPLIES:
        tmux.answer(reply)
    press("2")
    tmux.wait_for("PROBE")
    press("\x11")
    tmux.wait_for("DONE\n" + PROMPT)
    (came,) = (line for line in tmux.screen().splitlines() if line.startswith("CAME"))
    assert came == f"CAME {' '.join(pressed)} SENT 0 CODE 0 DONE"
    assert tmux.modes() == modes
    assert tmux.names() == names
    assert tmux.options() == options
    tmux.press("echo E''ND\r")
    tmux.wait_for("END\n" + PROMPT)
    assert last_lines(tmux, 4) == [came, f"{PROMPT}echo E''ND", "END", PROMPT]
    tmux.ask("set-buffer", "-b", "ours", "pasted")
    tmux.ask("paste-buffer", "-p", "-d", "-b", "ours")
    tmux.wait_for("pasted")
    assert last_lines(tmux, 1) == [f"{PROMPT}pasted"], "no marks around what is pasted"
    tmux.terminal.wait_for("pasted")
    assert tmux.strings() == passed_on, "nothing was meant for the terminal around it"


def unseen(screens: list[str]) -> list[str]:
    """Payloads that no screen showed."""
    text = "\n".join(screens)
    return [each for each in payloads.ALL if safe_line(each).strip() not in text]
