"""Which sessions of attempts a gateway holds, page by page."""

import asyncio
from typing import Any

import pytest

from fleet_tui.core.fleet import OpenClawAgent
from fleet_tui.core.ids import RunId
from fleet_tui.core.text.ulid import new_ulid
from fleet_tui.wire.openclaw.sessions import LIST, LIST_LIMIT, key_of, run_of, session_key
from fleet_tui.wire.port import KeptRuns
from tests.support.fake_gateway import (
    ORDER,
    FakeGateway,
    at_work,
    forbid,
    listing,
    port_to,
    raw_server,
    running,
)

TASK = new_ulid(1_795_201_000_000, bytes(range(10)))


def runs(count: int) -> list[RunId]:
    return [RunId(f"{TASK}.{n}") for n in range(1, count + 1)]


def test_a_session_is_named_after_its_run_and_names_it() -> None:
    run = RunId(f"{TASK}.12")
    key = key_of("Main", run)
    assert key == f"agent:main:fleet:{TASK.lower()}:12"
    assert run_of("main", key) == run_of("Main", key) == run
    assert session_key("main", ORDER) == key_of("main", RunId(ORDER.run_id))


@pytest.mark.parametrize(
    "key",
    [
        "agent:main:main",
        f"agent:other:fleet:{TASK.lower()}:1",
        f"agent:main:fleet:{TASK.lower()}",
        f"agent:main:fleet:{TASK.lower()}:0",
        f"agent:main:fleet:{TASK.lower()}:01",
        f"agent:main:fleet:{TASK.lower()}:1:cron",
        f"agent:main:fleet:{TASK.lower()}:١",
        f"agent:main:fleet:{'x' * 65}:1",
        "agent:main:fleet:a.b:1",
        f"agent:main:telegram:agent:main:fleet:{TASK.lower()}:1",
        "",
    ],
)
def test_any_other_session_is_nobodys_run(key: str) -> None:
    assert run_of("main", key) is None


async def test_sessions_of_attempts_are_told_page_by_page() -> None:
    gateway = FakeGateway()
    ours = runs(2 * LIST_LIMIT + 1)
    keys = [key_of("main", run) for run in ours]
    others = ["agent:main:main", key_of("two", ours[0]), "agent:main:x:agent:main:fleet:"]
    gateway.handlers[LIST] = listing([*others, *keys], at_work=keys[:1])
    told: list[RunId] = []
    async with at_work(gateway) as subject:
        part: KeptRuns | None = KeptRuns((), 0)
        while part is not None and part.following is not None:
            part = await subject.kept(part.following)
            told += part.runs if part is not None else ()
    assert told == ours[1:], "one is at work"
    assert [asked["offset"] for asked in gateway.asked(LIST)] == [0, LIST_LIMIT, 2 * LIST_LIMIT]


async def test_nothing_is_kept_where_sessions_are_to_stay_or_cannot_be_listed() -> None:
    gateway = FakeGateway()
    gateway.handlers[LIST] = listing([key_of("main", run) for run in runs(1)])
    kept = OpenClawAgent(port=1, token="secret:env:UNUSED", keep_sessions=True)
    async with running(gateway) as dial, port_to(dial, kind=kept) as subject:
        assert await subject.kept(0) == KeptRuns(())
    gateway.hello["features"]["methods"].remove(LIST)
    async with at_work(gateway) as subject:
        assert await subject.kept(0) == KeptRuns(())
    assert gateway.asked(LIST) == []


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"sessions": None},
        {"sessions": [{"key": 7}]},
        {"sessions": [], "nextOffset": "7"},
        {"sessions": [{"key": "k", "hasActiveRun": "no"}]},
    ],
)
async def test_an_answer_that_cannot_be_read_tells_nothing(answer: dict[str, Any]) -> None:
    gateway = FakeGateway()
    gateway.handlers[LIST] = lambda _: answer
    async with at_work(gateway) as subject:
        assert await subject.kept(0) is None


async def test_a_gateway_that_refuses_or_is_gone_tells_nothing() -> None:
    gateway = FakeGateway()
    gateway.handlers[LIST] = forbid
    async with at_work(gateway) as subject:
        assert await subject.kept(0) is None
    async with (
        raw_server(lambda _reader, _writer: asyncio.sleep(0)) as dial,
        port_to(dial) as subject,
    ):
        assert await subject.kept(0) is None


@pytest.mark.parametrize("following", [3, 0, -1])
async def test_pages_only_go_on(following: int) -> None:
    """A gateway that says where it was already would be asked for ever."""
    gateway = FakeGateway()
    page = {"sessions": [{"key": key_of("main", runs(1)[0])}], "nextOffset": following}
    gateway.handlers[LIST] = lambda _: page
    async with at_work(gateway) as subject:
        assert await subject.kept(3) == KeptRuns(runs(1))
