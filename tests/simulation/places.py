"""The two places in which the contract of an agent's port is tested: a simulated host in virtual
time, and this machine behind a real sshd with the real run wrapper."""

import asyncio
import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, assert_never

from fleet_tui.base.stopwatch import boot_time_s
from fleet_tui.core.fleet import CommandAgent
from fleet_tui.core.ids import AgentName, Epoch, HostName
from fleet_tui.sim.virtual.host import Habit, Lack, SimHost
from fleet_tui.sim.virtual.loop import VirtualLoop
from fleet_tui.sim.virtual.network import Internet, SimPool
from fleet_tui.sim.virtual.scenario import Network
from fleet_tui.sim.virtual.truth import Truth
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.ssh.pool import SshPool
from tests.support.programs import wall_ms
from tests.support.sshd import Sshd

BOX = HostName("box")
WORKER = AgentName("worker")

FAKED = "faked"
"""In a real place's directory: tools that are found before those of the machine."""


class Harm(Enum):
    """What somebody may do to a run's directory, as a shell command."""

    DELETE = 'rm -rf "$1/$2"'
    MOVE = 'mv "$1/$2" "$1/$2.old"'
    REPLACE = 'rm -rf "$1/$2"; echo no > "$1/$2"'
    CLOSE = 'chmod 000 "$1/$2"'
    DELETE_ALL = 'rm -rf "$1"'
    EMPTY_ALL = 'cd "$1"; rm -rf ./* ./.[!.]*'
    MOVE_ALL = 'mv "$1" "$1.old"'


OF_ALL = (Harm.DELETE_ALL, Harm.EMPTY_ALL, Harm.MOVE_ALL)

Test = Callable[[], Coroutine[Any, Any, None]]


class Place(ABC):
    """A host with one agent. Its program writes down that it ran and what it was given."""

    def __init__(self) -> None:
        self._directories: dict[int, RunDirectory] = {}

    def directory(self, epoch: int) -> RunDirectory:
        """What the engine of that epoch knows of the run directory."""
        return self._directories.setdefault(epoch, RunDirectory(Epoch(epoch), self.elapsed_s))

    def elapsed_s(self) -> float:
        """The stopwatch of engines."""
        return boot_time_s()

    @abstractmethod
    def run(self, test: Test) -> None:
        """Run a test's coroutine on this place's kind of event loop."""

    @abstractmethod
    def port(self, epoch: int = 1) -> CommandPort:
        """A way to the agent. All those of an epoch are of one engine."""

    def late_port(self, epoch: int = 1) -> CommandPort:
        """The same way, with what the engine knew before it heard anything from the host."""
        self._directories.pop(epoch, None)
        return self.port(epoch)

    def now_ms(self) -> int:
        """The clock of engines."""
        return wall_ms()

    @abstractmethod
    def behave(self, how: str) -> None:
        """What the program does: ``finish``, ``wait``, ``fail``, ``kill`` or ``die``."""

    @abstractmethod
    def let_go(self) -> None:
        """Programs that wait may finish."""

    @abstractmethod
    def given(self) -> list[str]:
        """The SHA-256 of what each execution was given, in order."""

    @abstractmethod
    def wipe(self) -> None:
        """Delete the run directories, and kill who waits for their programs."""

    @abstractmethod
    def harm(self, how: Harm, run_id: str) -> None:
        """Do something to the directory of a run while who waits for its program looks on."""

    @abstractmethod
    def forbid_links(self, forbidden: bool) -> None:
        """Whether hard links can be made there from now on."""

    @abstractmethod
    def break_connections(self) -> None:
        """End every connection without a goodbye."""

    @abstractmethod
    def go_away(self) -> None:
        """Nothing answers there any more."""


