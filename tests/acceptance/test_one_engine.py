"""One engine owns a fleet, ends in good order, and nothing begins with a broken file."""

import asyncio
import signal
import socket
from pathlib import Path

import msgspec
import psutil
import pytest

from fleet_tui import __version__
from fleet_tui.base.errors import ExitCode
from fleet_tui.base.paths import socket_path
from fleet_tui.core.agents.commands import ProbeNow
from fleet_tui.core.engine.events import EngineStarted, EngineStopped
from fleet_tui.core.engine.protocol import PROTOCOL, Hello, Request
from fleet_tui.core.ids import AgentName
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.feed.attached import AttachedFeed
from tests.acceptance.rig import MakeRig, Rig

LOCAL = """
defaults: {kind: local, run_dir: %s, probe: {every: 200ms, timeout: 5s}}
agents:
  echo: {command: [cat], slots: 4}
"""


def local_fleet(make_rig: MakeRig, directory: Path) -> Rig:
    return make_rig(LOCAL % (directory / "runs"))


async def works(rig: Rig, text: str) -> None:
    """The fleet takes a task and ends it."""
    before = len(rig.tasks())
    rig.submit(text)
    await rig.until(lambda: len(rig.tasks()) == before + 1, 60, "the task is in the ledger")
    await rig.until(lambda: rig.tasks()[-1].phase is TaskPhase.SUCCEEDED, 60, "the task succeeds")
    last = rig.tasks()[-1].attempt
    assert last is not None
    assert last.answer.text.raw == text


def phases(rig: Rig) -> list[AttemptPhase]:
    return [attempt.phase for task in rig.tasks() for attempt in task.attempts]


