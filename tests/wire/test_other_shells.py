"""Shells that hosts have beside those of tests/support/wrapped.py: as their ``sh``, and as what an
account logs in with."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import VitalsReading
from fleet_tui.core.tasks.evidence import Definite, Stopped
from fleet_tui.wire.programs import local, wrapper
from fleet_tui.wire.programs.answers import read_reply
from fleet_tui.wire.programs.wrapper import COMMAND, SCRIPT, WrapperReply
from fleet_tui.wire.shell import Completed
from tests.support.needs import missing
from tests.support.programs import finished, order, until
from tests.support.wrapped import MakePort, make_port

__all__ = ["make_port"]

AS_SH = ("ksh93", "mksh", "zsh")


def the(name: str) -> str:
    """Where a shell is, or no test where it is not."""
    found = shutil.which(name)
    if found is None:
        missing(f"no {name} here")
    return found


def only(tmp_path: Path, sh: str, *without: str) -> str:
    """A PATH with everything but some programs, and one shell for ``sh``."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sh").symlink_to(the(sh))
    for directory in os.environ["PATH"].split(os.pathsep):
        for program in Path(directory).glob("*"):
            if program.name not in without and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    return str(tools)


ENDS = {
    "echo mine; exit 7": "exit-7",
    "echo mine; exit 255": "exit-255",
    "echo mine; exec kill -TERM $$": "signal-15",
    "echo mine; exec kill -ABRT $$": "signal-6",
}


@pytest.mark.parametrize("perl", [True, False], ids=["perl", "no-perl"])
@pytest.mark.parametrize("shell", AS_SH)
async def test_any_shell_of_posix_runs_programs_and_stops_them(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, perl: bool
) -> None:
    tools = only(tmp_path, shell, *([] if perl else ["perl"]))
    monkeypatch.setenv("PATH", tools)
    monkeypatch.setattr(local, "SH", f"{tools}/sh")
    monkeypatch.setattr(wrapper, "CANCEL_GRACE_S", 0)
    look = await make_port("cat").probe()
    assert isinstance(look, VitalsReading), look
    for attempt, (script, word) in enumerate(ENDS.items(), 1):
        port, what = make_port("/bin/sh", "-c", script), order(attempt=attempt)
        await port.start(what)
        found = await finished(port, what)
        assert (found.failure, found.answer.text.raw) == (word, "mine\n")
    ready, what = tmp_path / "ready", order(attempt=9)
    port = make_port("/bin/sh", "-c", f"trap '' TERM; touch {ready}; sleep 300 & wait")
    await port.start(what)
    await until(ready.exists)
    assert await port.cancel(what) == Definite(Stopped())


RC = {
    "bash": ".bashrc",
    "zsh": ".zshenv",
    "fish": ".config/fish/config.fish",
    "tcsh": ".tcshrc",
    "ksh93": ".kshrc",
    "mksh": ".mkshrc",
}
"""Shells that accounts log in with, and the file that each reads for a command."""

SAID = "echo Welcome; echo state done 0; echo end"
BYE = {"bash": "trap 'echo Bye' EXIT", "zsh": "trap 'echo Bye' EXIT"}


def logged_in(shell: str, tmp_path: Path, begins: str) -> WrapperReply | object:
    """A look as sshd would start it for an account with that shell."""
    name = RC[shell]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(f"{begins}\n")
    facts = ("look", f"{tmp_path}/runs", "-", "1", "fenced", "262144 0 1 1", "cat", "rehearse")
    ran = subprocess.run(
        [the(shell), "-c", COMMAND],
        input=SCRIPT + "".join(f"{line}\n" for line in facts).encode(),
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "SSH_CLIENT": "127.0.0.1 1 22"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    told = Completed(exit_status=ran.returncode, stdout=ran.stdout, stderr=ran.stderr)
    return read_reply(Definite(told))


@pytest.mark.parametrize("begins", ["", SAID, "cd /proc", "umask 777", "nosuchcommand"])
@pytest.mark.parametrize("shell", RC)
def test_any_login_shell_hands_the_script_on(shell: str, begins: str, tmp_path: Path) -> None:
    found = logged_in(shell, tmp_path, begins)
    assert isinstance(found, WrapperReply), found
    assert (found.state, found.cannot) == (("ok",), ())


@pytest.mark.parametrize("shell", BYE)
def test_what_a_login_shell_prints_at_its_end_is_skipped(shell: str, tmp_path: Path) -> None:
    found = logged_in(shell, tmp_path, BYE[shell])
    assert isinstance(found, WrapperReply), found
    assert found.state == ("ok",)
