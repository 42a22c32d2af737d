"""Following the log of a scripted gateway."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.wire.openclaw import logs
from tests.support.fake_gateway import (
    AGENT,
    ORDER,
    FakeGateway,
    Refuse,
    Session,
    at_work,
)


async def test_the_log_is_followed_from_now_on_with_its_gaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "POLL_S", 0)
    monkeypatch.setattr(logs, "RETRY_S", 0)
    gateway = FakeGateway()
    Session(gateway)
    traced = json.dumps({"message": "mine", "traceId": ORDER.trace_id})
    answers: list[Any] = [
        {"cursor": 10, "lines": ["before us"]},
        {"cursor": 20, "lines": [traced, "theirs"]},
        Refuse("UNAVAILABLE"),
        {"cursor": 900, "lines": ["after"], "reset": True, "truncated": True, "skippedBytes": 800},
    ]

    def tail(_params: dict[str, Any]) -> Any:
        answer = answers.pop(0) if answers else {"cursor": 900}
        if isinstance(answer, Refuse):
            raise answer
        return answer

    gateway.handlers["logs.tail"] = tail
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        stream = subject.tail()
        got = [await anext(stream) for _ in range(4)]
    mine, theirs, gap, after = got
    assert isinstance(mine, LogLine)
    assert (mine.text.raw, mine.task, mine.source) == ("mine", ORDER.task_id, AGENT)
    assert isinstance(theirs, LogLine)
    assert (theirs.text.raw, theirs.task) == ("theirs", None)
    assert isinstance(gap, LogGap)
    assert gap.bytes == 800
    assert isinstance(after, LogLine)
    assert [asked.get("cursor") for asked in gateway.asked("logs.tail")[:4]] == [None, 10, 20, 20]


async def test_the_log_survives_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "POLL_S", 0)
    monkeypatch.setattr(logs, "RETRY_S", 0)
    gateway = FakeGateway()
    written = ["one"]
    gateway.handlers["logs.tail"] = lambda asked: {
        "cursor": len(written),
        "lines": written[asked.get("cursor", len(written)) :],
    }
    async with at_work(gateway) as subject:
        stream = subject.tail()
        next_line = asyncio.ensure_future(anext(stream))
        await until(lambda: done(len(gateway.asked("logs.tail")) > 1), bool)
        await gateway.cut()
        written.append("two")
        line = await next_line
    assert isinstance(line, LogLine)
    assert line.text.raw == "two"


@pytest.mark.parametrize("cursor", [10**30, -1])
async def test_a_cursor_that_cannot_be_is_not_taken(
    cursor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "POLL_S", 0)
    monkeypatch.setattr(logs, "RETRY_S", 0)
    gateway = FakeGateway()
    answers: list[dict[str, Any]] = [
        {"cursor": 10},
        {"cursor": cursor, "lines": ["from nowhere"]},
        {"cursor": 20, "lines": ["next"]},
    ]
    gateway.handlers["logs.tail"] = lambda _: answers.pop(0) if answers else {"cursor": 20}
    async with at_work(gateway) as subject:
        line = await anext(subject.tail())
    assert isinstance(line, LogLine)
    assert line.text.raw == "next"
    assert [asked.get("cursor") for asked in gateway.asked("logs.tail")[:3]] == [None, 10, 10]


async def done(value: bool) -> bool:
    return value


async def until(ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Ask until the answer is good; the test's own timeout is the limit."""
    while not good(answer := await ask()):
        await asyncio.sleep(0.001)
    return answer
