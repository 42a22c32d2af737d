"""Writing a file for the operator: whole or not at all, and never over another one by accident."""

import os
from pathlib import Path

from fleet_tui.errors import FleetError, Refused


def write_new(target: Path, text: str, *, force: bool) -> None:
    """Write a file in one step. Raises Refused if it exists and ``force`` is not given, FleetError
    if it cannot be written."""
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
        raise Refused(f"{target} exists", hint="--force replaces it, -o names another") from None
    except OSError as refused:
        raise FleetError(f"{target} cannot be written: {refused.strerror}") from None
