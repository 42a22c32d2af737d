"""The demo's own process: half an hour of history, a simulated fleet, and a real engine on it.

The console (or a headless run) talks to this engine exactly as to any other. It ends with its
parent: a demo leaves nothing running.
"""

import asyncio
import gc
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fleet_tui import __version__
from fleet_tui.base import crash, interrupt
from fleet_tui.base.confine import confine
from fleet_tui.core.fleet import FleetSpec, ProbeSpec
from fleet_tui.core.ids import TaskId
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.text.ulid import new_ulid
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.telemetry.logs import LogWriter
from fleet_tui.journal.telemetry.samples import SampleWriter
from fleet_tui.sim.demo.history import MINUTES, DemoHistory, make_history
from fleet_tui.sim.demo.workload import TASKS_PER_MINUTE, Workload

if TYPE_CHECKING:
    from fleet_tui.engine.run import RunningEngine

PROBE = ProbeSpec(every_ms=1_000, timeout_ms=900, down_after=3, up_after=3)
"""Quicker than the sample fleet's 5 s: a scenario of half a minute must be seen to happen."""

APPENDS_AT_ONCE = 2_048
PREFIX = "demo-"
HISTORY_READY = "history"
ENGINE_READY = "engine"
CLOSED = "the demo was closed"


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo plays."""

    root: str
    """Where the demo makes a directory of its own."""
    seed: int = 1
    speed: float = 1.0
    scenario: str = "default"


async def play(
    directory: Path, options: DemoOptions, fleet: FleetSpec, say: Callable[[str], None]
) -> str:
    """Write the history, then run the fleet until the engine is stopped or the parent is gone.

    ``say`` is told HISTORY_READY and ENGINE_READY. Returns why it ended.
    """
    asyncio.get_running_loop().set_exception_handler(crash.unhandled)
    await write_history(directory, fleet, options.seed)
    gc.enable()
    say(HISTORY_READY)

    # The rest needs asyncssh, whose import takes longer than the history: the console that waits
    # for its first picture does not have to.
    from fleet_tui.engine.run import RunningEngine  # noqa: PLC0415  # see above
    from fleet_tui.sim.demo.sandbox import Sandbox  # noqa: PLC0415  # see above
    from fleet_tui.sim.demo.scenarios import SCENARIOS, play_scenario  # noqa: PLC0415  # see above

    rng = random.Random(f"{options.seed}/demo")  # noqa: S311  # a simulation, not a secret
    async with Sandbox(fleet, seed=options.seed, speed=options.speed) as sandbox:
        spec = sandbox.rewrite(fleet, probe=PROBE)
        workload = Workload(fleet, rng=rng, pace=sandbox.pace, per_minute=TASKS_PER_MINUTE)
        async with RunningEngine(spec, directory) as running:
            say(ENGINE_READY)
            background = [
                asyncio.create_task(_give_work(running, workload), name="workload"),
                asyncio.create_task(_follow_parent(running), name="parent"),
                asyncio.create_task(
                    play_scenario(sandbox, SCENARIOS[options.scenario](fleet), workload=workload),
                    name="scenario",
                ),
            ]
            try:
                return await running.run()
            finally:
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)


async def _give_work(running: "RunningEngine", workload: Workload) -> None:
    async for spec in workload.arrivals():
        task = TaskId(new_ulid(time.time_ns() // 1_000_000, secrets.token_bytes(10)))
        await running.engine.ask(spec.client or "operator", Submit(task=task, key=task, spec=spec))


async def _follow_parent(running: "RunningEngine") -> None:
    """Standard input ends when the parent does, however it ended."""
    await asyncio.to_thread(sys.stdin.buffer.read)
    running.stop(CLOSED)


async def write_history(
    directory: Path, fleet: FleetSpec, seed: int, minutes: int = MINUTES
) -> None:
    """Fill an empty state directory with the demo's past."""
    until_ms = time.time_ns() // 1_000_000
    start_ms = until_ms - minutes * 60_000
    making = asyncio.create_task(
        asyncio.to_thread(
            make_history,
            fleet,
            seed=seed,
            until_ms=until_ms,
            minutes=minutes,
            per_minute=TASKS_PER_MINUTE,
        )
    )
    writer = await JournalWriter.open(
        directory, lambda: start_ms, __version__, pid=0, batch_requests=APPENDS_AT_ONCE
    )
    try:
        history = await making
        # The three kinds of files are written side by side: SQLite works outside the interpreter.
        async with asyncio.TaskGroup() as group:
            group.create_task(_write_lines(directory, history))
            group.create_task(_write_samples(directory, history))
            group.create_task(_write_events(writer, history))
    finally:
        await writer.close("")


async def _write_events(writer: JournalWriter, history: DemoHistory) -> None:
    for start in range(0, len(history.batches), APPENDS_AT_ONCE):
        await asyncio.gather(
            *(
                writer.append(events, at_ms)
                for at_ms, events in history.batches[start : start + APPENDS_AT_ONCE]
            )
        )


async def _write_lines(directory: Path, history: DemoHistory) -> None:
    lines = await LogWriter.open(directory)
    try:
        lines.write(history.lines)
    finally:
        await lines.close()


async def _write_samples(directory: Path, history: DemoHistory) -> None:
    samples = await SampleWriter.open(directory)
    try:
        samples.add(history.samples)
    finally:
        await samples.close()


def main() -> None:
    """The process that :mod:`fleet_tui.cli.demo` starts: options as JSON in the one argument."""
    from fleet_tui.base.bundled import sample_fleet  # noqa: PLC0415  # only here
    from fleet_tui.config.load import load_fleet  # noqa: PLC0415  # only here

    confine()
    crash.install()
    crash.quiet_stderr()
    options = msgspec.json.decode(sys.argv[1], type=DemoOptions)
    fleet = load_fleet(sample_fleet("demo"), {}).spec

    def say(word: str) -> None:
        with suppress(BrokenPipeError):  # nobody listens any more; standard input has ended too
            sys.stdout.write(word + "\n")
            sys.stdout.flush()

    # Whoever started this may have been killed, so the directory is ours to take away: it is made
    # here, and nothing that was there before can be in it.
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=options.root) as directory:
        say(directory)
        gc.disable()  # nothing is thrown away while the history is made; `play` turns it on again
        with interrupt.left_to_a_loop():
            asyncio.run(play(Path(directory), options, fleet, say))
        sys.stdin.buffer.read()  # a headless run still reads the ledger


if __name__ == "__main__":
    interrupt.program(main)
