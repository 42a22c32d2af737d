"""Shared by commands: finding the fleet, writing output, talking to the engine."""

import math
import os
import pwd
import re
import stat
import struct
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import wraps
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
import msgspec

from fleet_tui.base import interrupt
from fleet_tui.base.errors import CommandRefused, FleetError, Unreachable, UsageError
from fleet_tui.base.paths import fleet_dir, socket_path
from fleet_tui.base.redact import redact
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import Impact
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.quantities import instant_ms
from fleet_tui.core.text.redaction import named_without_secrets, shown_names
from fleet_tui.core.text.untrusted import Untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_tui.core.engine.protocol import Welcome
    from fleet_tui.core.ids import Seq
    from fleet_tui.journal.ledger.reader import JournalReader

DEFAULT_FILE = "fleet.yaml"
RECORDING_SUFFIX = ".fleetrec"
GZIP_MAGIC = b"\x1f\x8b"
PAGE_EVENTS = 2_000
FLEET_VARIABLE = "FLEET_TUI_FLEET"
TASKS_HINT = "a task is named by its label (t-42), number (42) or id; `fleet-tui tasks` lists them"
MIN_PAUSE_S = 0.2
MAX_PAUSE_S = 86_400.0

_NOT_ASCII = re.compile(r"[^\x20-\x7e\n]")
_NO_CHARACTER = re.compile("[\ud800-\udfff]")
"""Python's representation of bytes that are not text, as in file names."""

T = TypeVar("T")


class Fleet(NamedTuple):
    """The fleet of a command."""

    name: str
    file: Path | None
    """None when the fleet was given by its name."""
    directory: Path
    """Its state directory."""
    recorded: bool = False
    """Whether it is a recording, which is read-only and whose time does not advance."""

    def now_ms(self, state: FleetState) -> int:
        """The instant to which ages refer: now, or the end of a recording."""
        return state.at_ms if self.recorded else time.time_ns() // 1_000_000


def find_fleet(text: str | None) -> Fleet:
    """The fleet meant by FLEET: a fleet file, or the name of a fleet that ran here before. Raises
    UsageError when it is neither or a recording, InvalidConfig for a file that cannot be read."""
    from fleet_tui.config.values import NAME_PATTERN

    text = text or os.environ.get(FLEET_VARIABLE)
    if recording_named(text) is not None:
        raise UsageError(
            f"{safe_line(str(text), 200)} is a recording; nothing can be done to it",
            hint="status, agents, tasks, routes, why, logs, diff, dead, review and verify take one",
        )
    if text is None:
        text = DEFAULT_FILE
        if not Path(text).exists():
            raise UsageError(
                f"there is no {DEFAULT_FILE} here and no fleet was named",
                hint="`fleet-tui init` writes one, `fleet-tui demo` needs none",
            )
    path = Path(text)
    try:
        is_file, is_there = path.is_file(), path.exists()
    except OSError as error:
        raise UsageError(f"{safe_line(text, 200)}: {error.strerror}") from None
    if is_file:
        from fleet_tui.config.peek import fleet_name

        name = fleet_name(path, os.environ)
        return Fleet(name, path.resolve(), fleet_dir(name))
    if re.fullmatch(NAME_PATTERN, text.lower()) and fleet_dir(text).is_dir():
        return Fleet(text, None, fleet_dir(text))
    if is_there:
        kind = "a directory" if path.is_dir() else "no regular file"
        raise UsageError(f"{text!r} is {kind}", hint="give the path of a fleet file")
    raise UsageError(
        f"{text!r} is neither a fleet file nor the name of a fleet that has run here",
        hint="give the path of a fleet file",
    )


