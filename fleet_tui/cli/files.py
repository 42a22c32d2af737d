"""Writes a file for the operator: atomically, and never over another one by accident."""

import os
from pathlib import Path

from fleet_tui.base.errors import CommandRefused, FleetError
from fleet_tui.base.paths import private_dir, sessions_dir


def write_new(target: Path, text: str, *, force: bool) -> None:
    """Write a file in one step. Raises CommandRefused if it exists and ``force`` is not given,
    FleetError if it cannot be written."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            with draft.open("x", encoding="utf-8") as file:
                file.write(text)
            if force:
                os.replace(draft, target)
            else:
                os.link(draft, target)  # unlike a rename, fails if the target exists
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise CommandRefused(
            f"{target} exists", hint="--force replaces it, -o names another"
        ) from None
    except OSError as refused:
        raise FleetError(f"{target} cannot be written: {refused.strerror}") from None


def recording_target(output: Path | None, name: str, *, force: bool) -> Path:
    """The path of a recording: ``output``, or ``name`` among the sessions. Raises CommandRefused if
    it exists and ``force`` is not given, FleetError where there is no directory for it."""
    path = output if output is not None else private_dir(sessions_dir()) / name
    if not path.parent.is_dir():
        raise FleetError(f"{path} cannot be written: there is no directory {path.parent}")
    if path.exists() and not force:
        raise CommandRefused(f"{path} exists", hint="--force replaces it, -o names another")
    return path
