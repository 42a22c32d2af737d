"""A file of tasks, one JSON object a line: read twice, never as a whole.

The first pass validates every line by the engine's rules, so that nothing is sent if a line is
invalid. The second one makes the commands. Each line has a key of its own, given or made from the
file's digest and the line's number: sending the same file again submits the same tasks.
"""

import hashlib
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

import msgspec

from fleet_tui.base.errors import UsageError
from fleet_tui.cli.written_task import BadTask, WrittenTask, parse_line, spec_of, with_defaults
from fleet_tui.core.engine.protocol import MAX_FRAME_BYTES
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.submission import RoomWanted, submit
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.ulid import ENTROPY_BYTES
from fleet_tui.verbs.submitting import new_task, notice

MAX_LINE_BYTES = MAX_FRAME_BYTES
"""A longer line could not be sent."""

MAX_LINES = 100_000
"""Fewer than the keys that an engine remembers: otherwise the first lines of a larger file that is
sent again would become new tasks."""

MAX_FILE_BYTES = 1024 * 1024 * 1024
MAX_BAD_NAMED = 20
"""Invalid lines listed one by one; their count is always complete."""

_CHUNK_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"

Progress = Callable[[int], None]
"""Called with how many bytes were read since the last call."""


class TaskFile(msgspec.Struct, frozen=True, kw_only=True):
    """The input: a file that can be read again, the start of its lines, and its digest."""

    file: IO[bytes]
    start: int
    size: int
    digest: str
    """SHA-256 of its bytes, hex."""

    def key(self, line: int) -> str:
        """The key of a line without one."""
        return f"file:{self.digest[:32]}:{line}"


class BadLine(msgspec.Struct, frozen=True):
    """An invalid line, and why."""

    line: int
    reason: str


class Seen(msgspec.Struct):
    """The number of lines with a finding, and the first of them."""

    count: int = 0
    first: int = 0

    def add(self, line: int) -> None:
        """One more."""
        self.count += 1
        self.first = self.first or line


class JudgedFile(msgspec.Struct, kw_only=True):
    """The result of the first pass."""

    lines: int = 0
    """Lines that are not blank."""
    known: set[int] = msgspec.field(default_factory=set)
    """Lines whose tasks the engine already has."""
    wanted: RoomWanted = msgspec.field(default_factory=RoomWanted)
    """The capacity in the queue that the others need."""
    bad: set[int] = msgspec.field(default_factory=set)
    reasons: list[BadLine] = msgspec.field(default_factory=list)
    """Of the first MAX_BAD_NAMED."""
    secret: Seen = msgspec.field(default_factory=Seen)
    invisible: Seen = msgspec.field(default_factory=Seen)
    slash: Seen = msgspec.field(default_factory=Seen)

    @property
    def missing(self) -> int:
        """How many tasks are to be sent."""
        return self.lines - len(self.bad) - len(self.known)

    def refuse(self, line: int, reason: str) -> None:
        """Record that this line is invalid."""
        self.bad.add(line)
        if len(self.reasons) < MAX_BAD_NAMED:
            self.reasons.append(BadLine(line, reason))


@contextmanager
def rereadable(file: BinaryIO) -> Iterator[TaskFile]:
    """The file itself if it is a regular one, or a pipe's content in a temporary file. It is read
    once, for its digest. Raises UsageError past MAX_FILE_BYTES."""
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        yield _measured(file, None)
        return
    with tempfile.TemporaryFile(prefix="fleet-tui-") as kept:
        yield _measured(file, kept)


def _measured(file: BinaryIO, kept: IO[bytes] | None) -> TaskFile:
    start = file.tell() if kept is None else 0
    digest = hashlib.sha256()
    size = 0
    while chunk := file.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_FILE_BYTES:
            raise UsageError(
                f"more than {MAX_FILE_BYTES:,} bytes of tasks", hint="split the file into parts"
            )
        digest.update(chunk)
        if kept is not None:
            kept.write(chunk)
    return TaskFile(file=kept or file, start=start, size=size, digest=digest.hexdigest())


def judge(
    tasks: TaskFile, options: WrittenTask, state: FleetState, by: str, progress: Progress
) -> JudgedFile:
    """The first pass. Raises UsageError past MAX_LINES."""
    found = JudgedFile()
    first_use: dict[str, int] = {}
    for line, data in _lines(tasks, progress):
        found.lines += 1
        if found.lines > MAX_LINES:
            raise UsageError(
                f"more than {MAX_LINES:,} tasks in a file", hint="split the file into parts"
            )
        try:
            command = _command(tasks, line, data, options, state)
        except BadTask as error:
            found.refuse(line, str(error))
            continue
        if (before := first_use.setdefault(command.key, line)) != line:
            found.refuse(line, f"key {safe_line(command.key, 80)} is also used on line {before}")
            continue
        decision = submit(state, by, command)
        if isinstance(decision, Refused) and not decision.code.is_full:
            found.refuse(line, " ".join(filter(None, (decision.text, decision.hint))))
            continue
        if isinstance(decision, Decided) and decision.duplicate:
            found.known.add(line)
        else:
            found.wanted.add(command.spec)
        _notice(found, line, command)
    return found


def commands(
    tasks: TaskFile, options: WrittenTask, state: FleetState, judged: JudgedFile
) -> Iterator[tuple[int, Submit]]:
    """The second pass: the commands still to be sent, with their lines. Raises UsageError if the
    file has changed since it was validated."""
    digest = hashlib.sha256()
    for line, data in _lines(tasks, digest=digest):
        if line in judged.bad or line in judged.known:
            continue
        try:
            yield line, _command(tasks, line, data, options, state)
        except BadTask:
            raise _changed() from None
    if digest.hexdigest() != tasks.digest:
        raise _changed()


def _changed() -> UsageError:
    return UsageError(
        "the file was changed while its tasks were submitted",
        hint="check `fleet-tui tasks`; a changed file has other keys, so its tasks are new",
    )


def _command(
    tasks: TaskFile, line: int, data: bytes | None, options: WrittenTask, state: FleetState
) -> Submit:
    if data is None:
        raise BadTask(f"longer than {MAX_LINE_BYTES:,} bytes")
    written = with_defaults(parse_line(data), options)
    spec = spec_of(written, state.fleet.deadlines)
    entropy = secrets.token_bytes(ENTROPY_BYTES)
    return new_task(spec, time.time_ns() // 1_000_000, entropy, written.key or tasks.key(line))


def _notice(found: JudgedFile, line: int, command: Submit) -> None:
    there = notice(command.spec.payload.raw, command.spec.labels)
    for is_there, seen in (
        (there.secrets, found.secret),
        (there.invisible, found.invisible),
        (there.slash, found.slash),
    ):
        if is_there:
            seen.add(line)


def _lines(
    tasks: TaskFile,
    progress: Progress = lambda _: None,
    *,
    digest: "hashlib._Hash | None" = None,
) -> Iterator[tuple[int, bytes | None]]:
    """Number and bytes of every line that is not blank; None for one that is too long."""
    file = tasks.file
    file.seek(tasks.start)
    number = 0
    while data := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        size = len(data)
        if digest is not None:
            digest.update(data)
        line: bytes | None = data.removeprefix(_BOM) if number == 1 else data
        if size > MAX_LINE_BYTES:
            line = None
            while not data.endswith(b"\n") and (data := file.readline(_CHUNK_BYTES)):
                size += len(data)
                if digest is not None:
                    digest.update(data)
        progress(size)
        if line is None or line.strip():
            yield number, line