def recording_named(text: str | None, *, any_file: bool = False) -> Path | None:
    """The recording that the operator means: a file with the name or content of one, or with
    ``any_file`` every file that is not named like a fleet file. None for everything else. Raises
    UsageError for the name of a recording where there is no file."""
    text = text or os.environ.get(FLEET_VARIABLE)
    if text is None:
        return None
    path, shown = Path(text), safe_line(text, 200)
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{shown}: {reason}") from None
    if found is not None and stat.S_ISREG(found.st_mode):
        if path.suffix in (".yaml", ".yml"):
            return None
        with path.open("rb") as file:
            begins = file.read(len(GZIP_MAGIC))
        is_one = any_file or path.suffix == RECORDING_SUFFIX or begins == GZIP_MAGIC
        return path if is_one else None
    if path.suffix != RECORDING_SUFFIX:
        return None
    if found is None:
        raise UsageError(f"there is no recording {shown}")
    kind = "a directory" if stat.S_ISDIR(found.st_mode) else "no regular file"
    raise UsageError(f"{shown} is {kind}, and no recording")


def fleet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``-f/--fleet FLEET``."""
    return click.option(
        "-f",
        "--fleet",
        "fleet_text",
        metavar="FLEET",
        help=f"Fleet file or name; default ${FLEET_VARIABLE} or ./{DEFAULT_FILE}.",
    )(command)


def fleet_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """``[FLEET]``, or ``-f/--fleet FLEET`` as everywhere: one ``fleet_text`` in either case."""

    @wraps(command)
    def with_fleet(*args: Any, fleet: str | None, fleet_text: str | None, **others: Any) -> Any:
        return command(*args, fleet_text=fleet or fleet_text, **others)

    return click.argument("fleet", required=False)(fleet_option(with_fleet))


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


class Seconds(click.ParamType[float]):
    """A pause between two refreshes."""

    name = "seconds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds; also refuses ``nan``, which every comparison lets pass."""
        try:
            seconds = float(str(value))
        except ValueError:
            seconds = math.nan
        if not MIN_PAUSE_S <= seconds <= MAX_PAUSE_S:
            limits = f"{MIN_PAUSE_S:g} to {MAX_PAUSE_S:g}"
            self.fail(f"{value!r} is not a number of seconds from {limits}", param, ctx)
        return seconds


def watch_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--watch SECONDS``."""
    return click.option(
        "--watch",
        "again_s",
        type=Seconds(),
        metavar="SECONDS",
        help="Repeat every SECONDS until ctrl+c.",
    )(command)


def engine_now(fleet: Fleet) -> "Welcome | None":
    """The mode reported by the fleet's engine; None when none answers."""
    if fleet.recorded:
        return None
    from fleet_tui.feed.greeting import greet

    return greet(socket_path(fleet.directory), operator())


@contextmanager
def ledger_of(fleet: Fleet, *, until: "Seq | None" = None) -> "Iterator[JournalReader]":
    """The fleet's ledger, read-only, up to the last event that can be trusted. Raises Unreachable
    when it never ran here."""
    from fleet_tui.journal.errors import JournalMissing
    from fleet_tui.journal.ledger.reader import JournalReader

    try:
        reader = JournalReader(fleet.directory, until=until)
    except JournalMissing as error:
        raise Unreachable(
            f"fleet {fleet.name} has no ledger yet", hint="`fleet-tui open` starts its engine"
        ) from error
    try:
        yield reader
    finally:
        reader.close()


def latest(ledger: "JournalReader", state: FleetState) -> FleetState:
    """The state after the events committed since."""
    from fleet_tui.core.ledger.fold import fold

    while batch := ledger.read(state.seq, PAGE_EVENTS):
        state = fold(state, batch)
    return state


def find_task(ledger: "JournalReader", state: FleetState, text: str) -> Task | None:
    """The task that the operator means, even when the state has forgotten it; None when there is
    none in the ledger."""
    return state.find_task(text) or ledger.find_task(text, until=state.seq)


def task_named(ledger: "JournalReader", state: FleetState, text: str) -> Task:
    """Like :func:`find_task`. Raises UsageError when there is none."""
    task = find_task(ledger, state, text)
    if task is None:
        raise UsageError(f"no task {text} is known", hint=TASKS_HINT)
    return task


