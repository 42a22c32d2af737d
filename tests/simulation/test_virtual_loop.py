"""Time that jumps, chance that repeats, and processes that can be killed."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from fleet_tui.sim.virtual.loop import (
    MAX_STEPS_AT_ONE_INSTANT,
    Deadlock,
    Livelock,
    NotVirtual,
    Process,
    VirtualLoop,
)


def run(main: Coroutine[Any, Any, Any], seed: int = 1) -> Any:
    return VirtualLoop(random.Random(seed)).run_to_end(main)


async def order_of(count: int) -> list[int]:
    found: list[int] = []

    async def one(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        found.append(number)

    await asyncio.gather(*(one(n) for n in range(count)))
    return found


def test_time_jumps_and_nobody_waits() -> None:
    async def main() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run(main()) == 86_400


def test_a_seed_decides_who_is_next() -> None:
    orders = {tuple(run(order_of(6), seed)) for seed in range(20)}
    assert len(orders) > 10
    assert run(order_of(6), 3) == run(order_of(6), 3)


def test_a_fair_loop_keeps_the_order() -> None:
    assert VirtualLoop(random.Random(1), fair=True).run_to_end(order_of(6)) == list(range(6))


def test_what_leaves_the_thread_is_refused() -> None:
    async def thread() -> None:
        await asyncio.to_thread(len, "")

    async def socket() -> None:
        await asyncio.open_connection("127.0.0.1", 1)

    for wish in (thread, socket):
        with pytest.raises(NotVirtual):
            run(wish())


def test_waiting_for_nothing_is_a_deadlock() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(main())


def test_waking_each_other_for_ever_is_a_livelock() -> None:
    async def main() -> None:
        for _ in range(MAX_STEPS_AT_ONE_INSTANT * 2):
            await asyncio.sleep(0)

    with pytest.raises(Livelock):
        run(main())


def test_a_killed_process_executes_not_one_more_statement() -> None:
    said: list[str] = []

    async def victim() -> None:
        try:
            said.append("began")
            await asyncio.sleep(10)
            said.append("went on")
        finally:
            said.append("cleaned up")

    async def main() -> list[str]:
        process = Process(loop, "victim")
        process.spawn(victim(), "victim")
        await asyncio.sleep(1)
        process.kill()
        await asyncio.sleep(100)
        return list(said)

    loop = VirtualLoop(random.Random(1))
    assert loop.run_to_end(main()) == ["began"]


def test_a_stopped_process_is_late_with_everything() -> None:
    async def clock() -> float:
        await asyncio.create_task(asyncio.sleep(2))
        return loop.time()

    async def main() -> float:
        process = Process(loop, "sleeper")
        task = process.spawn(clock(), "sleeper")
        await asyncio.sleep(1)
        process.stop()
        await asyncio.sleep(60)
        assert not task.done()
        process.go_on()
        return await task

    loop = VirtualLoop(random.Random(1))
    assert loop.run_to_end(main()) == 61


def test_what_nobody_catches_is_noted() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon([].pop)
        await asyncio.sleep(1)

    loop = VirtualLoop(random.Random(1))
    loop.run_to_end(main())
    assert "IndexError" in loop.problems[0]
