"""What a journal does to a disk, each in one thread, so that its system calls have a fixed order.

``python -m tests.journal.scenario DIRECTORY`` runs every scenario in a child of its own below
DIRECTORY and says how each ended; whatever is done to their system calls, this process makes none
of that kind.
"""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fleet_tui.core.ids import Epoch
from fleet_tui.core.ledger.events import Event
from fleet_tui.journal.directory import Home
from fleet_tui.journal.ledger import migrations, segments
from fleet_tui.journal.ledger.chain import Head, link, write_head
from fleet_tui.journal.ledger.codec import encode
from fleet_tui.journal.ledger.opening import Taken, open_segment, take
from fleet_tui.journal.ledger.segments import EventRow
from fleet_tui.journal.ledger.statements import query
from fleet_tui.journal.ledger.transaction import Transaction
from fleet_tui.journal.upkeep import ballast
from fleet_tui.journal.upkeep.backups import back_up
from tests.journal.stories import note

NOW_MS = 1_795_000_000_000
BATCHES = 4
ballast.BYTES = 4_096


def owned(directory: Path) -> tuple[Taken, sqlite3.Connection]:
    """A ledger as the writer has it."""
    taken = take(Home(directory), lambda: NOW_MS, 4711)
    connection = sqlite3.connect(taken.path, isolation_level=None, factory=Transaction)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return taken, connection


def store(connection: sqlite3.Connection, head: Head, epoch: Epoch, texts: list[str]) -> Head:
    """Commit notes as the writer does; each is acknowledged afterwards."""
    rows: list[EventRow] = []
    seq, digest = head
    for text in texts:
        event: Event = note(text)
        kind, v, body, task = encode(event)
        digest = link(digest, seq + 1, NOW_MS, epoch, kind, v, body)
        rows.append((seq + 1, NOW_MS, epoch, kind, v, body, digest, task))
        seq = type(seq)(seq + 1)
    connection.executemany(query("event_insert"), rows)
    return Head(seq, digest)


def acknowledge(directory: Path, texts: list[str]) -> None:
    """Note outside the ledger what was committed."""
    with (directory.parent / f"{directory.name}.acked").open("ab", buffering=0) as file:
        file.write("".join(f"{text}\n" for text in texts).encode())


def appending(directory: Path) -> None:
    """Begin a ledger, commit, keep the head, and checkpoint at the end."""
    taken, connection = owned(directory)
    head = taken.head
    with closing(connection):
        for number in range(BATCHES):
            texts = [f"{number}-{n}" for n in range(3)]
            head = store(connection, head, taken.epoch, texts)
            acknowledge(directory, texts)
            write_head(directory, head)


def rolling(directory: Path) -> None:
    """Seal a segment and begin the next one, twice."""
    taken, connection = owned(directory)
    head, state = taken.head, taken.state
    for number in range(2):
        with closing(connection):
            texts = [f"{number}"]
            head = store(connection, head, taken.epoch, texts)
            acknowledge(directory, texts)
            connection.execute(query("segment_seal"), {"epoch": taken.epoch})
        path, head, _ = open_segment(directory, head, state, NOW_MS, taken.epoch)
        connection = sqlite3.connect(path, isolation_level=None, factory=Transaction)
    connection.close()
    taken.lock.release()


def backing_up(directory: Path) -> None:
    """Copy a ledger that somebody else has open."""
    taken, connection = owned(directory)
    with closing(connection):
        texts = [str(n) for n in range(20)]
        head = store(connection, taken.head, taken.epoch, texts)
        acknowledge(directory, texts)
        write_head(directory, head)
        back_up(directory, directory.parent / f"{directory.name}.backup")


NEXT_FORMAT = {
    1: (
        "ALTER TABLE events ADD COLUMN length INTEGER",
        "UPDATE events SET length = length(body)",
        "CREATE INDEX events_by_length ON events (length)",
    )
}
"""A format that does not exist, to prove what a later one will rely on."""


@contextmanager
def knowing_the_next_format() -> Iterator[None]:
    """As a later version of the program."""
    before = segments.FORMAT, migrations.STEPS
    segments.FORMAT, migrations.STEPS = 2, NEXT_FORMAT
    try:
        yield
    finally:
        segments.FORMAT, migrations.STEPS = before


def migrating(directory: Path) -> None:
    """A later version takes over a ledger of two segments."""
    rolling(directory)
    with knowing_the_next_format():
        taken, connection = owned(directory)
        with closing(connection):
            store(connection, taken.head, taken.epoch, ["last"])
        acknowledge(directory, ["last"])


SCENARIOS: dict[str, Callable[[Path], None]] = {
    "appending": appending,
    "rolling": rolling,
    "backing-up": backing_up,
    "migrating": migrating,
}


def main(base: Path) -> None:
    for name, scenario in SCENARIOS.items():
        child = os.fork()
        if child == 0:
            try:
                scenario(base / name)
            except Exception as error:  # what a refusing disk does to it
                os.write(1, f"{name} raised {type(error).__name__}: {error}\n".encode())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        os.write(1, f"{name} ended {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