async def test_a_second_engine_refuses_and_names_the_first(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    second = rig.cli("engine", str(rig.file))
    assert second.returncode == ExitCode.REFUSED
    said = second.stderr.decode()
    assert f"pid {rig.process.pid}" in said
    assert "Traceback" not in said
    await works(rig, "the first goes on")
    assert sum(isinstance(r.event, EngineStarted) for r in rig.events()) == 1


async def test_neither_sighup_nor_a_closing_console_changes_anything(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    for _ in range(3):
        console = AttachedFeed(rig.directory, by="tester")
        await console.open()
        assert console.view().state.engine.pid == rig.process.pid
        await console.close()
    rude = socket.socket(socket.AF_UNIX)
    rude.connect(str(socket_path(rig.directory)))
    rude.close()
    rig.process.send_signal(signal.SIGHUP)
    await works(rig, "after the hangup")
    assert rig.process.poll() is None
    assert not any(isinstance(r.event, EngineStopped) for r in rig.events())


async def test_sigterm_ends_in_good_order_and_what_runs_is_found_again(
    make_rig: MakeRig, short_dir: Path
) -> None:
    gate = short_dir / "gate"
    slow = f"agents:\n  slow: {{kind: local, run_dir: {short_dir}/runs, command: "
    slow += f"[sh, -c, 'while [ ! -e {gate} ]; do sleep 0.1; done; cat']}}\n"
    rig = make_rig(slow)
    rig.start()
    assert rig.process is not None
    rig.submit("wait for me")
    await rig.until(lambda: phases(rig) == [AttemptPhase.RUNNING], 60, "it runs")
    rig.process.terminate()
    assert await asyncio.to_thread(rig.process.wait, 20) == 0
    rig.process = None
    assert not rig.answers()
    assert not socket_path(rig.directory).exists()
    last = rig.events()[-1].event
    assert isinstance(last, EngineStopped)
    assert "SIGTERM" in last.reason
    gate.touch()
    rig.start()
    await rig.until(lambda: rig.tasks()[0].phase is TaskPhase.SUCCEEDED, 60, "the run is found")
    assert phases(rig) == [AttemptPhase.SUCCEEDED]


async def test_the_socket_of_a_dead_engine_is_replaced(make_rig: MakeRig, short_dir: Path) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    rig.kill()
    assert socket_path(rig.directory).exists()
    assert not rig.answers()
    refused = rig.cli("submit", "-f", str(rig.file), "nobody there")
    assert refused.returncode == ExitCode.UNREACHABLE
    assert b"no engine" in refused.stderr
    rig.start()
    await works(rig, "after the crash")


BROKEN = {
    "not-yaml": ("agents: {a: [}\n", ["fleet.yaml:3:"]),
    "anchor": ("agents: &x {a: {host: h}}\n", ["fleet.yaml:3:"]),
    "tag": ("agents: !!python/object:os.system {a: {host: h}}\n", ["fleet.yaml:3:"]),
    "twice": ("agents: {a: {host: h}}\nagents: {b: {host: h}}\n", ["agents"]),
    "deep": ("agents: " + "{a: " * 200 + "1" + "}" * 200 + "\n", ["fleet.yaml:3:"]),
    "many": (
        "defaults: {slots: none, tokn: x}\n"
        "hosts: {h: {address: 'a b', port: 99999}}\n"
        "agents:\n  a: {host: h, port: 0, pool: nowhere}\n  b: {kind: commnd}\n",
        ["slots", "tokn", "address", "99999", "fleet.yaml:6:", "fleet.yaml:7:"],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_nothing_starts_with_a_broken_file(make_rig: MakeRig, name: str) -> None:
    text, all_of = BROKEN[name]
    rig = make_rig(text)
    for command in (("engine", str(rig.file)), ("check", str(rig.file))):
        done = rig.cli(*command)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == ExitCode.INVALID_CONFIG, said
        assert "Traceback" not in said
        for part in all_of:
            assert part in said, said
    assert not rig.directory.exists()
    assert not any(str(rig.file) in word for word in _command_lines())


def _command_lines() -> list[str]:
    lines = []
    for process in psutil.process_iter():
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return lines


async def test_a_console_that_breaks_off_is_let_go_without_a_word(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    hello = msgspec.json.encode(Hello(protocol=PROTOCOL, version=__version__, by="rude")) + b"\n"
    look = Request(id=1, command=ProbeNow(agents=(AgentName("echo"),)))
    for said in (b"", b"junk\n", hello, hello + b"junk\n", hello + b"{", hello + hello):
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(socket_path(rig.directory)))
            rude.sendall(said)
    with socket.socket(socket.AF_UNIX) as rude:
        rude.connect(str(socket_path(rig.directory)))
        rude.sendall(hello)
        assert rude.recv(1)
        rude.sendall((msgspec.json.encode(look) + b"\n") * 200)
    await works(rig, "the fleet goes on")
    assert "Traceback" not in rig.said()
    assert "ERROR" not in rig.said()


def test_a_fleet_whose_engine_was_killed_is_not_called_well(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    pid = rig.process.pid
    rig.kill()
    status = rig.cli("status", str(rig.file))
    assert status.returncode == ExitCode.FAILED
    assert f"engine: none runs; pid {pid} ended unexpectedly" in status.stdout.decode()
    document = msgspec.json.decode(rig.cli("status", str(rig.file), "--json").stdout)
    assert document["healthy"] is False
    for verb in ("agents", "tasks"):
        listed = rig.cli(verb, "-f", str(rig.file))
        assert listed.returncode == ExitCode.OK
        assert f"pid {pid} ended unexpectedly" in listed.stderr.decode()
        assert b"engine" not in listed.stdout
    doctor = rig.cli("doctor", "-f", str(rig.file)).stdout.decode()
    assert f"warn engine: none runs; pid {pid} ended unexpectedly" in doctor


def test_lists_say_that_their_engine_has_stopped(make_rig: MakeRig, short_dir: Path) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    assert rig.cli("agents", "-f", str(rig.file)).stderr == b""
    assert rig.cli("stop", str(rig.file), "--reason", "a test").returncode == ExitCode.OK
    assert rig.process is not None
    assert rig.process.wait(30) == 0
    rig.process = None
    for verb in ("agents", "tasks"):
        assert b"engine: stopped" in rig.cli(verb, "-f", str(rig.file)).stderr
