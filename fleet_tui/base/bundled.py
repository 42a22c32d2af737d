"""Finds the data that comes with the program: ``themes/`` and ``sample_fleets/``.

A built wheel carries them inside the package (``fleet_tui/_data``); a checkout and an editable
install have them at the top of the repository.
"""

from pathlib import Path

from fleet_tui.base.errors import FleetError

_PACKAGE = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """The directory ``themes`` or ``sample_fleets``. Raises FleetError if the install lacks it."""
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FleetError(
        f"this installation has no {name}/ directory",
        hint="install fleet-tui again; the wheel carries it",
    )


def themes() -> Path:
    """The directory of the shipped themes, one YAML file each."""
    return folder("themes")


def sample_fleets() -> Path:
    """The directory of the shipped fleets, one YAML file each."""
    return folder("sample_fleets")


def sample_fleet(name: str) -> Path:
    """The file of a shipped fleet, such as ``demo``. Raises FleetError naming those there are."""
    there = {file.stem: file for file in sorted(sample_fleets().glob("*.yaml"))}
    if name not in there:
        raise FleetError(
            f"no sample fleet is called {name!r}", hint=f"there are {', '.join(there)}"
        )
    return there[name]
