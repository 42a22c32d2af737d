"""Opens a recording in a process of its own, with little memory and small files allowed.

``python -m tests.journal.opener FILE CACHE [NAME=NUMBER ...]`` prints how it ended as JSON. The
names are bounds of the importing modules that are made smaller.
"""

import json
import resource
import sys
from contextlib import closing
from pathlib import Path

from fleet_tui.journal.errors import JournalError
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.recordings import importing, recording, unpacking

MEMORY_BYTES = 1_500 * 1024 * 1024
"""Of address space: the program itself, and what opening a recording may take."""
FILE_BYTES = 512 * 1024 * 1024


def main() -> None:
    path, cache, *bounds = sys.argv[1:]
    for bound in bounds:
        name, _, number = bound.partition("=")
        for module in (importing, recording, unpacking):
            if hasattr(module, name):
                setattr(module, name, int(number))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    expanded = 0
    count = unpacking.Unpacked._count

    def counted(self: unpacking.Unpacked, more: int) -> None:
        nonlocal expanded
        expanded += more
        count(self, more)

    unpacking.Unpacked._count = counted  # type: ignore[method-assign]  # to see how far it reads
    try:
        opened = importing.import_recording(Path(path), Path(cache))
    except JournalError as error:
        end: dict[str, object] = {"refused": str(error)}
    else:
        with closing(JournalReader(Path(opened.directory))) as reader:
            reader.load()
        end = {"events": opened.events, "lines": opened.lines, "reason": opened.reason}
    end["expanded"] = expanded
    print(json.dumps(end))


if __name__ == "__main__":
    main()
