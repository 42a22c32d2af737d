"""The terminal's side of the text firewall: whatever remote text holds, on whatever screen, the
terminal is sent nothing but what the console itself sends."""

import re

import pytest

from tests.support import payloads
from tests.support.hostile_crowd import COLUMNS, ROWS, SCREENS, TEXTS
from tests.support.pty_harness import PtyProgram, python

pytestmark = pytest.mark.timeout(400)
"""More than the programs below are given, so that a busy machine shows what they said."""

SEQUENCE = re.compile(
    r"\x1b\[[0-9;:]*[mH]"  # colours and places
    r"|\x1b\[\?(?:7|25|1000|1003|1004|1006|1015|1016|1049|2004|2026|2048)[hl]"
    r"|\x1b\[\?(?:2026|2048)\$p|\x1b\[>[0-9]+u|\x1b\[<u|\x1b\]22;[a-z]*\x07"
)
"""All that a terminal is sent."""

NOT_OURS = re.compile(r"\x1b\[31m|\x1b\[2J|\x1b\[H|\x1b\[3;1r|\x1b\[[0-9]*[A-GK]")
"""Of colours and movements: those that only payloads have."""


def assert_only_ours(sent: str) -> str:
    """What was painted, the console's own sequences taken out; nothing else may be in it."""
    assert NOT_OURS.search(sent) is None
    rest = SEQUENCE.sub("", sent).replace("\r", "").replace("\n", "")
    assert "\x1b" not in rest, rest[max(0, rest.find("\x1b") - 80) :][:200]
    unsafe = {char for char in rest if not char.isprintable()}
    assert not unsafe
    return rest


def test_no_screen_sends_what_remote_text_holds() -> None:
    with PtyProgram(python("-m", "tests.support.hostile"), columns=120, rows=40) as program:
        program.wait_for("DONE", within_s=300)
        assert program.wait_for_end() == 0
        sent = program.painted.decode("utf-8")
    assert "CODE 0 DONE" in sent, "no screen failed"
    assert "REACHED 0 []" in sent, sent[sent.index("REACHED") :]
    rest = assert_only_ours(sent)
    assert "␛]52;c;" in rest, "it is shown instead"
    assert payloads.MARKUP[0] in rest, "and brackets are only brackets"


def test_every_screen_shows_every_payload_and_sends_none() -> None:
    """All pairs of a screen and a payload are counted."""
    arguments = python("-m", "tests.support.hostile_crowd")
    with PtyProgram(arguments, columns=COLUMNS, rows=ROWS) as program:
        assert program.wait_for_end(within_s=300) == 0
        sent = program.painted.decode("utf-8")
    said = sent[-20_000:]
    assert "MISSED" not in said, said[said.index("MISSED") :]
    pairs = len(SCREENS) * len(TEXTS)
    assert f"PAIRS {pairs} OF {pairs}" in said
    assert "CODE 0 DONE" in said
    assert_only_ours(sent)
