"""Programs behind a real sshd that do away with what watches them, or that cannot be executed: what
an operator is told of their tasks and agents."""

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.ids import TaskId
from fleet_tui.core.tasks.codes import DiedCode, NotStartedCode, died_words
from fleet_tui.core.tasks.evidence import LostReason
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase
from tests.acceptance.rig import MakeRig, Rig
from tests.support.sshd import Sshd, sshd

__all__ = ["sshd"]

pytestmark = [pytest.mark.sshd, pytest.mark.slow, pytest.mark.timeout(300)]

SOON_S = 60.0

CODES = {
    code.value
    for kind in (FailureKind, LostReason, NotStartedCode, DiedCode)
    for code in kind
    if "-" in code.value
}


def fleet_of(server: Sshd, place: Path, command: str) -> str:
    spec = server.spec()
    return (
        "defaults: {probe: {every: 300ms, timeout: 3s, down_after: 2, up_after: 1}}\n"
        f"hosts:\n  box: {{address: {spec.address}, port: {spec.port}, user: {spec.user}, "
        f"identity: {spec.identity}, known_hosts: {spec.known_hosts}, ssh_config: off}}\n"
        f"agents:\n  worker: {{kind: command, host: box, command: {command}, "
        f"run_dir: {place / 'runs'}}}\n"
    )


def task(rig: Rig, task_id: TaskId) -> Task:
    found = rig.state().task(task_id)
    assert found is not None
    return found


async def submitted(rig: Rig, script: str) -> TaskId:
    await asyncio.to_thread(rig.submit, script, "--class", "once")
    return rig.tasks()[-1].id


async def told(rig: Rig, *words: str) -> str:
    """What a command says to people, on one line; never a code."""
    done = await asyncio.to_thread(rig.cli, *words, "-f", str(rig.file))
    text = " ".join((done.stdout + done.stderr).decode().split())
    seen = [code for code in CODES if re.search(rf"(?<![\w-]){code}(?![\w-])", text)]
    assert not seen, text
    return text


TIDY = {
    "its run": 'cd "$FLEET_TUI_RUN_DIR/../.." && rm -rf "$PWD"',
    "all runs": 'cd "$FLEET_TUI_RUN_DIR/../../.." && rm -rf "$PWD"',
    "who waits for it, by a stop": "kill -STOP $PPID",
}


@pytest.mark.parametrize("what", TIDY)
async def test_a_program_that_hides_succeeds_like_any_other(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path, what: str
) -> None:
    rig = make_rig(fleet_of(sshd, short_dir, "[sh]"))
    rig.start()
    one = await submitted(rig, f"echo before; {TIDY[what]}; sleep 1; echo after")
    await rig.until(lambda: task(rig, one).phase.is_closed, SOON_S, "it ends")
    assert task(rig, one).phase is TaskPhase.SUCCEEDED, rig.summary()
    (attempt,) = task(rig, one).attempts
    assert attempt.answer.text.raw == "before\nafter\n"
    assert "succeeded" in await told(rig, "why", task(rig, one).label)


async def test_a_program_that_kills_who_waits_for_it_is_asked_about_in_words(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    rig = make_rig(fleet_of(sshd, short_dir, "[sh]"))
    rig.start()
    go = short_dir / "go"
    keepers = "kill -KILL $PPID $(cut -d' ' -f4 /proc/$PPID/stat)"
    script = f"{keepers}; until [ -e {go} ]; do sleep 0.1; done"
    one = await submitted(rig, script)
    await rig.until(lambda: bool(task(rig, one).attempts), SOON_S, "it is placed")
    await rig.until(
        lambda: task(rig, one).attempts[0].phase is AttemptPhase.RUNNING, SOON_S, "it runs"
    )
    go.touch()
    asked = TaskPhase.NEEDS_OPERATOR
    await rig.until(lambda: task(rig, one).phase is asked, SOON_S, "it needs a verdict")
    words = await told(rig, "why", task(rig, one).label)
    assert died_words("process-gone") in words
    assert "it may have had effects" in words
    await told(rig, "tasks")


async def test_a_program_that_cannot_be_executed_is_told_by_every_command(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    program = short_dir / "prog"
    program.write_text("#!/opt/no/such\n")
    program.chmod(0o755)
    rig = make_rig(fleet_of(sshd, short_dir, f"[{program}]"))
    rig.start()
    await rig.until(lambda: rig.agent("worker").failure is not None, SOON_S, "it is missed")
    one = await submitted(rig, "never")
    await rig.until(lambda: task(rig, one).pending is not None, SOON_S, "it waits")
    why = "cannot be executed without /opt/no/such, which its first line names and is not there"
    for words in (("doctor",), ("why", task(rig, one).label)):
        assert why in await told(rig, *words), words
    assert "its program cannot be executed" in await told(rig, "agents")
    assert "install the program on the host" in await told(rig, "why", task(rig, one).label)


async def test_a_program_that_stops_itself_is_said_to_be_stopped_until_it_goes_on(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    rig = make_rig(fleet_of(sshd, short_dir, "[sh]"))
    rig.start()
    pid = short_dir / "pid"
    one = await submitted(rig, f"echo $$ > {pid}; kill -STOP $$; echo done")

    def suspended() -> bool:
        attempts = task(rig, one).attempts
        return bool(attempts) and attempts[-1].suspended_at_ms is not None

    await rig.until(suspended, SOON_S, "it is seen to be stopped")
    label = task(rig, one).label
    assert "but suspended on its host for " in await told(rig, "tasks")
    words = await told(rig, "why", label)
    assert "but suspended on its host for " in words
    os.kill(int(pid.read_text()), signal.SIGCONT)
    await rig.until(lambda: task(rig, one).phase.is_closed, SOON_S, "it ends")
    assert task(rig, one).phase is TaskPhase.SUCCEEDED, rig.summary()
    assert "but suspended on its host" not in await told(rig, "why", label)
