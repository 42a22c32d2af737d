"""A process that knows secrets keeps them to itself."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

CONFINED = """
import ctypes, os, resource, sys
from pathlib import Path
from fleet_tui.base.confine import confine
confine()
Path(sys.argv[1]).write_text("x")
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))
ask = "import ctypes; print(ctypes.CDLL(None).prctl(3))"
os.execvp(sys.executable, [sys.executable, "-c", ask])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's own")
def test_no_core_no_tracing_private_files(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-u", "-c", CONFINED, tmp_path / "file"],
        capture_output=True,
        text=True,
        check=True,
        umask=0o022,
    )
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    assert done.stdout.splitlines() == [f"0 0 {most}", "1"], "programs it starts are as ever"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_textuals_own_tools_are_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    from fleet_tui.cli import screen

    monkeypatch.setattr(screen, "confine", lambda: None)
    for name in screen.DEVELOPERS:
        monkeypatch.setenv(name, "devtools")
    screen.prepare(screen.Screen(False, "auto", low_bandwidth=False, mouse=True))
    assert not set(screen.DEVELOPERS) & set(os.environ)