class SimulatedPlace(Place):
    """A :class:`SimHost`."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = VirtualLoop(random.Random(1))
        self._truth = Truth()
        self._how = "finish"
        self._host = SimHost(BOX, self._loop, random.Random(2), self._truth, self._habit)
        self._net = Internet(
            self._loop, random.Random(3), {BOX: self._host}, Network(), lambda *_: None
        )

    def run(self, test: Test) -> None:
        self._loop.run_to_end(test())

    def port(self, epoch: int = 1) -> CommandPort:
        spec = CommandAgent(command=("work-worker",))
        return _port(SimPool(self._net, epoch), self.directory(epoch), spec, self.now_ms)

    def now_ms(self) -> int:
        """Of the loop: no time passes outside it."""
        return round(self._loop.time() * 1_000)

    def elapsed_s(self) -> float:
        """As well."""
        return self._loop.time()

    def behave(self, how: str) -> None:
        self._how = how

    def let_go(self) -> None:
        """They finish by themselves; time passes at once here."""

    def given(self) -> list[str]:
        return [e.payload_sha256 for e in self._truth.executions]

    def wipe(self) -> None:
        self._host.wipe(unwatched=True)

    def harm(self, how: Harm, run_id: str) -> None:
        match how:
            case Harm.DELETE | Harm.MOVE | Harm.REPLACE:
                self._host.delete_run(run_id)
            case Harm.CLOSE:
                pass  # it is opened again
            case Harm.DELETE_ALL | Harm.EMPTY_ALL | Harm.MOVE_ALL:
                self._host.wipe()
            case _:
                assert_never(how)

    def forbid_links(self, forbidden: bool) -> None:
        self._host.lack = Lack.LINK if forbidden else None

    def break_connections(self) -> None:
        self._net.break_connections(BOX)

    def go_away(self) -> None:
        self._host.go_down()
        self._net.break_connections(BOX)

    def _habit(self, run: str) -> Habit:
        habit = Habit(random.Random(run), 1.0)
        habit.seconds = 30.0 if self._how == "wait" else 0.1
        habit.status = {"fail": 3, "kill": 137, "die": None}.get(self._how, 0)
        habit.on_term = "dies"
        habit.output = "out\n"
        habit.used = (0, 0)
        return habit


class RealPlace(Place):
    """This machine, over SSH."""

    ACTIONS: ClassVar[dict[str, str]] = {
        "finish": "echo out",
        "wait": "while [ -d {base} ] && [ ! -f {base}/go ]; do sleep 0.05; done; echo out",
        "fail": "exit 3",
        "kill": "kill -KILL 0",
        # Together with who waits for it.
        "die": "read -r _ _ _ _ _ led _ < /proc/$$/stat; kill -KILL -$led 0",
    }

    def __init__(self, server: Sshd, base: Path) -> None:
        super().__init__()
        self._server = server
        self._base = base
        self._how = "finish"
        self._pools: list[SshPool] = []

    def run(self, test: Test) -> None:
        async def whole() -> None:
            try:
                await test()
            finally:
                for pool in self._pools:
                    await pool.close()

        asyncio.run(whole())

    def port(self, epoch: int = 1) -> CommandPort:
        action = self.ACTIONS[self._how].format(base=self._base)
        script = f"sha256sum | cut -c1-64 >> {self._base}/given; {action}"
        spec = CommandAgent(command=("sh", "-c", script), run_dir=str(self._base / "runs"))
        pool = SshPool({BOX: self._server.spec()}, rng=random.Random(1), clock=time.monotonic)
        self._pools.append(pool)
        return _port(pool, self.directory(epoch), spec, self.now_ms)

    def behave(self, how: str) -> None:
        self._how = how

    def let_go(self) -> None:
        (self._base / "go").touch()

    def given(self) -> list[str]:
        path = self._base / "given"
        return path.read_text().split() if path.exists() else []

    def wipe(self) -> None:
        runs = self._base / "runs"
        for owner in runs.glob("*/owner"):
            # Who waits for a run would be known by its arguments, and could tell.
            kind, *words = owner.read_text().split()
            if kind == "run":
                with suppress(ProcessLookupError):
                    os.kill(int(words[0]), signal.SIGKILL)
        while runs.exists():  # a run that has just begun may write a file meanwhile
            shutil.rmtree(runs, ignore_errors=True)

    def harm(self, how: Harm, run_id: str) -> None:
        runs = str(self._base / "runs")
        subprocess.run(["sh", "-c", how.value, "sh", runs, run_id], check=True)

    def forbid_links(self, forbidden: bool) -> None:
        fake = self._base / FAKED / "ln"
        if forbidden:
            fake.parent.mkdir(exist_ok=True)
            fake.write_text("#!/bin/sh\necho 'Operation not permitted' >&2; exit 1\n")
            fake.chmod(0o755)
        else:
            fake.unlink()

    def break_connections(self) -> None:
        self._server.kill_sessions()

    def go_away(self) -> None:
        self._server.stop()


def _port(
    pool: SshPool | SimPool,
    directory: RunDirectory,
    spec: CommandAgent,
    now_ms: Callable[[], int],
) -> CommandPort:
    return CommandPort(
        WORKER,
        spec,
        BOX,
        pool,
        directory=directory,
        probe_timeout_ms=20_000,
        now_ms=now_ms,
    )


def digest(payload: str) -> str:
    """What a program writes down about its payload."""
    return hashlib.sha256(payload.encode()).hexdigest()
