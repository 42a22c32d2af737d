"""A fleet file's name alone, for commands that only need to know which fleet is meant."""

from collections.abc import Mapping
from pathlib import Path

from fleet_tui.base.files import read_regular
from fleet_tui.config import values
from fleet_tui.config.expand import expand
from fleet_tui.config.reader import MAX_FILE_BYTES, Scalar, decode, read, step


def fleet_name(path: Path, env: Mapping[str, str]) -> str:
    """The name a fleet file gives, by the same rules as ``load_fleet`` but without its cost.

    The rest of the file is not judged. Raises InvalidFleet if there is no valid name.
    """
    try:
        source = decode(str(path), read_regular(path, MAX_FILE_BYTES + 1))
        root = None if source.errors else read(source)
        found = step(root, "fleet")
        if isinstance(found, Scalar):
            return values.name(expand(found.text, env))
    except (OSError, ValueError):
        pass  # the loader reports the problem, with its place
    from fleet_tui.config.load import load_fleet  # noqa: PLC0415 - pydantic, for messages only

    return load_fleet(path, env).spec.name
