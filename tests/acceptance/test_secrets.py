"""Secrets stay where they are: whatever an agent says, wherever it ends up; and nobody else on this
machine gets at what the engine keeps."""

import asyncio
import os
import resource
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from fleet_tui.base.paths import socket_path
from fleet_tui.core.tasks.model import TaskPhase
from tests.acceptance.rig import MakeRig, Rig
from tests.support.fake_gateway import FakeGateway, Refuse, running
from tests.support.pty_harness import PtyProgram, python
from tests.support.rude_ssh import banner, rude_server
from tests.support.sshd import Sshd, sshd

__all__ = ["sshd"]

CANARY = "C4n4ry" + "Qz7" * 8
"""What is looked for; the shapes around it are what a redactor can know."""

SAID = f"""answer begins
key sk-{CANARY} and ghp_{CANARY}
Authorization: Bearer {CANARY}
"token": "{CANARY}"
-----BEGIN OPENSSH PRIVATE KEY-----
{CANARY}
-----END OPENSSH PRIVATE KEY-----
answer ends
"""

FLEET = """
pools: {fine: , broken: }
defaults: {kind: local, run_dir: %s, probe: {every: 200ms, timeout: 5s}}
agents:
  honest: {command: [cat, %s], slots: 2, pool: fine}
  broken: {command: [sh, -c, "cat %s >&2; exit 3"], slots: 2, pool: broken}
"""

NOBODY = 65_534


def leaky_fleet(make_rig: MakeRig, directory: Path) -> Rig:
    said = directory / "said"
    said.write_text(SAID)
    return make_rig(
        FLEET % (directory / "runs", said, said), CANARY_TOKEN=CANARY, TERM="xterm-256color"
    )


def files_with(text: str, root: Path) -> list[Path]:
    """The files below a directory that have a text in them."""
    wanted = text.encode()
    return [f for f in root.rglob("*") if f.is_file() and wanted in f.read_bytes()]


def contents(path: Path) -> bytes:
    """Of a file whose process may have ended."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


async def test_what_an_agent_says_is_in_no_file_screen_or_argument(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = leaky_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    rig.submit("say it", "--pool", "fine")
    rig.submit("fail with it", "--pool", "broken")
    over = [TaskPhase.SUCCEEDED, TaskPhase.FAILED]
    await rig.until(lambda: [t.phase for t in rig.tasks()] == over, 60, "both tasks end")
    answer = rig.tasks()[0].attempt
    assert answer is not None
    assert "answer begins" in answer.answer.text.raw
    assert "[redacted:" in answer.answer.text.raw

    assert [p for p in Path("/proc").glob("[0-9]*/cmdline") if CANARY.encode() in contents(p)] == []

    seen = b""
    with PtyProgram(python("-m", "fleet_tui", "open", str(rig.file)), env=rig.env) as console:
        console.wait_for("honest")
        console.press(":task t-1\r")
        console.wait_for("answer begins")
        console.press("\x13")
        console.wait_for("saved ")
        console.press("\x11")
        console.wait_for_end()
        seen += bytes(console.painted)
    for words in (["tasks", "--json"], ["logs"], ["why", "t-1"], ["why", "t-2"]):
        done = rig.cli(words[0], "-f", str(rig.file), *words[1:])
        seen += done.stdout + done.stderr
    recording = short_dir / "x.fleetrec"
    assert rig.cli("export", "-f", str(rig.file), "-o", str(recording)).returncode == 0
    rig.kill()
    assert b"answer begins" in seen
    assert CANARY.encode() not in seen
    runs = short_dir / "runs"
    kept = [f for f in files_with(CANARY, short_dir) if not f.is_relative_to(runs)]
    assert kept == [short_dir / "said"], "the host's own files alone have it"
    assert any(f.suffix == ".svg" for f in rig.directory.parent.rglob("saved/*"))


RUDE = """
defaults: {probe: {every: 300ms, timeout: 3s, down_after: 2}}
hosts:
  good: {address: 127.0.0.1, port: %d, user: %s, identity: %s, known_hosts: %s, ssh_config: off}
  greets: {address: 127.0.0.1, port: %d, user: somebody, known_hosts: %s, ssh_config: off}
  behind: {address: behind}
