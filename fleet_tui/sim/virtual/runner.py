"""Many worlds, on several cores, and what was found in them."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import msgspec

from fleet_tui.sim.virtual.life import WorldOutcome, play
from fleet_tui.sim.virtual.mutants import BY_NAME, planted
from fleet_tui.sim.virtual.recording import write_recording

SCHEMA = "fleet-tui.sim/1"
CHUNK = 25
"""Seeds that one process takes at a time."""
MAX_RECORDINGS = 20
"""Recordings written in one run; the other seeds are named all the same."""

Given = TypeVar("Given")
Result = TypeVar("Result")
Tell = Callable[[int, int], None]
"""Called with the seeds done so far and the violations found so far."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that was broken in a world."""

    seed: int
    invariant: str
    at_ms: int
    """Virtual milliseconds since the world began."""
    text: str
    recording: str | None = None
    """A file that ``fleet-tui review`` opens."""


class Caught(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a planted bug."""

    name: str
    first_seed: int | None
    """The first seed that shows it; None: it survived."""
    invariant: str | None = None
    text: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the simulator."""

    schema: str = SCHEMA
    seeds: int
    violations: tuple[Found, ...] = ()
    mutants: tuple[Caught, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nothing is wrong: with the promises, or with the simulator itself."""
        return not self.violations and all(m.first_seed is not None for m in self.mutants)


def search(
    seeds: Sequence[int], *, jobs: int = 1, recordings: Path | None = None, tell: Tell | None = None
) -> Report:
    """Play every seed. Broken worlds are recorded into ``recordings``, if given. Blocks."""
    found: list[Found] = []
    written: dict[int, str] = {}
    done = 0
    for count, broken in _spread(_play_all, _chunks(seeds), jobs):
        done += count
        for one in broken:
            wanted = recordings is not None and len(written) < MAX_RECORDINGS
            if recordings is not None and wanted and one.seed not in written:
                written[one.seed] = str(record(play(one.seed), recordings))
            found.append(msgspec.structs.replace(one, recording=written.get(one.seed)))
        if tell is not None:
            tell(done, len(found))
    found.sort(key=lambda one: (one.seed, one.at_ms))
    return Report(seeds=len(seeds), violations=tuple(found))


def hunt(
    names: Iterable[str], seeds: Sequence[int], *, jobs: int = 1, tell: Tell | None = None
) -> Report:
    """Plant each bug and play seeds until one shows it. Raises KeyError for an unknown name."""
    wanted = [(BY_NAME[name].name, tuple(seeds)) for name in names]
    caught: list[Caught] = []
    for one in _spread(_hunt_one, wanted, jobs):
        caught.append(one)
        if tell is not None:
            tell(len(caught), sum(c.first_seed is None for c in caught))
    return Report(seeds=len(seeds), mutants=tuple(caught))


def record(outcome: WorldOutcome, folder: Path) -> Path:
    """Write the recording of a world; makes the folder where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_recording(outcome, folder, f"seed-{outcome.seed}")


def _play_all(seeds: Sequence[int]) -> tuple[int, list[Found]]:
    return len(seeds), [found for seed in seeds for found in _found(play(seed))]


def _hunt_one(wanted: tuple[str, Sequence[int]]) -> Caught:
    name, seeds = wanted
    with planted(name):
        for seed in seeds:
            for found in _found(play(seed)):
                return Caught(
                    name=name, first_seed=seed, invariant=found.invariant, text=found.text
                )
    return Caught(name=name, first_seed=None)


def _found(outcome: WorldOutcome) -> list[Found]:
    return [
        Found(seed=outcome.seed, invariant=v.invariant, at_ms=v.at_ms, text=v.text)
        for v in outcome.violations
    ]


def _chunks(seeds: Sequence[int]) -> list[Sequence[int]]:
    return [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]


def _spread(
    work: Callable[[Given], Result], pieces: Sequence[Given], jobs: int
) -> Iterator[Result]:
    """Do all pieces, in their order, in as many processes."""
    jobs = min(jobs, len(pieces), os.cpu_count() or 1)
    if jobs <= 1:
        yield from map(work, pieces)
        return
    # A fresh interpreter each: what a fork would inherit (threads, loops) belongs to somebody else.
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=gc.freeze) as pool:
        yield from pool.map(work, pieces)
