"""What the type checker says of mutants: one that mypy refuses never reaches anybody."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Set
from pathlib import Path

from tests.mutation.mutants import Made
from tests.support.surroundings import CHECKOUT

NOT_A_KILL = ("redundant-expr", "truthy-bool", "unused-ignore", "untyped-decorator")
"""Reported of the way a mutant is spelled (``x and False``), not of what it does wrong."""


def refused(modules: Iterable[Made], names: Set[str], cache: Path) -> set[str]:
    """Those of the mutants with these names of mutmut's that mypy refuses. One run checks all of
    all modules: each is a function of its own."""
    made = [m for m in modules if names & set(m.name_of_line.values())]
    if not made:
        return set()
    command = [sys.executable, "-m", "mypy", "--output", "json", "--no-warn-unreachable"]
    command += ["--cache-dir", str(cache)]
    for code in NOT_A_KILL:
        command += ["--disable-error-code", code]
    with tempfile.TemporaryDirectory() as scratch:
        for module in made:
            shadow = Path(scratch) / f"{module.module}.py"
            shadow.write_text(_only(names, module), encoding="utf-8")
            command += ["--shadow-file", str(module.file), str(shadow)]
        command += [str(module.file) for module in made]
        said = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert said.returncode in {0, 1}, said.stdout + said.stderr
    found: set[str] = set()
    lines = {module.file: module.name_of_line for module in made}
    for line in said.stdout.splitlines():
        error = json.loads(line)
        name = lines.get((CHECKOUT / error["file"]).resolve(), {}).get(error["line"])
        if name is not None and name in names and error["severity"] == "error":
            found.add(name)
    return found


def _only(names: Set[str], made: Made) -> str:
    """The module with empty lines in place of other mutants, of which nothing needs to be known."""
    lines = made.code.splitlines()
    for line, name in made.name_of_line.items():
        if name not in names:
            lines[line - 1] = ""
    return "\n".join(lines)
