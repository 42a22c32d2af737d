"""Worlds in virtual time: all promises hold, and a simulator with a hole would be noticed."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.tasks.events import TaskEnded
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.sim.__main__ import main, read_seeds
from fleet_tui.sim.gateway.releases import NEWEST, RELEASES
from fleet_tui.sim.virtual.draw import draw
from fleet_tui.sim.virtual.life import WorldOutcome, play
from fleet_tui.sim.virtual.mutants import MUTANTS, planted
from fleet_tui.sim.virtual.runner import Report, hunt, record, search
from tests.support.pty_harness import PtyProgram

ROOT = Path(__file__).parents[2]
SEEDS_FILE = Path(__file__).with_name("seeds.txt")
SHOWN_FILE = Path(__file__).with_name("shown.txt")

SEEDS = 150
"""Every planted bug is caught within as many."""
WORLDS = 50
"""Those that the tests play; ``.ci/run`` plays these and 950 more."""
PIECE = 50

OLD = [release for release in RELEASES if release is not NEWEST]

BROKEN, HARD = "lost-is-ok", "no-brake"
"""A planted bug that almost every world shows, and one that few do."""


@cache
def first_seed_of(name: str) -> int:
    (caught,) = hunt([name], range(1, SEEDS + 1)).mutants
    assert caught.first_seed is not None, f"{name} survived {SEEDS} worlds"
    return caught.first_seed


def shown_by() -> list[tuple[str, int]]:
    """Planted bugs, and a world that showed each of them."""
    lines = SHOWN_FILE.read_text(encoding="utf-8").splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return [(name, int(seed)) for name, seed in pairs]


def kept_seeds() -> list[int]:
    lines = SEEDS_FILE.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def wrong(report: Report) -> list[str]:
    return [f"seed {v.seed}: {v.invariant}: {v.text}" for v in report.violations]


@pytest.mark.parametrize("first", range(1, WORLDS, PIECE))
def test_every_promise_holds_in_every_world(first: int) -> None:
    assert wrong(search(range(first, first + PIECE))) == []


def test_seeds_that_once_failed_never_do_again() -> None:
    assert wrong(search(kept_seeds())) == []


@pytest.mark.parametrize("name", [mutant.name for mutant in MUTANTS])
def test_every_planted_bug_still_finds_its_place(name: str) -> None:
    """One that is planted as text raises when that text is not there any more."""
    with planted(name):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("name", [mutant.name for mutant in MUTANTS])
def test_every_planted_bug_is_caught(name: str) -> None:
    shown = [seed for known, seed in shown_by() if known == name and seed <= SEEDS]
    (caught,) = hunt([name], shown).mutants
    assert caught.first_seed is not None or first_seed_of(name)


def test_a_planted_bug_leaves_nothing_behind() -> None:
    seed = first_seed_of(BROKEN)
    before = play(seed)
    with planted(BROKEN):
        assert play(seed).violations
    assert play(seed) == before


def printed(hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation.worlds", "2", "3", "226"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_seed_decides_everything() -> None:
    first = printed("1")
    assert first == printed("2")
    assert len(first.splitlines()) > 300


def happened(outcomes: list[WorldOutcome]) -> set[str]:
    """The first words of everything that happened."""
    return {
        " ".join(words.split()[: 2 if words.startswith("fault") or words[0].isdigit() else 1])
        for outcome in outcomes
        for _, words in outcome.notes
    }


def kinds(rows: tuple[Recorded, ...]) -> set[str]:
    return {type(row.event).__name__ for row in rows}


def test_the_worlds_are_troubled_enough() -> None:
    """What never happens is not tested: all faults strike, and all paths of an attempt are seen."""
    outcomes = [play(seed) for seed in range(1, 101)]
    words = happened(outcomes)
    faults = {fault.kind for seed in range(1, 101) for fault in draw(seed).faults}
    assert {f"fault: {kind}" for kind in faults} <= words
    assert faults >= {"unfit-host", "name-host", "poison-gateway", "kill-gateway", "late-look"}
    worlds = [draw(seed) for seed in range(1, 101)]
    assert {release for world in worlds for release in world.releases.values()} >= set(OLD)
    assert len(faults) > 12
    seen = set().union(*(kinds(outcome.rows) for outcome in outcomes))
    assert seen >= {
        "AttemptCancelling",
        "AttemptDied",
        "AttemptFinished",
        "AttemptGivenUp",
        "AttemptNotStarted",
        "AttemptSeen",
        "AttemptStarted",
        "AttemptStopped",
        "AttemptUnknown",
        "FailoverBraked",
        "TaskDropped",
        "TaskEdited",
        "TaskNeedsOperator",
        "TaskResolved",
        "TaskRetrying",
    }
    rows = [row for outcome in outcomes for row in outcome.rows]
    ends = {row.event.phase for row in rows if isinstance(row.event, TaskEnded)}
    assert ends >= {TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.CANCELLED}


def test_a_broken_world_is_recorded_for_review(short_dir: Path) -> None:
    with planted(BROKEN):
        path = record(play(first_seed_of(BROKEN)), short_dir / "new")
    command = [sys.executable, "-m", "fleet_tui", "review", str(path)]
    with PtyProgram(command, columns=160, rows=45) as program:
        program.wait_for("REVIEW", "x1 paused", "a1")
        program.press("4")
        program.wait_for("VIOLATION")
        program.press("\x11")
        program.watch(20)
        assert program.is_over()
    assert "bug" not in program.text()


def test_seeds_are_read() -> None:
    assert read_seeds("7") == range(7, 8)
    assert read_seeds("1..300") == range(1, 301)
    for wrong_text in ("", "a", "3..1", "1..", "-1", "1..999999999999", "1.5"):
        with pytest.raises(ValueError):
            read_seeds(wrong_text)


def test_one_document_says_what_was_found(tmp_path: Path) -> None:
    folder = str(tmp_path)
    well = CliRunner().invoke(main, ["--seeds", "1..3", "--json", "--recordings", folder])
    assert well.exit_code == 0
    assert json.loads(well.stdout) == {
        "schema": "fleet-tui.sim/1",
        "seeds": 3,
        "violations": [],
        "mutants": [],
    }
    caught = CliRunner().invoke(main, ["--seeds", "1..10", "--mutant", BROKEN, "--json"])
    assert caught.exit_code == 0
    (mutant,) = json.loads(caught.stdout)["mutants"]
    assert mutant["name"] == BROKEN
    assert mutant["first_seed"] == first_seed_of(BROKEN)
    survived = CliRunner().invoke(main, ["--seeds", "1", "--mutant", HARD, "--json"])
    assert survived.exit_code == 1
    assert json.loads(survived.stdout)["mutants"][0]["first_seed"] is None


def test_a_failing_seed_prints_itself_and_how_to_look_at_it(tmp_path: Path) -> None:
    seed = first_seed_of(BROKEN)
    with planted(BROKEN):
        found = CliRunner().invoke(main, ["--seeds", str(seed), "--recordings", str(tmp_path)])
    assert found.exit_code == 1
    assert f"seed {seed}: " in found.stdout
    assert f"fleet-tui review {tmp_path}/seed-{seed}.fleetrec" in found.stdout
    assert (tmp_path / f"seed-{seed}.fleetrec").is_file()


def test_two_processes_find_what_one_finds() -> None:
    assert search(range(1, 61), jobs=2) == search(range(1, 61))
