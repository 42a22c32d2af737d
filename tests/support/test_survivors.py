"""A program that a test leaves behind is told, and ended."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import survivors

LEFT = """
import subprocess
from tests.support import survivors

survivors.PATIENCE_S = 0.0

def test_that_leaves_a_program(tmp_path):
    subprocess.Popen(["sleep", "300"], start_new_session=True, cwd=tmp_path).returncode = 0
"""
"""Python would warn of a child without a status."""


def test_the_suite_names_what_is_left(tmp_path: Path) -> None:
    (tmp_path / "test_left.py").write_text(LEFT)
    (tmp_path / "pytest.ini").touch()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-q", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "these programs still ran: 'sleep 300' in " in done.stdout
    assert "test_that_leaves_a_program0" in done.stdout


def test_a_program_that_ends_in_time_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", f"{tmp_path}/home")
    with subprocess.Popen(["sh", "-c", "read line"], stdin=subprocess.PIPE) as program:
        assert [process.pid for process in survivors.alive([tmp_path])] == [program.pid]
        assert program.stdin is not None
        program.stdin.close()
        assert survivors.end([tmp_path]) == []
