"""``.ci/run`` goes on after a step that fails, and its last line names each that did."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.surroundings import CHECKOUT

STEPS = {
    "lint": "ruff",
    "types": "mypy",
    "layers": "lint-imports",
    "simulated fleets": "fleet_tui.sim",
    "mutants": "tests.mutation",
    "tests": "pytest",
}
"""By what each runs."""

STUB = """#!/bin/sh
case "${0##*/} $*" in *" -m venv "*) mkdir -p .venv/bin && cp tools/* .venv/bin ;; esac
for name in $FAILING; do case " ${0##*/} $* " in *" $name "*) exit 3 ;; esac; done
"""
"""Every program that the run starts: does nothing, or fails as it is told."""


def run(tree: Path, failing: list[str]) -> tuple[int, str]:
    """The status and the last line of a run whose programs are stubs."""
    shutil.copytree(CHECKOUT / ".ci", tree / ".ci")
    shutil.copy(CHECKOUT / "Makefile", tree)
    tools = tree / "tools"
    tools.mkdir()
    for name in ("python3", "pip", "ruff", "mypy", "lint-imports", "pytest", "python", "apt-get"):
        (tools / name).write_text(STUB)
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [tree / ".ci" / "run"],
        env={"PATH": f"{tools}:{os.environ['PATH']}", "FAILING": " ".join(failing)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()[-1].partition(" (")[0]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_is_named_at_the_end(step: str, tmp_path: Path) -> None:
    assert run(tmp_path, [STEPS[step]]) == (1, f"== Done: {step} failed, see above")


def test_all_that_fail_are_named(tmp_path: Path) -> None:
    said = f"== Done: {', '.join(STEPS)} failed, see above"
    assert run(tmp_path, list(STEPS.values())) == (1, said)


def test_all_is_well(tmp_path: Path) -> None:
    assert run(tmp_path, []) == (0, "== Done: all is well")
