"""A simulated OpenClaw gateway as a whole: a disk, and at most one process at a time.

``serve`` takes byte streams, so a gateway can stand behind an SSH channel or a TCP port. The
faults an operator meets are methods: it can be killed, restarted, paused and slowed down.
"""

import asyncio
import random

from fleet_tui.sim.demo.behaviour import Planner
from fleet_tui.sim.demo.world import Host, Pace
from fleet_tui.sim.gateway.connections import ByteReader, ByteWriter, serve
from fleet_tui.sim.gateway.disk import Disk
from fleet_tui.sim.gateway.process import GatewaySpec, Process

BOOT_SECONDS = (5.0, 7.0)
"""From the start to ready; the port is open after 70 % of it."""

FIRST_PID = 2_000


class Gateway:
    """One agent's gateway on its host."""

    def __init__(
        self, spec: GatewaySpec, *, host: Host, pace: Pace, rng: random.Random, plan: Planner
    ) -> None:
        """``rng`` gives ids and small delays; ``plan`` the course of every run."""
        self.spec = spec
        self.disk = Disk()
        self.slowness = 1.0
        """How many times longer everything takes; can be changed while it works."""
        self._host = host
        self._pace = pace
        self._rng = rng
        self._plan = plan
        self._pid = FIRST_PID + rng.randrange(20_000)
        self._process: Process | None = None
        self._life: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def is_listening(self) -> bool:
        """Whether a connection to its port is accepted; a paused process accepts too."""
        return self._process is not None and self._process.is_listening

    @property
    def is_ready(self) -> bool:
        """Whether it has finished starting."""
        return self._process is not None and self._process.is_ready

    @property
    def process(self) -> Process:
        """The running process. Raises RuntimeError when there is none."""
        if self._process is None:
            raise RuntimeError(f"{self.spec.name} is not running")
        return self._process

    def start(self, *, boot_s: float | None = None, same_pid: bool = False) -> None:
        """Start a process that is ready after ``boot_s`` simulated seconds; 0 is at once."""
        if self._process is not None:
            return
        if not same_pid:
            self._pid += 1 + self._rng.randrange(400)
        self._process = Process(
            self.spec,
            disk=self.disk,
            host=self._host,
            pace=self._pace,
            rng=self._rng,
            plan=self._plan,
            pid=self._pid,
            slowness=lambda: self.slowness,
            exit_and_restart=self._exit_and_restart,
        )
        boot_s = self._rng.uniform(*BOOT_SECONDS) if boot_s is None else boot_s
        if boot_s == 0:
            self._process.is_listening = self._process.is_ready = True
        self._life = self._process.spawn(self._process.live(boot_s))

    def kill(self) -> None:
        """End the process at once, like ``kill -9``. Its disk stays."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.die()
        for task in list(self._serving):
            task.cancel()

    def restart(self, *, boot_s: float | None = None) -> None:
        """Kill it if it runs, and start it again."""
        self.kill()
        self.start(boot_s=boot_s)

    def pause(self) -> None:
        """Stop the process like SIGSTOP: connections open, nothing answers."""
        if self._process is not None:
            self._process.thawed.clear()

    def resume(self) -> None:
        """Resume a paused process."""
        if self._process is not None:
            self._process.thawed.set()

    async def serve(self, reader: ByteReader, writer: ByteWriter) -> None:
        """Serve one connection until it ends; a gateway that does not listen closes it."""
        if not self.is_listening:
            return writer.close()
        task = asyncio.get_running_loop().create_task(serve(self.process, reader, writer))
        self._serving.add(task)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._serving.discard(task)

    async def close(self) -> None:
        """Kill it and wait until everything it did has ended."""
        life, serving = self._life, list(self._serving)
        self.kill()
        await asyncio.gather(*filter(None, [life, *serving]), return_exceptions=True)

    def _exit_and_restart(self) -> None:
        self.kill()
        self.start(same_pid=True)
