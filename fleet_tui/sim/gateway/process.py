"""One life of a simulated gateway: from its start to its death, in memory only.

A new process on the same disk has a new boot id, forgets idempotency keys and results, and some
three seconds after it is ready continues the turns that the process before left unfinished, unless
somebody deleted their sessions.
"""

import asyncio
import random
import uuid
from collections.abc import Callable, Coroutine
from typing import Protocol

import msgspec

from fleet_tui.sim.demo.behaviour import Model, Planner
from fleet_tui.sim.demo.loglines import Trace
from fleet_tui.sim.demo.world import GIB, LEAK_BYTES_PER_RUN, Host, Pace
from fleet_tui.sim.gateway import answers
from fleet_tui.sim.gateway.answers import ErrorAnswer
from fleet_tui.sim.gateway.disk import Disk, Json
from fleet_tui.sim.gateway.releases import NEWEST, Release
from fleet_tui.sim.gateway.run_table import RunTable

RESUME_AFTER_S = 3.0
LEASE_S = 120.0
RESTART_BUDGET_S = 300.0
HEALTH_EVERY_TICKS = 2

SERVICE_RESTART = 1012
"""WebSocket close code of a gateway that restarts."""
MAX_PUNISHED_ATTEMPTS = 5
"""Wrong tokens wait 0.25 s, doubling up to 5 s."""


class GatewaySpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one gateway is, whatever process runs it."""

    name: str
    port: int
    token: str
    model: Model
    agent_id: str = "main"
    max_concurrent: int = 8
    release: Release = NEWEST


class Listener(Protocol):
    """A connection that hears events."""

    def push(self, event: str, payload: Json) -> None:
        """Tell it something."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Say goodbye."""
        ...

    def abort(self) -> None:
        """Vanish."""
        ...


class Suspension(msgspec.Struct, kw_only=True):
    """A drain under way; it ends by itself with its lease."""

    id: str
    request_id: str
    ends_at_s: float
    ends_at_ms: int


