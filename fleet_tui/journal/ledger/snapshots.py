"""Snapshots: the folded state at some positions, so that opening and seeking are fast.

Only a cache: each holds the ledger's hash at its position, the version whose fold made it and the
digest of its own bytes, and one that does not match is ignored.
"""

import contextlib
import os
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from fleet_tui import __version__
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.journal.directory import create_private, read_there

SNAPSHOT_EVERY = 20_000
"""Events between two snapshots."""

MAX_SNAPSHOTS = 64
MAX_SNAPSHOT_BYTES = 512 * 1024 * 1024
COMPRESSION = 1

_decoder = msgspec.json.Decoder(FleetState)


def snapshot_path(directory: Path, seq: int) -> Path:
    """The path of the snapshot at a position."""
    return directory / f"snapshot-{seq:016d}.json.z"


def snapshot_seqs(directory: Path) -> list[int]:
    """The positions that have a snapshot, in order."""
    names = (path.name[len("snapshot-") : -len(".json.z")] for path in _files(directory))
    return sorted(int(name) for name in names if name.isdecimal())


def write_snapshot(directory: Path, state: FleetState, ledger_hash: bytes) -> None:
    """Store the state at its position and delete the oldest beyond MAX_SNAPSHOTS. Raises
    OSError."""
    content = zlib.compress(msgspec.json.encode(state), COMPRESSION)
    path = snapshot_path(directory, state.seq)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    file = create_private(temporary)
    with os.fdopen(file, "wb") as stream:
        stream.write(ledger_hash + _digest(content) + content)
    temporary.rename(path)
    for old in snapshot_seqs(directory)[:-MAX_SNAPSHOTS]:
        snapshot_path(directory, old).unlink(missing_ok=True)


def read_snapshot(directory: Path, seq: int, ledger_hash: bytes) -> FleetState | None:
    """The state at a position, or None when the snapshot is missing or does not match the
    ledger."""
    with contextlib.suppress(OSError, ValueError, zlib.error):
        content = read_there(snapshot_path(directory, seq))
        told_ledger, told_digest, packed = content[:32], content[32:64], content[64:]
        if told_ledger != ledger_hash or told_digest != _digest(packed):
            return None
        state = _decoder.decode(zlib.decompressobj().decompress(packed, MAX_SNAPSHOT_BYTES))
        return state if state.seq == seq else None
    return None


def newest_snapshot(
    directory: Path, after: int, until: int, hash_at: Callable[[int], bytes | None]
) -> FleetState | None:
    """The newest matching state at a position after ``after`` and not after ``until``."""
    for seq in reversed([seq for seq in snapshot_seqs(directory) if after < seq <= until]):
        ledger_hash = hash_at(seq)
        state = read_snapshot(directory, seq, ledger_hash) if ledger_hash else None
        if state is not None:
            return state
    return None


def _digest(content: bytes) -> bytes:
    return sha256(__version__.encode() + b"\0" + content).digest()


def _files(directory: Path) -> list[Path]:
    return list(directory.glob("snapshot-*.json.z"))