agents:
  refuses: {host: good, port: %d, token: "secret:env:CANARY_TOKEN"}
  greets: {kind: command, host: greets, command: [cat]}
  behind: {kind: command, host: behind, command: [cat]}
"""

REPEATED = f"Bearer {CANARY} is not welcome, {'x' * 60} nor is {CANARY}"
"""The last of them needs to be known: it has no shape."""


def refuse(_params: object) -> None:
    """As a gateway would that repeats the token it was given."""
    raise Refuse("INVALID", message=REPEATED, details={"code": "AUTH_TOKEN_MISMATCH"})


@pytest.mark.sshd
async def test_what_hosts_say_while_they_refuse_is_in_no_file_and_no_screen(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    gateway = FakeGateway()
    gateway.handlers["connect"] = refuse
    known, good = short_dir / "known", sshd.spec()
    greeting = banner(f"welcome, {REPEATED}".encode())
    async with running(gateway) as dial, rude_server(known, greeting, lets_in=False) as port:
        rig = make_rig(
            RUDE % (good.port, good.user, good.identity, good.known_hosts, port, known, dial.port),
            CANARY_TOKEN=CANARY,
        )
        (rig.home / ".ssh").mkdir(mode=0o700)
        complaint = f"proxy login with password={CANARY} failed, {REPEATED}"
        (rig.home / ".ssh" / "config").write_text(
            f"Host behind\nProxyCommand sh -c 'echo {complaint} >&2; exit 3'\n"
        )
        await asyncio.to_thread(rig.start)
        told = {
            "refuses": "is not welcome",
            "greets": "it says: welcome",
            "behind": "exit status 3",
        }
        await rig.until(
            lambda: all(words in rig.agent(name).detail.raw for name, words in told.items()),
            60,
            "each is found out",
        )
        seen = b""
        for words in (["agents"], ["agents", "--json"], ["logs"], ["doctor"]):
            done = await asyncio.to_thread(rig.cli, words[0], "-f", str(rig.file), *words[1:])
            seen += done.stdout + done.stderr
        rig.kill()
    assert b"it says: welcome" in seen
    assert CANARY.encode() not in seen
    ours = rig.home / ".ssh" / "config"
    assert [f for f in files_with(CANARY, rig.base) if f != ours] == []


@contextmanager
def somebody_else() -> Iterator[None]:
    """Another user's eyes, for a while."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def knock(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(path))


@pytest.mark.root
@pytest.mark.usefixtures("own_process")  # who becomes another user is closed to debuggers
async def test_another_user_gets_at_nothing(make_rig: MakeRig, short_dir: Path) -> None:
    rig = leaky_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    rig.submit("say it")
    for each in (short_dir, rig.directory.parent):
        each.chmod(0o755)
    (events,) = rig.directory.glob("events-*.db")
    proc = Path(f"/proc/{rig.process.pid}")
    tries: dict[str, Callable[[], object]] = {
        "list the directory": lambda: list(rig.directory.iterdir()),
        "read the ledger": events.read_bytes,
        "read the engine's log": (rig.directory / "engine.log").read_text,
        "read the lock": (rig.directory / "engine.lock").read_text,
        "put a file there": (rig.directory / "x").touch,
        "take the socket away": lambda: socket_path(rig.directory).unlink(),
        "knock": lambda: knock(socket_path(rig.directory)),
        "read its environment": (proc / "environ").read_bytes,
        "read its memory": lambda: (proc / "mem").open("rb"),
        "list its files": lambda: list((proc / "fd").iterdir()),
    }
    worked = []
    for name, attempt in tries.items():
        with somebody_else():
            try:
                attempt()
            except PermissionError:
                continue
        worked.append(name)
    assert worked == []


async def test_an_engine_keeps_its_files_and_its_memory_to_itself(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = leaky_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    rig.submit("say it")
    for path in (rig.directory, *rig.directory.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    limits = psutil.Process(rig.process.pid).rlimit(psutil.RLIMIT_CORE)
    assert limits[0] == 0
    assert resource.RLIMIT_CORE == psutil.RLIMIT_CORE
    owner = Path(f"/proc/{rig.process.pid}/environ").stat().st_uid
    assert owner == 0, "what cannot be traced belongs to root"