class Process:
    """A running gateway."""

    def __init__(
        self,
        spec: GatewaySpec,
        *,
        disk: Disk,
        host: Host,
        pace: Pace,
        rng: random.Random,
        plan: Planner,
        pid: int,
        slowness: Callable[[], float],
        exit_and_restart: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.pace = pace
        self.disk = disk
        self.pid = pid
        self.rng = rng
        self.boot_id = self.new_id()
        self.is_listening = False
        self.is_ready = False
        self.is_stopping = False
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.listeners: dict[Listener, None] = {}
        """In the order in which they came: that of a set would be another one in every process."""
        self.slowness = slowness
        self._host = host
        self._exit_and_restart = exit_and_restart
        self._started_at_s = pace.elapsed_s()
        self._suspension: Suspension | None = None
        self._wrong_tokens = 0
        self._usage_fresh_at_s: float | None = None
        self._tasks: dict[asyncio.Task[None], None] = {}
        self.runs = RunTable(
            disk=disk,
            host=host,
            pace=pace,
            rng=rng,
            plan=plan,
            model=spec.model,
            agent_id=spec.agent_id,
            max_concurrent=spec.max_concurrent,
            release=spec.release,
            slowness=slowness,
            thawed=self.thawed,
            emit=self.emit,
            spawn=self.spawn,
        )

    def new_id(self) -> str:
        """A UUID of this world."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Do something that ends, at the latest, with this process."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    async def live(self, boot_s: float) -> None:
        """Start up in ``boot_s`` simulated seconds, then tick until the end."""
        version = self.spec.release.version
        self.runs.log("INFO", "gateway", f"starting OpenClaw {version} (pid {self.pid})")
        await self._wait(boot_s * 0.7)
        self.is_listening = True
        broken = self.runs.settle_interrupted()
        await self._wait(boot_s * 0.3)
        self.is_ready = True
        self.runs.log("INFO", "gateway", f"ready; listening on 127.0.0.1:{self.spec.port}")
        if broken:
            self.spawn(self._resume(broken))
        beats = 0
        while True:
            await self._wait(answers.TICK_S)
            beats += 1
            self.emit("tick", {"ts": self.pace.now_ms()})
            if beats % HEALTH_EVERY_TICKS == 0:
                self.emit("health", self.health())

    def die(self) -> None:
        """End at once, as after ``kill -9``: without notice, connections just end."""
        self.is_listening = self.is_ready = False
        for task in list(self._tasks):
            task.cancel()
        for listener in list(self.listeners):
            listener.abort()
        self.listeners.clear()
        self.runs.forget_all()

    def emit(self, event: str, payload: Json) -> None:
        """Send to every connection with permission to read."""
        for listener in list(self.listeners):
            listener.push(event, payload)

    def log(self, level: str, subsystem: str, text: str, trace: Trace | None = None) -> None:
        """Write a line into the log."""
        self.runs.log(level, subsystem, text, trace)

    async def punish(self) -> None:
        """Delay a client with a wrong token, longer each time."""
        delay_s = min(5.0, 0.25 * 2.0**self._wrong_tokens)
        self._wrong_tokens = min(self._wrong_tokens + 1, MAX_PUNISHED_ATTEMPTS)
        await self.pace.sleep(delay_s)

    # What it reports about itself

    @property
    def uptime_ms(self) -> int:
        """Since the start of the process."""
        return int((self.pace.elapsed_s() - self._started_at_s) * 1_000)

    @property
    def suspension_phase(self) -> str:
        """accepting, draining (running work ends) or prepared (nothing is left)."""
        if self._lease() is None:
            return "draining" if self.is_stopping else "accepting"
        return "draining" if self.runs.unfinished else "prepared"

    def failing(self) -> list[str]:
        """Why it is not ready; empty when it is."""
        if not self.is_ready:
            return ["startup-sidecars"]
        return [] if self.suspension_phase == "accepting" else ["gateway-draining"]  # as it says it

    def event_loop(self) -> Json:
        """How the event loop feels."""
        vitals = self._host.vitals(self.pace.elapsed_s())
        return answers.event_loop(vitals, self.slowness(), self.runs.active_count)

    def health(self) -> Json:
        """The answer of ``health``."""
        sessions = len(self.disk.sessions)
        said = answers.health(self.pace.now_ms(), self.spec.agent_id, sessions)
        return said | {"eventLoop": self.event_loop()}

    def status(self) -> Json:
        """The answer of ``status``."""
        counts: dict[str, int] = {}
        for row in self.disk.tasks.values():
            counts[row.status] = counts.get(row.status, 0) + 1
        sessions = len(self.disk.sessions)
        said = answers.status(pid=self.pid, counts=counts, sessions=sessions, model=self.spec.model)
        return said | {"eventLoop": self.event_loop(), "processMemory": self._memory()}

    def system_info(self) -> Json:
        """The answer of ``system.info``."""
        said = answers.system_info(
            host=self._host.name,
            port=self.spec.port,
            pid=self.pid,
            boot_id=self.boot_id,
            uptime_ms=self.uptime_ms,
            vitals=self._host.vitals(self.pace.elapsed_s()),
        )
        return said | {"eventLoop": self.event_loop(), "processMemory": self._memory()}

    def lanes(self) -> Json:
        """The answer of ``diagnostics.lanes``."""
        return answers.lanes(
            self.pace.now_ms(),
            queued=self.runs.queued_count,
            active=self.runs.active_count,
            limit=self.runs.max_concurrent,
            draining=self.suspension_phase != "accepting",
        )

    def usage_is_fresh(self) -> bool:
        """Usage is summed up in the background: the first who asks gets nothing yet."""
        now_s = self.pace.elapsed_s()
        if self._usage_fresh_at_s is None:
            self._usage_fresh_at_s = now_s + 2.0
        return now_s >= self._usage_fresh_at_s

    def _memory(self) -> Json:
        grown = LEAK_BYTES_PER_RUN * len(self.disk.tasks)
        return answers.process_memory(int(0.72 * GIB) + grown)

    # Suspending and restarting

    def refuses_work(self) -> ErrorAnswer | None:
        """Why no new run is taken now, or None."""
        phase = self.suspension_phase
        if phase == "accepting":
            return None
        return suspended("agent", phase)

    def suspend(self, request_id: str, *, drain: bool) -> Json:
        """Stop taking work; with ``drain`` also while runs are at work. Repeating it renews it."""
        now_s = self.pace.elapsed_s()
        if self.runs.unfinished and not drain and self._lease() is None:
            return {"status": "busy", "retryAfterMs": 20_000, **self._blockers()}
        current = self._lease()
        if current is None or current.request_id != request_id:
            current = Suspension(
                id=self.new_id(), request_id=request_id, ends_at_s=now_s, ends_at_ms=0
            )
            self._suspension = current
        current.ends_at_s = now_s + LEASE_S
        current.ends_at_ms = self.pace.now_ms() + int(LEASE_S * 1_000)
        self.emit("gateway.suspension", {"phase": self.suspension_phase})
        return self.suspension(current.id) or {}

    def suspension(self, suspension_id: str) -> Json | None:
        """Where a suspension stands; None when it is over."""
        current = self._lease()
        if current is None or current.id != suspension_id:
            return None
        if self.suspension_phase == "prepared":
            ready: Json = {"status": "ready", "suspensionId": current.id}
            return ready | {"expiresAtMs": current.ends_at_ms, "writeCustody": []}
        return {
            "status": "draining",
            "suspensionId": current.id,
            "expiresAtMs": current.ends_at_ms,
            **self._blockers(),
            "writeCustody": [],
            "retryAfterMs": 20_000,
        }

    def resume_work(self, suspension_id: str) -> bool:
        """End a suspension; False when there was none of that id."""
        if self.suspension(suspension_id) is None:
            return False
        self._suspension = None
        self.emit("gateway.suspension", {"phase": "accepting"})
        return True

    def restart_counts(self) -> Json:
        """What a restart would have to wait for."""
        active, queued = self.runs.active_count, self.runs.queued_count
        return {
            "queueSize": queued,
            "pendingReplies": 0,
            "embeddedRuns": active,
            "cronRuns": 0,
            "backgroundExecSessions": 0,
            "rootRequests": 0,
            "activeTasks": active + queued,
            "totalActive": active + queued,
        }

    def restart_when_idle(self) -> bool:
        """Begin a restart in place; False when one is already on its way."""
        if self.is_stopping:
            return False
        self.is_stopping = True
        self.spawn(self._restart())
        return True

    async def _restart(self) -> None:
        deadline_s = self.pace.elapsed_s() + RESTART_BUDGET_S
        while (unfinished := self.runs.unfinished) and self.pace.elapsed_s() < deadline_s:
            left_s = self.pace.real_s(deadline_s - self.pace.elapsed_s())
            await asyncio.wait({self.spawn(_over(unfinished[0].over))}, timeout=left_s)
        self.emit("shutdown", {"reason": "gateway restarting", "restartExpectedMs": 1_500})
        for listener in list(self.listeners):
            listener.close(SERVICE_RESTART, "service restart")
        await self._wait(0.1)
        self._exit_and_restart()

    async def _resume(self, session_keys: list[str]) -> None:
        await self._wait(RESUME_AFTER_S)
        for key in session_keys:
            self.runs.resume(key)

    async def _wait(self, seconds: float) -> None:
        await self.pace.sleep(seconds)
        await self.thawed.wait()

    def _lease(self) -> Suspension | None:
        if self._suspension is not None and self._suspension.ends_at_s <= self.pace.elapsed_s():
            self._suspension = None
        return self._suspension

    def _blockers(self) -> Json:
        unfinished = self.runs.unfinished
        blockers: list[Json] = [
            {
                "kind": "task",
                "count": 1,
                "message": f"taskId={run.row.task_id} runId={run.id} status={run.row.status}",
                "task": {
                    "taskId": run.row.task_id,
                    "status": run.row.status,
                    "runtime": "cli",
                    "runId": run.id,
                    "title": run.row.title,
                },
            }
            for run in unfinished
        ]
        return {"activeCount": len(unfinished), "blockers": blockers}


def suspended(method: str, phase: str) -> ErrorAnswer:
    """The refusal of a gateway that is suspended or about to be."""
    return ErrorAnswer(
        code="UNAVAILABLE",
        message=f"{method} unavailable during gateway suspension",
        details={"method": method, "reason": "gateway-suspending", "phase": phase},
        retry_after_ms=1_000,
    )


async def _over(event: asyncio.Event) -> None:
    await event.wait()
