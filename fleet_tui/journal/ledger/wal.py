"""Finds the commits that a damaged write-ahead log would lose silently.

SQLite reads its log up to the first frame whose checksum is wrong and drops the rest: that is how a
crash in the middle of a commit is undone. A changed byte looks the same to it, and loses every
later commit. The two differ in the frames that follow: each commit is on the disk before the next
one is begun, so a valid frame of a later transaction proves that the bad one was once complete.

Only the last transaction cannot be distinguished from one that was never completed; the head file
has it within a second.

Format: https://www.sqlite.org/fileformat2.html#walformat
"""

import os
import struct
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from fleet_tui.journal.directory import open_there
from fleet_tui.journal.ledger.segments import numbered_files

MAGIC = 0x377F0682
"""Its last bit means that checksums are over big-endian words."""
VERSION = 3_007_000
PAGE_SIZES = frozenset(1 << bits for bits in range(9, 17))
_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_SUMMED = 8
"""Bytes of a frame's header that its checksum covers."""
_WORD = 0xFFFF_FFFF

Sums = tuple[int, int]


class Dropped(NamedTuple):
    """Commits that SQLite would no longer see."""

    segment: Path
    transactions: int
    """At least this many, each of one or more events."""

    @property
    def reason(self) -> str:
        """What is wrong, for people."""
        return f"{self.segment.name}-wal is damaged, and what was committed after that is lost"


def dropped(directory: Path) -> Dropped | None:
    """The commits that the logs of a ledger lost, None when nothing. Only while nothing writes: a
    commit that is being written is not complete yet. Changes nothing. Raises OSError."""
    for _, segment in numbered_files(directory, "events"):
        try:
            with os.fdopen(open_there(segment.with_name(f"{segment.name}-wal")), "rb") as log:
                transactions = _lost_in(log)
        except FileNotFoundError:
            continue
        if transactions:
            return Dropped(segment, transactions)
    return None


def _lost_in(log: BufferedReader) -> int:
    """Transactions after the first bad frame, when one of them proves that it was once complete."""
    head = log.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return 0
    magic, version, page, _, *salts, sum_1, sum_2 = _HEADER.unpack(head)
    order = ">" if magic & 1 else "<"
    before: Sums = (sum_1, sum_2)
    known = magic & ~1 == MAGIC and version == VERSION and page in PAGE_SIZES
    if not known or _sums(order, (0, 0), head[:-_SUMMED]) != before:
        return 1 if log.read(1) else 0  # the header is on the disk before the first frame
    bad = begun_after = proved = False
    lost = 0
    while len(frame := log.read(_FRAME.size + page)) == _FRAME.size + page:
        _, pages_after_commit, salt_1, salt_2, *told = _FRAME.unpack_from(frame)
        ours = [salt_1, salt_2] == salts  # other frames are from before the log was restarted
        sound = ours and _sums(order, before, frame[:_SUMMED] + frame[_FRAME.size :]) == (
            told[0],
            told[1],
        )
        first_bad = not sound and not bad
        bad = bad or not sound
        proved = proved or (bad and sound and begun_after)
        if bad and pages_after_commit and (ours or first_bad):
            lost += 1
            begun_after = True
        before = (told[0], told[1])
    return lost if proved else 0


def _sums(order: str, before: Sums, content: bytes) -> Sums:
    """SQLite's checksum of the content, continued from the previous one."""
    one, two = before
    for first, second in struct.iter_unpack(f"{order}II", content):
        one = (one + first + two) & _WORD
        two = (two + second + one) & _WORD
    return one, two
