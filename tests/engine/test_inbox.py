"""Everything that can reach the loop, in batches: in its order, and nothing is lost."""

import asyncio

import pytest

from fleet_tui.core.step import FleetFileSeen
from fleet_tui.engine import inbox as module
from fleet_tui.engine.inbox import BATCH_LIMIT, Inbox, Input


@pytest.mark.parametrize("count", [1, BATCH_LIMIT - 1, BATCH_LIMIT, BATCH_LIMIT + 1, 2_000])
async def test_what_does_not_fit_into_a_batch_comes_with_the_next(count: int) -> None:
    inbox = Inbox()
    given: list[Input] = [FleetFileSeen(str(number)) for number in range(count)]
    for item in given:
        await inbox.put(item)
    taken: list[Input] = []
    while len(taken) < count:
        async with asyncio.timeout(5):
            batch = await inbox.take()
        assert 0 < len(batch) <= BATCH_LIMIT
        taken += batch
    assert taken == given
    assert inbox.take_rest() == []


async def test_producers_wait_while_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INBOX_LIMIT", 2)
    inbox = Inbox()
    given: list[Input] = [FleetFileSeen(str(number)) for number in range(3)]
    putting = [asyncio.create_task(inbox.put(item)) for item in given]
    await asyncio.sleep(0)
    assert [task.done() for task in putting] == [True, True, False]
    assert await inbox.take() == given[:2]
    await putting[2]
    assert await inbox.take() == given[2:]
