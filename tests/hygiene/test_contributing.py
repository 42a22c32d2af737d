"""CONTRIBUTING.md says what is so: every dependency has its reason, every file named is there. What
its recipes name has a test of its own, :mod:`tests.hygiene.test_named`."""

import re
import tomllib
from collections.abc import Iterable

from tests.support.surroundings import CHECKOUT

PAGE = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = ("fleet_tui/", "tests/", ".ci/", "themes/", "sample_fleets/")
LEAST_REASON_CHARS = 12


def chapter(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def names(requirements: Iterable[str]) -> set[str]:
    return {
        re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower() for requirement in requirements
    }


def test_every_dependency_has_its_reason() -> None:
    rows = re.findall(r"^\| `([\w.-]+)` \| (.+) \|$", chapter("Dependencies"), re.MULTILINE)
    reasons = {name.lower(): reason for name, reason in rows}
    extras = [r for extra in PROJECT["optional-dependencies"].values() for r in extra]
    assert set(reasons) == names(PROJECT["dependencies"]) | names(extras)
    assert [name for name, reason in reasons.items() if len(reason) < LEAST_REASON_CHARS] == []


def test_every_file_it_names_is_there() -> None:
    named = {text for text in re.findall(r"`([^`\s]+)`", PAGE) if text.startswith(OURS)}
    assert len(named) > 30
    assert [path for path in sorted(named) if not (CHECKOUT / path).exists()] == []


def test_every_folder_of_the_program_has_its_layer() -> None:
    folders = {f.parent.name for f in (CHECKOUT / "fleet_tui").glob("*/__init__.py")}
    picture = chapter("Layers").split("```", 2)[1]
    line = next(line for line in picture.splitlines() if ">" in line)
    assert set(re.findall(r"\w+", line)) == folders


def test_the_modules_it_runs_are_there() -> None:
    named = re.findall(r"`python -m (tests[\w.]*)", PAGE)
    paths = [CHECKOUT / name.replace(".", "/") for name in named]
    assert paths
    assert [p for p in paths if not (p.with_suffix(".py").is_file() or p.is_dir())] == []


def test_the_make_targets_it_names_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make (\w+)`", PAGE)) <= targets
