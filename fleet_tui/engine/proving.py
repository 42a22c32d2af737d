"""Verifies the whole ledger in the background: a start checks only its newest part.

Thin slices with long pauses instead of a low priority: a thread that waits for its turn while it
holds the interpreter would hold up the loop.
"""

import asyncio
import logging
from pathlib import Path

from fleet_tui.journal.errors import JournalDamaged, JournalFailed
from fleet_tui.journal.ledger.verifying import Verification, next_step, verify_in_steps

log = logging.getLogger(__name__)

FIRST_AFTER_S = 30.0
"""Delay after a start, which has more urgent work."""
EVERY_S = 24 * 3_600.0
AGAIN_S = 300.0
"""Retry interval when the system did not let it be read."""
SHARE = 0.05
"""The share of time spent on it while it runs."""


async def keep_proving(directory: Path) -> None:
    """Verify the ledger soon and then daily, for ever. Raises JournalDamaged, and as verify, except
    for errors of the system: those prove nothing, and it tries again."""
    await asyncio.sleep(FIRST_AFTER_S)
    while True:
        try:
            checked = await proved(directory)
        except (JournalFailed, OSError) as error:
            log.warning("the ledger could not be read for its proof, which is put off: %s", error)
            await asyncio.sleep(AGAIN_S)
            continue
        log.info("the whole ledger was read again: %d events are sound", checked.events)
        await asyncio.sleep(EVERY_S)


async def proved(directory: Path) -> Verification:
    """Verify the ledger once. Raises JournalDamaged when a second read finds damage too: the first
    may have met a passing trouble, such as a lack of file descriptors."""
    checked = await _looked_at(directory)
    if not checked.intact:
        log.warning("the ledger is not intact: %s; looking again", checked.reason)
        checked = await _looked_at(directory)
    if not checked.intact:
        first, last = checked.first_bad_seq or 1, checked.last_bad_seq or 1
        raise JournalDamaged(directory, checked.reason, first, last)
    return checked


async def _looked_at(directory: Path) -> Verification:
    now_s = asyncio.get_running_loop().time
    steps = verify_in_steps(directory)
    while True:
        began_s = now_s()
        checked = await asyncio.to_thread(next_step, steps)
        if checked is not None:
            return checked
        await asyncio.sleep((now_s() - began_s) / SHARE)