@contextmanager
def ending_tidily() -> "Iterator[None]":
    """Let signals that end the process unwind it, so that nothing incomplete is left behind."""
    import signal

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def operator() -> str:
    """The operator's name, for the audit trail."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def ask_engine(
    fleet: Fleet, commands: Sequence[Command], shown: Sequence[Impact | None] = ()
) -> list[Reply]:
    """Send commands to the running engine, in order, each with the impact that was ``shown``.
    Raises Unreachable when none runs."""
    from fleet_tui.feed.client import NO_ENGINE, EngineClient

    async def talk() -> list[Reply]:
        try:
            client = await EngineClient.connect(socket_path(fleet.directory), operator())
        except Unreachable as error:
            raise unreached(fleet, error) from error
        replies: list[Reply] = []
        try:
            for command, impact in zip_longest(commands, shown[: len(commands)]):
                # An engine that left one command without a reply would do so with every other, and
                # each would be waited for as long.
                last = replies[-1] if replies else None
                silent = isinstance(last, Refused) and last.code.is_unanswered
                replies.append(NO_ENGINE if silent else await client.send(command, impact))
        finally:
            await client.close()
        return replies

    return run(talk())


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; errors in the background are reported in one line."""
    import asyncio

    from fleet_tui.base import crash

    async def watched() -> T:
        asyncio.get_running_loop().set_exception_handler(crash.unhandled)
        return await main

    crash.install()
    crash.quiet_stderr()
    try:
        with interrupt.left_to_a_loop():
            return asyncio.run(watched())
    finally:
        main.close()  # an interrupt may have come before it began


def silent_engine(fleet: Fleet) -> str | None:
    """The engine that owns the ledger, in words, for a fleet whose socket does not answer; None
    when none owns it."""
    from fleet_tui.journal.directory import lock_holder

    try:
        return lock_holder(fleet.directory)
    except OSError:
        return None


def was_killed(state: FleetState) -> bool:
    """Whether the last engine ended without recording it, if it has ended."""
    return state.engine.epoch > 0 and state.engine.stopped_at_ms is None


def engine_gone(fleet: Fleet, state: FleetState) -> str:
    """A warning that no engine runs the fleet, so that the state in its ledger may be outdated;
    empty while one runs, and for a recording."""
    if fleet.recorded or engine_now(fleet) is not None or silent_engine(fleet) is not None:
        return ""
    engine = state.engine
    if engine.epoch == 0:
        return "engine: none has run yet"
    now_ms = fleet.now_ms(state)
    if engine.stopped_at_ms is not None:
        ago = words.age(engine.stopped_at_ms, now_ms)
        return f"engine: stopped {ago} ago; this is the last known state"
    ago = words.age(state.at_ms, now_ms)
    return (
        f"engine: none runs; pid {engine.pid} ended unexpectedly after its last event, {ago} "
        "ago; this is the last known state"
    )


def unreached(fleet: Fleet, error: Unreachable) -> Unreachable:
    """The error for an engine that cannot be reached: none runs, or one has lost its socket or
    hangs."""
    holder = silent_engine(fleet)
    if holder is None:
        return error
    path = socket_path(fleet.directory)
    if path.is_dir() and not path.is_symlink():
        remedy = f"{path} is a directory: move it away and the engine recreates its socket"
    else:
        remedy = "the engine recreates a removed socket within seconds"
    return Unreachable(
        f"the engine of {fleet.name} runs and does not answer at its socket: {holder}",
        hint=f"{remedy}; `fleet-tui stop {fleet.name}` ends it, `fleet-tui doctor {fleet.name}` "
        "shows more",
    )


def accepted(reply: Reply) -> Accepted:
    """The reply if the engine accepted the command. Otherwise raises the error of
    :func:`refusal`."""
    if isinstance(reply, Refused):
        raise refusal(reply)
    return reply


def refusal(refused: Refused) -> FleetError:
    """CommandRefused with the engine's text, or Unreachable where it gave none."""
    kind = Unreachable if refused.code.is_unanswered else CommandRefused
    return kind(refused.text, hint=refused.hint)


