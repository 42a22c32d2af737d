"""What an engine says where its disk takes no file: a line on standard error, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from fleet_tui.base.errors import FleetError
from fleet_tui.cli.common import Fleet
from fleet_tui.cli.open import start_engine

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


WITHOUT = """
import logging
from pathlib import Path
from fleet_tui.base import crash
from fleet_tui.cli.common import Fleet
from fleet_tui.cli.engine import keep_log
crash.quiet_stderr()
keep_log(Fleet("lab", None, Path({directory!r})))
log = logging.getLogger("fleet_tui.x")
log.warning("said \\x1b[31m there")
log.info("not worth it")
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


@pytest.mark.parametrize("refuses", ["the file", "the directory"])
def test_an_engine_works_without_a_log_file_and_says_so(tmp_path: Path, refuses: str) -> None:
    directory = tmp_path / "lab"
    if refuses == "the file":
        (directory / "engine.log").mkdir(parents=True)
    else:
        directory.touch()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(directory=str(directory))],
        capture_output=True,
        text=True,
        check=True,
    )
    first, *rest = done.stderr.splitlines()
    assert str(directory) in first
    assert "instead" in first
    assert rest == ["fleet-tui: said ␛[31m there"]


def test_the_console_tells_why_an_engine_did_not_start_that_has_no_file_to_say_it_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("version: 1\nfleet: lab\nagents:\n  a: {kind: local, command: [cat]}\n")
    in_the_way = tmp_path / "state"
    in_the_way.touch()
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(in_the_way))
    with pytest.raises(FleetError, match="did not start") as refused:
        start_engine(Fleet("lab", file, in_the_way / "lab"))
    assert f"{in_the_way / 'lab'}: Not a directory" in refused.value.hint
    assert "Traceback" not in refused.value.hint
