"""What people install: the built wheel, in an environment that has never seen the checkout."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.surroundings import CHECKOUT

DATA = ("themes", "sample_fleets")


def outside(*arguments: str | Path, cwd: Path) -> str:
    """Run a program that cannot see the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without the network, by the build backend that the test extra installs."""
    into = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet")
    outside(*pip, "--no-deps", "--no-build-isolation", "-w", into, CHECKOUT, cwd=into)
    (built,) = into.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the wheel in it; what the wheel depends on it
    borrows from the environment that runs the tests."""
    directory = tmp_path_factory.mktemp("fresh")
    venv.create(directory, with_pip=False)
    (site,) = directory.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    outside(*pip, "--no-deps", "--target", site, wheel, cwd=directory)
    (site / "borrowed.pth").write_text("\n".join(borrowed))
    return directory / "bin" / "python"


def test_the_wheel_carries_the_data_and_nothing_else_of_the_checkout(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in DATA:
        for file in (CHECKOUT / folder).rglob("*"):
            if file.is_file():
                name = file.relative_to(CHECKOUT).as_posix()
                assert f"fleet_tui/_data/{name}" in inside
    for file in (CHECKOUT / "fleet_tui").rglob("*"):
        if file.suffix in {".sql", ".sh", ".tcss", ".typed"} or file.name == "py.typed":
            assert file.relative_to(CHECKOUT).as_posix() in inside
    roots = {name.partition("/")[0] for name in inside}
    assert roots == {"fleet_tui", wheel.name.split("-py3")[0] + ".dist-info"}


def test_what_is_installed_runs(python: Path, tmp_path: Path) -> None:
    said = outside(python, "-m", "fleet_tui", "--version", cwd=tmp_path)
    assert said.startswith("fleet-tui, version ")


def test_what_is_installed_finds_its_data(python: Path, tmp_path: Path) -> None:
    script = (
        "import fleet_tui; from fleet_tui.base import bundled; "
        "print(fleet_tui.__file__, bundled.themes(), bundled.sample_fleet('demo'), sep='\\n')"
    )
    module, themes, demo = (Path(p) for p in outside(python, "-c", script, cwd=tmp_path).split())
    environment = python.parents[1]
    assert module.is_relative_to(environment)
    assert themes.is_relative_to(environment)
    assert {file.name for file in themes.iterdir()} >= {"fleet-dark.yaml", "fleet-light.yaml"}
    assert "ok" in outside(python, "-m", "fleet_tui", "check", demo, cwd=tmp_path)
