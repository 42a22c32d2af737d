"""What commands share: which fleet is meant, how output is written, talking to the engine."""

import asyncio
import os
import pwd
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
import msgspec

from fleet_tui.core.commands import Accepted, Command, Refused, Reply
from fleet_tui.errors import FleetError, UsageError
from fleet_tui.errors import Refused as RefusedError
from fleet_tui.paths import fleet_dir, socket_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_tui.journal.reader import JournalReader

DEFAULT_FILE = "fleet.yaml"
FLEET_VARIABLE = "FLEET_TUI_FLEET"

T = TypeVar("T")


class Fleet(NamedTuple):
    """The fleet that a command is about."""

    name: str
    file: Path | None
    """None when it was named by its name alone."""
    directory: Path
    """Its state directory."""


def find_fleet(text: str | None) -> Fleet:
    """What the operator means by FLEET: a fleet file, or the name of a fleet that ran here before.
    Raises UsageError when it is neither, InvalidConfig for a file that cannot be read."""
    text = text or os.environ.get(FLEET_VARIABLE)
    if text is None:
        text = DEFAULT_FILE
        if not Path(text).exists():
            raise UsageError(
                f"there is no {DEFAULT_FILE} here and no fleet was named",
                hint="`fleet-tui init` writes one, `fleet-tui demo` needs none",
            )
    path = Path(text)
    if path.is_file():
        from fleet_tui.config.peek import fleet_name

        name = fleet_name(path, os.environ)
        return Fleet(name, path.resolve(), fleet_dir(name))
    if "/" not in text and not text.endswith((".yaml", ".yml")) and fleet_dir(text).is_dir():
        return Fleet(text, None, fleet_dir(text))
    raise UsageError(
        f"{text!r} is neither a fleet file nor a fleet that ran here",
        hint="give the path of a fleet.yaml",
    )


def fleet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``-f/--fleet FLEET``."""
    return click.option(
        "-f",
        "--fleet",
        "fleet_text",
        metavar="FLEET",
        help=f"Fleet file or name; default ${FLEET_VARIABLE} or ./{DEFAULT_FILE}.",
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


@contextmanager
def ledger_of(fleet: Fleet) -> "Iterator[JournalReader]":
    """The fleet's ledger, for looking at. Raises FleetError when it never ran here."""
    from fleet_tui.journal.errors import JournalMissing
    from fleet_tui.journal.reader import JournalReader

    try:
        reader = JournalReader(fleet.directory)
    except JournalMissing as error:
        raise FleetError(
            f"fleet {fleet.name} has no ledger yet", hint="`fleet-tui open` starts its engine"
        ) from error
    try:
        yield reader
    finally:
        reader.close()


def operator() -> str:
    """Who types, for the audit trail."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def ask_engine(fleet: Fleet, commands: Sequence[Command]) -> list[Reply]:
    """Send commands to the running engine, in order. Raises Unreachable when none runs."""
    from fleet_tui.feed.client import EngineClient

    async def talk() -> list[Reply]:
        client = await EngineClient.connect(socket_path(fleet.directory), operator())
        try:
            return [await client.send(command) for command in commands]
        finally:
            await client.close()

    return run(talk())


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return asyncio.run(main)


def accepted(reply: Reply) -> Accepted:
    """The reply if the engine took the command. Raises Refused with the engine's words if not."""
    if isinstance(reply, Refused):
        raise RefusedError(reply.text, hint=reply.hint)
    return reply


def emit_json(schema: str, **fields: object) -> None:
    """Print one document; ``schema`` names its shape and is stable."""
    document = msgspec.json.encode({"schema": f"fleet-tui/{schema}/1", **fields})
    click.echo(msgspec.json.format(document, indent=2).decode())


def emit_table(titles: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Print left-aligned columns; ``empty`` instead when there are no rows."""
    table = [list(titles), *(list(row) for row in rows)]
    if len(table) == 1:
        click.echo(empty)
        return
    widths = [max(len(row[n]) for row in table) for n in range(len(titles))]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def watch(show: Callable[[], object], every_s: float) -> None:
    """Show again and again until ctrl+c; on a terminal the screen is cleared each time."""
    import time

    while True:
        if sys.stdout.isatty():
            click.clear()
        show()
        sys.stdout.flush()
        time.sleep(every_s)