def emit_json(schema: str, **fields: object) -> None:
    """Print one document; ``schema`` names its format, which is stable: fields are only added. A
    document that loses or changes a field gets the next version, as in ``held/2``; without one it
    is 1."""
    named = schema if "/" in schema else f"{schema}/1"
    click.echo(json_text({"schema": f"fleet-tui/{named}", **fields}, indent=2))


def json_text(value: object, *, indent: int = -1) -> str:
    """A value as JSON in plain ASCII, without secrets. Everything else is escaped: a terminal
    neither acts on nor hides any of it, and it is the same in every locale. Raises TypeError for an
    unknown kind of value."""
    text = msgspec.json.format(msgspec.json.encode(_plain(value)), indent=indent).decode()
    return _NOT_ASCII.sub(_escaped, text)


def _plain(value: object) -> object:
    """The value with remote text as plain strings, as programs that read JSON expect. Submitted
    text is redacted here, though stored unchanged."""
    match value:
        case Untrusted(raw=text):
            return _said(text)
        case str() if type(value) is str:
            return _said(value)
        case msgspec.Struct():
            fields = {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
            config = value.__struct_config__
            if config.tag_field is not None:
                fields = {config.tag_field: config.tag, **fields}
            return fields
        case dict() if not all(isinstance(name, str) for name in value):
            return {name: _plain(inner) for name, inner in value.items()}  # such as priorities
        case dict():
            names = shown_names(value, redact)
            return {
                _whole(name): _plain_named(key, inner)
                for name, (key, inner) in zip(names, value.items(), strict=True)
            }
        case frozenset():
            return sorted(_plain(inner) for inner in value)  # type: ignore[type-var]  # all names
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case (
            None | bool() | int() | float() | Enum()
        ):  # represented in JSON as they are, or by their values
            return value
        case _:  # it might contain text that was not searched for secrets
            raise TypeError(f"no JSON is made of a {type(value).__name__}")


def _plain_named(name: object, value: object) -> object:
    """A value with its name, such as a label's, which may mark it as a secret."""
    if isinstance(name, str) and type(value) is str:
        return _said(named_without_secrets(name, value))
    return _plain(value)


def _said(text: str) -> str:
    return _whole(redact(text))


def _whole(text: str) -> str:
    """A text without lone surrogates, which most readers of JSON refuse."""
    return _NO_CHARACTER.sub(lambda found: safe_line(found[0]), text)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{unit:04x}" for (unit,) in struct.iter_unpack(">H", units))


def say(text: str, *, err: bool = False) -> None:
    """Print one line that may contain an operator's or an agent's text, without secrets."""
    click.echo(safe_line(redact(text)), err=err)


def clock(at_ms: int) -> str:
    """Local time of day."""
    return words.clock(at_ms, offset_minutes(at_ms))


def clock_ms(at_ms: int) -> str:
    """Local time of day with milliseconds."""
    return words.clock_ms(at_ms, offset_minutes(at_ms))


def offset_minutes(at_ms: int) -> int:
    """The offset of local time from UTC at an instant."""
    return time.localtime(at_ms / 1_000).tm_gmtoff // 60


def instant(text: str | None, now_ms: int | None = None) -> int | None:
    """The instant that the operator means, in milliseconds; None for none. Raises UsageError."""
    if text is None:
        return None
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    found = instant_ms(text, now_ms, offset_minutes(now_ms))
    if found is None:
        raise UsageError(f"{text!r} is not a time like 12:04, 12:04:31 or 10m (ago)")
    return found


def emit_table(titles: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """Print left-aligned columns; ``empty`` instead when there are no rows. Cells may contain an
    operator's or an agent's text."""
    table = [list(titles), *([safe_line(redact(cell)) for cell in row] for row in rows)]
    if len(table) == 1:
        click.echo(empty)
        return
    widths = [max(len(row[n]) for row in table) for n in range(len(titles))]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def watched(show: Callable[[], T], every_s: float | None) -> T:
    """Show it: once, or repeatedly until ctrl+c; on a terminal the screen is cleared each time."""
    if every_s is None:
        return show()
    while True:
        if sys.stdout.isatty():
            click.clear()
        show()
        sys.stdout.flush()
        time.sleep(every_s)
