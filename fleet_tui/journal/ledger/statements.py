"""The SQL files by name, so that a statement is written, named and described in one place."""

from functools import cache
from importlib.resources import files


@cache
def _named(file: str) -> dict[str, str]:
    text = files("fleet_tui.journal.ledger").joinpath(file).read_text(encoding="utf-8")
    parts = text.split("-- name: ")[1:]
    return {name.strip(): body.strip() for name, _, body in (p.partition("\n") for p in parts)}


def query(name: str) -> str:
    """A statement of ``queries.sql``. Raises KeyError for a name that is not there."""
    return _named("queries.sql")[name].rstrip(";")


def schema(family: str) -> str:
    """The tables of a family: ``events``, ``samples`` or ``logs``."""
    return _named("schema.sql")[family]
