"""An event loop whose time jumps, and processes on it that can be stopped and killed.

Nothing waits: when nobody can go on, time jumps to the next timer. Of the callbacks that could run
next a seeded die picks one, so that one seed is one interleaving. What would leave this thread
(sockets, files, threads) raises.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from enum import Enum
from heapq import heappop
from typing import Any, TypeVar

MAX_STEPS_AT_ONE_INSTANT = 100_000
"""More callbacks without time going by are two that wake each other for ever."""

MAX_TASKS_KEPT = 512
"""Tasks held before those that have ended are let go of."""

T = TypeVar("T")


class NotVirtual(RuntimeError):
    """Something wants the real world: a socket, a thread, a process."""


class Deadlock(RuntimeError):
    """Everybody waits and no timer is set."""


class Livelock(RuntimeError):
    """Callbacks run and run and time stands still."""


class Running(Enum):
    """Whether a process gets the processor."""

    YES = "yes"
    STOPPED = "stopped"
    """As after SIGSTOP: what is due waits for it."""
    DEAD = "dead"
    """As after SIGKILL: not one more statement of it is executed, no ``finally`` either."""


class Process:
    """Everything that descends from one task, to be stopped or killed as a whole."""

    def __init__(self, loop: "VirtualLoop", name: str) -> None:
        self.name = name
        self.running = Running.YES
        self.context: Context = copy_context()
        self.context.run(_process.set, self)
        self._loop = loop
        self._parked: list[asyncio.Handle] = []
        loop.processes.append(self)

    def spawn(self, coroutine: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        """Begin something as a part of this process."""
        return self._loop.create_task(coroutine, name=name, context=self.context.copy())

    def stop(self) -> None:
        """SIGSTOP."""
        if self.running is Running.YES:
            self.running = Running.STOPPED

    def go_on(self) -> None:
        """SIGCONT."""
        if self.running is Running.STOPPED:
            self.running = Running.YES
            self._loop.put_back(self._parked)
            self._parked = []

    def kill(self) -> None:
        """SIGKILL."""
        self.running = Running.DEAD

    def bury(self) -> None:
        """Let it run once more, to its end, when the world is over and nobody looks any more."""
        self.running = Running.STOPPED
        self.go_on()

    def park(self, handle: asyncio.Handle) -> None:
        """Keep a callback until the process goes on."""
        self._parked.append(handle)


_process: ContextVar[Process | None] = ContextVar("_process", default=None)


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop. ``rng`` picks who is next; ``fair`` asks for the usual first come, first served."""

    _ready: Any
    _scheduled: Any
    _stopping: bool

    def __init__(self, rng: random.Random, *, fair: bool = False) -> None:
        self._now_s = 0.0
        super().__init__()
        self.steps = 0
        self.problems: list[str] = []
        """What nobody caught."""
        self.processes: list[Process] = []
        self.outside = Context()
        """For callbacks of the world itself, whoever causes them."""
        self._pick = rng.random
        self._fair = fair
        self._at_this_instant = 0
        self._kept: list[asyncio.Task[Any]] = []
        self.set_exception_handler(self._note_problem)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def later(self, delay_s: float, callback: Callable[..., object], *args: Any) -> None:
        """Have the world do something, whichever process is the cause."""
        self.call_at(self._now_s + delay_s, callback, *args, context=self.outside)

    def put_back(self, handles: list[asyncio.Handle]) -> None:
        """Let callbacks run that were kept."""
        self._ready.extend(handles)

    def run_to_end(self, main: Coroutine[Any, Any, T]) -> T:
        """Run until ``main`` is done, then end every other task. Raises what ``main`` raises."""
        try:
            task = self.create_task(main, context=self.outside.copy())
            task.add_done_callback(lambda _: self.stop())
            self.run_forever()
            return task.result()
        finally:
            try:
                self._bury()
            finally:
                self.close()

    def create_task(  # type: ignore[override]  # the same, and keeps the task
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> "asyncio.Task[T]":
        """As usual. A killed process's tasks must not be collected: that would run their ends."""
        task = super().create_task(coro, name=name, context=context)
        self._kept.append(task)
        if len(self._kept) > MAX_TASKS_KEPT:
            self._kept = [t for t in self._kept if not t.done()]
        return task

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                heappop(scheduled)._scheduled = False
            if not scheduled:
                raise Deadlock("everybody waits and nothing will happen")
            self._now_s = max(self._now_s, scheduled[0]._when)
            self._at_this_instant = 0
            while scheduled and scheduled[0]._when <= self._now_s:
                timer = heappop(scheduled)
                timer._scheduled = False
                ready.append(timer)
        if len(ready) > 1 and not self._fair:
            ready.rotate(-int(self._pick() * len(ready)))
        handle = ready.popleft()
        if handle._cancelled:
            return
        process = handle._context.get(_process)
        if process is not None and process.running is not Running.YES:
            process.park(handle)
            return
        self.steps += 1
        self._at_this_instant += 1
        if self._at_this_instant > MAX_STEPS_AT_ONE_INSTANT:
            ready.appendleft(handle)
            raise Livelock(f"time stands still at {self._now_s:.3f} s: {handle!r}")
        handle._run()

    def _bury(self) -> None:
        """End what still runs, dead processes included, so that nothing is left to be collected."""
        self.set_exception_handler(lambda loop, context: None)
        self._at_this_instant = 0
        for process in self.processes:
            process.bury()
        left = [task for task in self._kept if not task.done()]
        for task in left:
            task.cancel()
        ending = self.create_task(_all_ended(left), context=self.outside.copy())
        ending.add_done_callback(lambda _: self.stop())
        while not ending.done():
            self.run_forever()
        self._kept.clear()

    def _note_problem(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.problems.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    # What would leave this thread

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # never returns
        """Not here."""
        raise NotVirtual(f"a thread for {func!r}")

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]  # never returns
        """Not here."""
        raise NotVirtual(f"another thread calls {callback!r}")

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Not here."""
        raise NotVirtual(f"a connection to {address}")

    def _process_events(self, event_list: object) -> None:
        raise NotVirtual("something arrived from outside")

    def _write_to_self(self) -> None:
        raise NotVirtual("another thread wakes the loop")


async def _all_ended(tasks: list["asyncio.Task[Any]"]) -> None:
    if tasks:
        await asyncio.wait(tasks)
