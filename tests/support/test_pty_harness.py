"""The terminal that other tests and the benchmarks look through."""

import pytest

from tests.support.pty_harness import NeverCame, PtyProgram, python

ECHO = "import sys\nfor line in sys.stdin: print('heard', line.strip())"
SIZE = "import os, signal\nprint(*os.get_terminal_size())\n"
ON_RESIZE = SIZE + (
    "signal.signal(signal.SIGWINCH, lambda *_: print('now', *os.get_terminal_size()))\n"
    "print('ready')\n"
    "while True: signal.pause()\n"
)


def test_keys_go_in_and_text_comes_out() -> None:
    with PtyProgram(python("-c", ECHO)) as program:
        program.press("hello\n")
        assert program.wait_for("heard hello") > 0
        program.press("\x04")
        assert program.wait_for_end() == 0


def test_it_has_the_size_it_was_given_and_hears_of_changes() -> None:
    with PtyProgram(python("-c", ON_RESIZE), columns=80, rows=24) as program:
        program.wait_for("80 24", "ready")
        program.resize(200, 60)
        program.wait_for("now 200 60")
        assert program.cpu_s() >= 0
        assert program.rss_bytes() > 1_000_000


def test_escape_sequences_are_not_text() -> None:
    said = "\\x1b[1;31mred\\x1b[0m \\x1b]0;title\\x07\\x1b(Bplain\\x1b[?25l"
    with PtyProgram(python("-c", f"print('{said}')")) as program:
        program.wait_for_end()
        program.watch(0.1)
        assert program.text().strip() == "red plain"


def test_what_never_comes_is_told_with_what_came() -> None:
    other = PtyProgram(python("-c", "print('something else')"))
    with pytest.raises(NeverCame, match="something else"), other as program:
        program.wait_for("the word", within_s=5)


def test_a_program_that_does_not_exist_is_an_exit_code() -> None:
    with PtyProgram(["/nonexistent/program"]) as program:
        assert program.wait_for_end() == 127
