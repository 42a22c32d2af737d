"""The ledger's disk: slow, full or failing, and the one place that outlives every engine.

A :class:`fleet_tui.engine.engine.Ledger` with the promises of ``journal/ledger/writer.py``: all or
nothing, one epoch at a time. A transaction in flight when its engine is killed may be there
afterwards or not.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

from fleet_tui.core.engine.events import (
    EngineModeChanged,
    EngineStarted,
    EngineStopped,
    EngineUnitFailed,
)
from fleet_tui.core.ids import Epoch, Seq, TaskId
from fleet_tui.core.ledger.events import Event, Recorded, task_of
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.retell import retell
from fleet_tui.journal.errors import EpochLost, JournalError, JournalFailed, JournalFull
from fleet_tui.sim.virtual.loop import Process, Running, VirtualLoop
from fleet_tui.sim.virtual.scenario import Disk

Committed = Callable[[Sequence[Recorded]], None]


ABOUT_THE_ENGINE = (EngineStarted, EngineStopped, EngineModeChanged, EngineUnitFailed)
"""A full disk has room kept back for these."""


class Store:
    """What is on the disk."""

    fences_epochs = True
    """The planted bug ``no-epoch-fence`` switches it off."""

    def __init__(
        self, loop: VirtualLoop, rng: random.Random, disk: Disk, committed: Committed
    ) -> None:
        self.rows: list[Recorded] = []
        self.epoch = Epoch(0)
        self.full = False
        self.full_until_s = 0.0
        """When something was refused last for want of room."""
        self.disk = disk
        self._loop = loop
        self._rng = rng
        self._committed = committed

    def state(self) -> FleetState:
        """Everything on the disk, folded."""
        return fold(EMPTY_STATE, self.rows)

    async def past_tasks(self, tasks: Sequence[TaskId]) -> dict[TaskId, Task]:
        """What is on the disk of these."""
        stories: dict[TaskId, list[Recorded]] = {task: [] for task in tasks}
        for row in self.rows:
            if (task := task_of(row.event)) in stories:
                stories[task].append(row)
        told = {task: retell(task, story).task for task, story in stories.items()}
        return {task_id: task for task_id, task in told.items() if task is not None}

    async def open(self, process: Process, pid: int) -> "SimLedger":
        """Become the owner. Raises JournalFailed when the disk does not let us."""
        self.epoch = Epoch(self.epoch + 1)
        ledger = SimLedger(self, process, self.epoch)
        await ledger.append([EngineStarted(epoch=ledger.epoch, version="sim", pid=pid)], 0)
        ledger.state = self.state()
        return ledger

    def write(
        self,
        ledger: "SimLedger",
        events: Sequence[Event],
        at_ms: int,
        done: "asyncio.Future[tuple[Recorded, ...]]",
    ) -> None:
        """Begin a transaction; ``done`` is set when it is on the disk, or is not."""
        disk, rng = self.disk, self._rng
        took_s = disk.commit_s * (0.5 + rng.random())
        if rng.random() < disk.slow:
            took_s += disk.slow_s * rng.random()
        self._loop.later(took_s, self._commit, ledger, tuple(events), at_ms, done)

    def _commit(
        self,
        ledger: "SimLedger",
        events: Sequence[Event],
        at_ms: int,
        done: "asyncio.Future[tuple[Recorded, ...]]",
    ) -> None:
        rng = self._rng
        if ledger.process.running is Running.DEAD and rng.random() >= self.disk.written_at_kill:
            return
        problem: JournalError | None = None
        if ledger.epoch != self.epoch and self.fences_epochs:
            problem = EpochLost("another engine took over")
        elif self.full and not all(isinstance(event, ABOUT_THE_ENGINE) for event in events):
            problem = JournalFull("no space left on device")
            self.full_until_s = self._loop.time()
        elif rng.random() < self.disk.fails:
            problem = JournalFailed("input/output error")
        if problem is not None:
            self._loop.later(0.0, _fail, done, problem)
            return
        at_ms = max(at_ms, self.rows[-1].at_ms if self.rows else 0)
        first = len(self.rows) + 1
        rows = tuple(
            Recorded(Seq(first + n), at_ms, ledger.epoch, event) for n, event in enumerate(events)
        )
        self.rows.extend(rows)
        self._committed(rows)
        self._loop.later(self.disk.commit_s * rng.random(), _succeed, done, rows)


class SimLedger:
    """An engine's own way to the store."""

    def __init__(self, store: Store, process: Process, epoch: Epoch) -> None:
        self.process = process
        self.epoch = epoch
        self.state = EMPTY_STATE
        self._store = store
        self._failed: JournalFailed | None = None

    def is_owner(self) -> bool:
        """Whether no other engine has taken the store over."""
        return self.epoch == self._store.epoch

    async def append(self, events: Sequence[Event], at_ms: int) -> tuple[Recorded, ...]:
        """Store events, all or none. After the first failure nothing is trusted any more."""
        if self._failed is not None:
            raise self._failed
        done: asyncio.Future[tuple[Recorded, ...]] = asyncio.get_running_loop().create_future()
        self._store.write(self, events, at_ms, done)
        try:
            return await done
        except JournalFailed as failure:
            self._failed = failure
            raise


def _succeed(done: "asyncio.Future[tuple[Recorded, ...]]", rows: tuple[Recorded, ...]) -> None:
    if not done.done():
        done.set_result(rows)


def _fail(done: "asyncio.Future[tuple[Recorded, ...]]", problem: JournalError) -> None:
    if not done.done():
        done.set_exception(problem)
