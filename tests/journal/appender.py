"""A process that appends until it is killed and notes outside what was acknowledged.

``python -m tests.journal.appender DIRECTORY ACKED_FILE``
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from fleet_tui.journal.ledger.writer import JournalWriter
from tests.journal.stories import note

CALLERS = 6


def now_ms() -> int:
    return int(time.time() * 1000)


async def main(directory: Path, acked: int) -> None:
    writer = await JournalWriter.open(directory, now_ms, "0.1.0", os.getpid())

    async def caller(name: int) -> None:
        number = 0
        while True:
            number += 1
            stored = await writer.append([note(f"{name}-{number}")] * 2, now_ms())
            lines = "".join(f"{one.seq} {name}-{number}\n" for one in stored)
            os.write(acked, lines.encode())

    await asyncio.gather(*(caller(name) for name in range(CALLERS)))


if __name__ == "__main__":
    file = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    asyncio.run(main(Path(sys.argv[1]), file))
