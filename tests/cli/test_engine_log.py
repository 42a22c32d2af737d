"""The engine's own log where its disk takes nothing: a line on standard error, no traceback."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import logging, resource
from pathlib import Path
from fleet_tui.base import crash
from fleet_tui.cli.common import Fleet
from fleet_tui.cli.engine import keep_log
crash.quiet_stderr()
keep_log(Fleet("lab", None, Path({directory!r})))
log = logging.getLogger("fleet_tui.x")
log.warning("taken")
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
log.warning("said \\x1b[31m instead")
log.info("not worth it")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.warning("taken again")
"""


def test_what_the_log_file_does_not_take_is_said_on_standard_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(directory=str(tmp_path / "lab"))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "fleet-tui: said ␛[31m instead\n"
    kept = (tmp_path / "lab" / "engine.log").read_text()
    assert "taken\n" in kept
    assert "taken again\n" in kept
