"""``fleet-tui demo``: a running simulated fleet, with or without a screen."""

import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import msgspec

from fleet_tui.base import children
from fleet_tui.base.errors import FleetError, UsageError
from fleet_tui.base.paths import private_dir, state_root
from fleet_tui.cli.choosing import OneOf
from fleet_tui.cli.common import Fleet, accepted, ask_engine, emit_json, operator, say
from fleet_tui.cli.files import recording_target
from fleet_tui.cli.screen import Screen, need_terminal, prepare, screen_options, show
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.text.quantities import span_ms

if TYPE_CHECKING:
    from fleet_tui.journal.ledger.reader import JournalReader

SCENARIOS = ("default", "outage", "surge")
BANNER = "Simulated fleet, nothing leaves this machine.  ? keys   : commands   q quit"
HISTORY_READY = "history"
ENGINE_READY = "engine"
STOP_DEADLINE_S = 20.0
MAX_ERROR_CHARS = 2_000
MAX_RUN_S = 24 * 3_600.0


class Duration(click.ParamType[float]):
    """``30s``, ``2m``, ``500ms``."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds."""
        lasts_ms = span_ms(str(value))
        if lasts_ms is None:
            self.fail(f"{value!r} is not a time like 30s, 2m or 500ms", param, ctx)
        seconds = lasts_ms / 1_000
        if not 0 < seconds <= MAX_RUN_S:
            self.fail(f"{value!r} is not between 1ms and 24h", param, ctx)
        return seconds


@click.command()
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True)
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 100),
    default=1.0,
    show_default=True,
    help="Speed-up of the agents and of the scenario.",
)
@click.option(
    "--scenario",
    type=OneOf(SCENARIOS),
    default="default",
    show_default=True,
    help="default: an agent fails; outage: a region is lost; surge: load spikes.",
)
@click.option("--headless", is_flag=True, help="Run without a screen and print a summary.")
@click.option(
    "--for",
    "for_s",
    type=Duration(),
    default="30s",
    show_default=True,
    help="With --headless: how long to run.",
)
@click.option("--json", "as_json", is_flag=True, help="With --headless: print one JSON document.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --headless: write the recording to this file.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing recording.")
@screen_options
def demo_command(
    seed: int,
    speed: float,
    scenario: str,
    headless: bool,
    for_s: float,
    as_json: bool,
    output: Path | None,
    force: bool,
    screen: Screen,
) -> int:
    """Run a fleet of 20 simulated agents behind a real SSH server on this machine.

    The fleet starts with half an hour of history. No traffic leaves this machine, and the demo
    removes its files when it ends.
    """
    if as_json and not headless:
        raise UsageError("--json goes with --headless")
    if math.isnan(speed):  # which lies in every range
        raise UsageError("--speed nan is not a number from 0.1 to 100")
    if output is not None and not headless:
        raise UsageError("-o goes with --headless", hint="`fleet-tui export` writes one too")
    name = time.strftime("demo-%Y%m%d-%H%M%S") + f"-{os.getpid()}.fleetrec"
    if headless:
        path = recording_target(output, name, force=force)
    else:
        need_terminal()
    with _playing(seed, speed, scenario) as (fleet, words):
        if headless:
            _expect(words, HISTORY_READY)
            _expect(words, ENGINE_READY)
            return _run_headless(fleet, for_s, seed, scenario, path, as_json)

        prepare(screen)  # while the other process writes the history: both take about equally long

        from fleet_tui.feed.attached import AttachedFeed
        from fleet_tui.feed.feed import Mode

        feed = AttachedFeed(
            fleet.directory,
            by=operator(),
            mode=Mode.DEMO,
            starting=True,
            ledger_ready=lambda: _history_written(words),
        )
        return show(feed, screen, banner=BANNER, directory=fleet.directory)


