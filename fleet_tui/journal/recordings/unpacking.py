"""Reads the lines of an untrusted compressed file, within bounds.

A small file can expand to any amount: output is counted as it is produced, and reading stops where
it exceeds any possible recording. At most one line and one block are held at a time.
"""

import time
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from fleet_tui.base.files import NotRegular, open_regular
from fleet_tui.journal.errors import BadRecording

MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_EXPANDED_BYTES = 2 * 1024 * 1024 * 1024
"""Of all lines together."""
MAX_RECORDS = 10_000_000
MAX_RATIO = 200
"""Overall expansion ratio. Each line of a recording has a hash, which does not compress: real ones
reach twenty."""
RATIO_COUNTS_FROM = 16 * 1024 * 1024
"""Output up to this size is always allowed: a state or an answer of spaces compresses a
thousandfold."""
MAX_FILE_BYTES = MAX_EXPANDED_BYTES + MAX_EXPANDED_BYTES // 1_000
"""Of the file itself: deflate never enlarges data by more than that."""
MAX_MEMBERS = 50_000
"""Concatenated compressed members of one file."""
MAX_SECONDS = 300.0
"""For opening one recording, on any machine."""

_READ_BYTES = 64 * 1024
_BLOCK_BYTES = 1024 * 1024
"""Expanded at a time."""
MAGIC = b"\x1f\x8b"
"""The beginning of every member."""
_GZIP = zlib.MAX_WBITS + 16
"""Tells zlib to expect the header and checksum of gzip (RFC 1952)."""

HINT = "`fleet-tui export --since` writes a shorter stretch"


class Cut(Exception):
    """The file is truncated. The text states where."""


def open_packed(path: Path) -> BinaryIO:
    """Open a recording for reading. Raises BadRecording for anything but a regular file, and
    OSError."""
    try:
        return open_regular(path)
    except NotRegular:
        raise BadRecording(f"{path} is not a recording: it is no regular file") from None


class Unpacked:
    """One file being read. Not for sharing."""

    def __init__(
        self, path: Path, *, max_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self.bytes_in = 0
        self.bytes_out = 0
        self.follows = False
        """Whether the compressed data is followed by other bytes; they are ignored."""
        self._max_bytes = max_bytes
        self._clock = clock
        self._deadline = clock() + MAX_SECONDS

    def lines(self) -> Generator[bytes, None, None]:
        """Complete lines with their end, each at most MAX_LINE_BYTES long. Raises Cut where the
        rest is missing or unreadable, BadRecording beyond a bound, OSError."""
        begun: list[bytes] = []
        begun_bytes = 0
        for block in self._blocks():
            parts = block.split(b"\n")
            for part in parts[:-1]:
                begun.append(part)
                if begun_bytes + len(part) > MAX_LINE_BYTES:
                    raise Cut("a line is too long")
                yield b"".join(begun) + b"\n"
                begun, begun_bytes = [], 0
            begun.append(parts[-1])
            begun_bytes += len(parts[-1])
            if begun_bytes > MAX_LINE_BYTES:
                raise Cut("a line is too long")
        if begun_bytes:
            raise Cut("it is cut short: 1 incomplete record")

    def check_time(self) -> None:
        """Raises BadRecording when opening it has taken too long."""
        if self._clock() > self._deadline:
            raise BadRecording(
                f"{self.path} is too large to open: after {MAX_SECONDS:.0f} seconds it is not at "
                "its end",
                hint=HINT,
            )

    def _blocks(self) -> Iterator[bytes]:
        """The expanded members of the file, one after the other, as in RFC 1952."""
        with open_packed(self.path) as file:
            rest = self._read(file)
            for _ in range(MAX_MEMBERS):
                before = self.bytes_out
                rest = yield from self._member(file, rest)
                if len(rest) < len(MAGIC):
                    rest += self._read(file)
                if not rest.startswith(MAGIC):
                    is_empty = self.bytes_out == before and before > 0
                    self.follows = bool(rest) or is_empty
                    return
            raise BadRecording(f"{self.path} is not opened: it has more than {MAX_MEMBERS:,} parts")

    def _member(self, file: BinaryIO, read: bytes) -> Generator[bytes, None, bytes]:
        """One member's data; returns the bytes that were read after it."""
        unpack = zlib.decompressobj(_GZIP)
        while read:
            whole = unpack.copy()
            try:
                block = unpack.decompress(read, _BLOCK_BYTES)
            except zlib.error:
                yield self._before_damage(whole, read)
                raise Cut("its compressed data is damaged") from None
            read = unpack.unconsumed_tail
            self._count(len(block))
            if block:
                yield block
            if unpack.eof:
                return unpack.unused_data
            read = read or self._read(file)
        raise Cut("it is cut short: 1 incomplete record")

    def _before_damage(self, unpack: "zlib._Decompress", read: bytes) -> bytes:
        """The output of the bytes before the invalid one, which zlib itself does not return."""
        found = bytearray()
        with suppress(zlib.error):
            for place in range(len(read)):
                left = _BLOCK_BYTES - len(found)
                if left <= 0:
                    break
                found += unpack.decompress(read[place : place + 1], left)
        self._count(len(found))
        return bytes(found)

    def _read(self, file: BinaryIO) -> bytes:
        read = file.read(_READ_BYTES)
        self.bytes_in += len(read)
        return read

    def _count(self, more: int) -> None:
        self.check_time()
        self.bytes_out += more
        if self.bytes_out > self._max_bytes:
            raise BadRecording(
                f"{self.path} is too large to open: more than {self._max_bytes:,} bytes come out "
                "of it",
                hint=HINT,
            )
        if self.bytes_out > RATIO_COUNTS_FROM + MAX_RATIO * self.bytes_in:
            raise BadRecording(
                f"{self.path} is not opened: {self.bytes_in:,} bytes of it become "
                f"{self.bytes_out:,}, more than {MAX_RATIO} times as many"
            )
