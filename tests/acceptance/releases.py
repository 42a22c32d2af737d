"""``python -m tests.acceptance.releases [RELEASE ...]``: try OpenClaw releases on real gateways.

Without a name, all that the README's table has. Installs each (0.65 GB) into the cache of the
tests, boots a gateway of it behind a real sshd, prints its row, and keeps it for the table unless a
trial failed. Afterwards ``python -m tests.support.readme`` writes the table. Takes one to four
minutes a release on two cores. Exit 1 when a trial failed.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.support.openclaw_lab import boot
from tests.support.release_rows import record, recorded
from tests.support.release_trials import has_failed, try_release


def main(releases: list[str]) -> int:
    """Try them one after the other."""
    failed = False
    for release in releases:
        with tempfile.TemporaryDirectory() as directory, boot(Path(directory), release, 1) as lab:
            row = asyncio.run(try_release(lab))
        print("  ".join(f"{name}: {word}" for name, word in row.items()), flush=True)
        if has_failed(row):
            failed = True
        else:
            record(row)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(recorded())))