@contextmanager
def _playing(seed: int, speed: float, scenario: str) -> Iterator[tuple[Fleet, IO[str]]]:
    """The demo's own process and the directory that it makes; both are removed afterwards. The
    process also ends by itself when this one does, because its standard input ends then.
    """
    root = private_dir(state_root())
    options = {"root": str(root), "seed": seed, "speed": speed, "scenario": scenario}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            # -P: a module in the working directory is not ours.
            [
                sys.executable,
                "-P",
                "-m",
                "fleet_tui.sim.demo.process",
                msgspec.json.encode(options).decode(),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            env=children.with_our_settings(),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        directory: Path | None = None
        try:
            said = process.stdout.readline().strip()
            if not said:
                raise _NeverReady
            directory = Path(said)
            yield Fleet("demo", None, directory), process.stdout
        except _NeverReady:
            process.wait(STOP_DEADLINE_S)
            errors.seek(0)
            words = errors.read().decode(errors="replace").strip()
            raise FleetError("the demo did not start", hint=words[-MAX_ERROR_CHARS:]) from None
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
            if directory is not None and directory.parent == root:
                # It does this itself, unless it was killed.
                shutil.rmtree(directory, ignore_errors=True)


class _NeverReady(Exception):
    """The demo's process ended before it reported ready."""


def _history_written(words: IO[str]) -> None:
    """Block until the history is written; the screen's frames are drawn meanwhile."""
    try:
        _expect(words, HISTORY_READY)
    except _NeverReady:
        raise FleetError("the demo's fleet did not start", hint="q leaves") from None


def _expect(words: IO[str], word: str) -> None:
    if words.readline().strip() != word:
        raise _NeverReady


def _run_headless(
    fleet: Fleet, for_s: float, seed: int, scenario: str, path: Path, as_json: bool
) -> int:
    from fleet_tui.base.redact import redact
    from fleet_tui.journal.ledger.reader import JournalReader
    from fleet_tui.journal.recordings.recording import export

    time.sleep(for_s)
    accepted(ask_engine(fleet, [StopEngine(reason="the demo is over")])[0])
    reader = JournalReader(fleet.directory)
    try:
        state = _settled(reader)
    finally:
        reader.close()
    export(fleet.directory, path, redact=redact)
    agents, tasks, decisions = _agents(state), _tasks(state), state.totals.decisions
    if as_json:
        emit_json(
            "demo",
            seed=seed,
            scenario=scenario,
            agents=agents,
            tasks=tasks,
            decisions=decisions,
            events=state.seq,
            recording=str(path),
        )
    else:
        became = ", ".join(f"{n} {word}" for word, n in tasks.items())
        say(f"agents: {agents['up']} of {agents['total']} up")
        say(f"tasks: {became}; {decisions} decisions")
        say(f"recording: {path}  (fleet-tui review {path})")
    return 0


def _settled(reader: "JournalReader") -> FleetState:
    """The state after the engine has recorded that it stopped."""
    deadline = time.monotonic() + STOP_DEADLINE_S
    while True:
        state = reader.load()
        if state.engine.stopped_at_ms is not None or time.monotonic() > deadline:
            return state
        time.sleep(0.05)


def _agents(state: FleetState) -> dict[str, int]:
    return {
        "total": len(state.agents),
        "up": sum(a.health.takes_work for a in state.agents.values()),
    }


def _tasks(state: FleetState) -> dict[str, int]:
    open_tasks = state.open_tasks.values()
    held = sum(
        t.phase is TaskPhase.NEEDS_OPERATOR or (t.pending is not None and t.pending.code.is_held)
        for t in open_tasks
    )
    waiting = sum(t.phase is TaskPhase.WAITING for t in open_tasks)
    held_waiting = sum(t.pending is not None and t.pending.code.is_held for t in open_tasks)
    totals = state.totals
    return {
        "submitted": totals.submitted,
        "succeeded": totals.succeeded,
        "failed": totals.failed + totals.expired,
        "cancelled": totals.cancelled,
        "held": held,
        "waiting": waiting - held_waiting,
        "running": sum(t.phase is TaskPhase.ACTIVE for t in open_tasks),
    }
