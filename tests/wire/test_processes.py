"""Programs are started whole or not at all, at whatever step of asyncio's somebody interrupts.

A pipe that asyncio had not connected yet when the loop ended is closed by the collector of garbage.
"""

import asyncio
import os
from contextlib import suppress

import psutil
import pytest

from fleet_tui.wire import processes

STEPS = range(8)
"""More turns of the loop than a start takes."""
SLEEPS = ("/bin/sh", "-c", "sleep 3600 & sleep 3600")


def left() -> list[str]:
    """What this process started and still runs."""
    found = psutil.Process().children(recursive=True)
    return [
        name
        for child in found
        if child.status() != psutil.STATUS_ZOMBIE and (name := child.name()) in ("sh", "sleep")
    ]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("own_session", [True, False])
@pytest.mark.parametrize("after", STEPS)
async def test_a_start_that_is_cancelled_leaves_nothing(after: int, own_session: bool) -> None:
    command = SLEEPS if own_session else ("/bin/sleep", "3600")
    starting = asyncio.create_task(processes.start(*command, own_session=own_session))
    await turns(after)
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await processes.end(await starting, own_session=own_session)
    assert left() == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("after", STEPS)
def test_a_loop_that_ends_waits_for_no_start(after: int) -> None:
    async def use() -> None:
        process = await processes.start("/bin/sleep", "3600")
        try:
            await process.wait()
        finally:
            await processes.end(process)

    async def main() -> None:
        used = asyncio.create_task(use())
        await turns(after)
        assert not used.done()

    asyncio.run(main())
    assert left() == []


async def test_a_program_has_a_session_of_its_own_unless_it_needs_the_terminal() -> None:
    for own_session in (True, False):
        process = await processes.start("/bin/sleep", "3600", own_session=own_session)
        try:
            assert (os.getsid(process.pid) == process.pid) is own_session
        finally:
            await processes.end(process, own_session=own_session)


async def test_what_cannot_be_started_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        await processes.start("/no/such/program")
