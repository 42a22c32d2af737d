"""Agents that are small shell programs, and the orders and waiting their tests need."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

from fleet_tui.core.ids import Epoch
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.tasks.evidence import (
    Checkpoint,
    Definite,
    Finished,
    Running,
    RunOrder,
    Unknown,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.port import Inspection, Runs

T = TypeVar("T")

TASK = "01J9Z3V8QK5T4R2W1X0Y9A8B7C"


def wall_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def order(
    payload: str = "do it",
    attempt: int = 1,
    *,
    checkpoint: Checkpoint | None = None,
    epoch: int = 0,
    planned_at_ms: int | None = None,
) -> RunOrder:
    """An order for an attempt of one task."""
    return RunOrder(
        run_id=f"{TASK}.{attempt}",
        task_id=TASK,
        attempt=attempt,
        payload=Untrusted(payload),
        label="t-42",
        start_to_close_ms=None,
        checkpoint=checkpoint,
        epoch=Epoch(epoch),
        planned_at_ms=planned_at_ms,
        trace_id=f"{attempt:032x}",
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something the outside world does."""
    while not condition():
        await asyncio.sleep(0.02)


async def answered(ask: Callable[[], Awaitable[Definite[T] | Unknown]]) -> Definite[T]:
    """Ask until there is a definite answer, as an engine does; only for tests where there must be
    one. A busy machine may take longer than one question waits."""
    while isinstance(found := await ask(), Unknown):
        await asyncio.sleep(0.05)
    return found


async def settled(port: Runs, what: RunOrder) -> Inspection:
    """Where a run stands, once that is known."""
    return await answered(lambda: port.inspect(what))


async def finished(port: Runs, what: RunOrder) -> Finished:
    """Follow a run to its end."""
    while isinstance(found := await port.follow(what), Unknown):
        await asyncio.sleep(0.05)
    assert isinstance(found, Definite)
    assert isinstance(found.value, Finished), found
    return found.value


async def over(port: Runs, what: RunOrder) -> Inspection:
    """Where a run stands, once none of its processes is left."""
    while isinstance(found := await settled(port, what), Definite) and isinstance(
        found.value, Running
    ):
        await asyncio.sleep(0.02)
    return found


async def read_log(lines: AsyncIterator[LogLine | LogGap], count: int) -> list[str]:
    """The next ``count`` things a log says; a gap reads ``gap: reason``."""
    said: list[str] = []
    while len(said) < count:
        item = await anext(lines)
        said.append(item.text.raw if isinstance(item, LogLine) else f"gap: {item.reason}")
    return said


def executions(ledger: Path) -> int:
    """How often a program wrote itself into its ledger: one line each."""
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0


__all__ = [
    "aclosing",
    "answered",
    "executions",
    "finished",
    "order",
    "over",
    "read_log",
    "settled",
    "until",
    "wall_ms",
]
