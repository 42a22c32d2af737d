"""The lines of a compressed file that anybody may have made, within bounds.

A small file can hold any amount: what comes out is counted as it comes, and reading ends where it
is more than a recording can be. At most one line and one block are held at a time.
"""

import time
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from fleet_tui.journal.errors import BadRecording

MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_EXPANDED_BYTES = 2 * 1024 * 1024 * 1024
"""Of all lines together."""
MAX_RECORDS = 10_000_000
MAX_RATIO = 200
"""Bytes that come out of a byte that went in, on the whole. Each line of a recording has a hash,
which does not compress: real ones come to twenty."""
RATIO_COUNTS_FROM = 16 * 1024 * 1024
"""So much may come out of anything: a state or an answer of spaces compresses a thousandfold."""
MAX_SECONDS = 300.0
"""For opening one recording, on whatever machine."""

_READ_BYTES = 64 * 1024
_BLOCK_BYTES = 1024 * 1024
"""Expanded at a time."""
_GZIP = zlib.MAX_WBITS + 16
"""Says to zlib that there is a header and a checksum of gzip around it (RFC 1952)."""

HINT = "`fleet-tui export --since` writes a shorter stretch"


class Cut(Exception):
    """The file ends in the middle of something. The text says in the middle of what."""


class Unpacked:
    """One file being read. Not for sharing."""

    def __init__(
        self, path: Path, *, max_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self.bytes_in = 0
        self.bytes_out = 0
        self.follows = False
        """Whether something stands behind the end of the compressed data; it is not looked at."""
        self._max_bytes = max_bytes
        self._clock = clock
        self._deadline = clock() + MAX_SECONDS

    def lines(self) -> Generator[bytes, None, None]:
        """Whole lines with their end, each at most MAX_LINE_BYTES long. Raises Cut where the rest
        is missing or cannot be read, BadRecording beyond a bound, OSError."""
        held: list[bytes] = []
        held_bytes = 0
        for block in self._blocks():
            parts = block.split(b"\n")
            for part in parts[:-1]:
                held.append(part)
                if held_bytes + len(part) > MAX_LINE_BYTES:
                    raise Cut("a line is too long")
                yield b"".join(held) + b"\n"
                held, held_bytes = [], 0
            held.append(parts[-1])
            held_bytes += len(parts[-1])
            if held_bytes > MAX_LINE_BYTES:
                raise Cut("a line is too long")
        if held_bytes:
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
        unpack = zlib.decompressobj(_GZIP)
        with self.path.open("rb") as file:
            while read := file.read(_READ_BYTES):
                self.bytes_in += len(read)
                while read:
                    try:
                        block = unpack.decompress(read, _BLOCK_BYTES)
                    except zlib.error:
                        raise Cut("it is cut short: 1 incomplete record") from None
                    read = unpack.unconsumed_tail
                    self._count(len(block))
                    if block:
                        yield block
                    if unpack.eof:
                        self.follows = bool(unpack.unused_data or file.read(1))
                        return
        raise Cut("it is cut short: 1 incomplete record")

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
