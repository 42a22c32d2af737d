"""Asking ansible-inventory has bounds, and nothing of it stays."""

import os
from pathlib import Path

import pytest

from fleet_tui.base.errors import FleetError, InvalidConfig
from fleet_tui.config.importers.ansible_run import list_inventory
from tests.config.test_ansible_inventories import fake


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("exec cat /dev/zero", "printed more than 1,000 bytes"),
        ("cat /dev/zero >&2 & exec sleep 600", "took longer than 0.2s"),
        ("exec >&- 2>&-; exec sleep 600", "took longer than 0.2s"),
    ],
)
def test_it_is_bounded_and_nothing_of_it_stays(tmp_path: Path, body: str, says: str) -> None:
    program = fake(tmp_path, f"echo $$ > {tmp_path}/pid; {body}")
    # The bound on its output is reached at once, whatever the one on its time is.
    timeout_s = 60 if "bytes" in says else 0.2
    with pytest.raises(FleetError, match=says):
        list_inventory(str(program), tmp_path, os.environ, timeout_s=timeout_s, max_bytes=1_000)
    pid_file = tmp_path / "pid"
    if pid_file.exists() and pid_file.read_text():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid_file.read_text()), 0)


def test_what_it_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    program = fake(tmp_path, "echo '{}'; sleep 600 & exit 0")
    assert list_inventory(str(program), tmp_path, os.environ).document == b"{}\n"


def test_its_words_are_bounded(tmp_path: Path) -> None:
    program = fake(tmp_path, "i=0; while [ $i -lt 99 ]; do i=$((i+1)); echo $i >&2; done; exit 1")
    inventory = tmp_path / "i"
    inventory.touch()
    with pytest.raises(InvalidConfig) as caught:
        list_inventory(str(program), inventory, os.environ)
    assert caught.value.message.splitlines()[1:] == [*map(str, range(1, 12)), "99"]


def test_a_program_that_cannot_run_is_said(tmp_path: Path) -> None:
    program = fake(tmp_path, "")
    program.write_text("#!/nowhere/sh\n")
    with pytest.raises(FleetError, match="cannot be run: No such file"):
        list_inventory(str(program), tmp_path, os.environ)
