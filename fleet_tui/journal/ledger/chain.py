"""The hash chain that reveals every changed byte of the ledger, and the head file.

SQLite does not notice a flipped bit in a row, and silently drops the rest of a damaged WAL; each
row therefore carries the SHA-256 of itself and of the row before it, and a small file outside the
database records the end of the chain.
"""

import os
import struct
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from fleet_tui.core.ids import NOWHERE, Seq
from fleet_tui.journal.directory import read_there, sync_directory

GENESIS = bytes(32)
"""The hash before the first event of a ledger."""

HEAD_NAME = "head"
MAX_HEAD_BYTES = 200
_FIXED = struct.Struct(">qqqqI")


class ChainRow(NamedTuple):
    """An event as stored in the ledger."""

    seq: int
    at_ms: int
    epoch: int
    kind: str
    v: int
    body: bytes
    hash: bytes


class Head(NamedTuple):
    """A position in the ledger and the chain's hash there."""

    seq: Seq
    hash: bytes


START = Head(NOWHERE, GENESIS)


def link(
    previous: bytes, seq: int, at_ms: int, epoch: int, kind: str, v: int, body: bytes
) -> bytes:
    """The hash of a row: over the hash before it and every column, each with a definite length."""
    name = kind.encode()
    fixed = _FIXED.pack(seq, at_ms, epoch, v, len(name))
    return sha256(b"".join((previous, fixed, name, body))).digest()


def is_next(previous: Head, row: ChainRow) -> bool:
    """Whether the row is exactly the one written after ``previous``."""
    return row.seq == previous.seq + 1 and row.hash == link(previous.hash, *row[:6])


def write_head(directory: Path, head: Head) -> None:
    """Replace the head file so that a crash leaves the old one or the new one. Raises OSError."""
    file, temporary = tempfile.mkstemp(".new", f".{HEAD_NAME}-", directory)  # 0600, a new name
    try:
        os.write(file, f"{head.seq} {head.hash.hex()}\n".encode())
        os.fsync(file)
        os.replace(temporary, directory / HEAD_NAME)
    except OSError:
        os.unlink(temporary)  # the next try creates its own
        raise
    finally:
        os.close(file)
    sync_directory(directory)


def read_head(directory: Path) -> Head | None:
    """The content of the head file; None when there is none. Raises ValueError for invalid
    content."""
    try:
        text = read_there(directory / HEAD_NAME, MAX_HEAD_BYTES).decode("ascii")
    except FileNotFoundError:
        return None
    seq, _, digest = text.strip().partition(" ")
    head = Head(Seq(int(seq)), bytes.fromhex(digest))
    if head.seq < 0 or len(head.hash) != len(GENESIS):
        raise ValueError("not a head")
    return head
