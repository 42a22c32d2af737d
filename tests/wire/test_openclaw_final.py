"""The final answer of a run: what is done while it is waited for, and where it never comes."""

import asyncio
import json
from typing import Any

import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.tasks.evidence import (
    Definite,
    Finished,
    LostReason,
    NotStarted,
    RunOrder,
    Started,
    Unknown,
)
from fleet_tui.wire.openclaw import attempt, connection
from fleet_tui.wire.openclaw.connection import Connection
from fleet_tui.wire.openclaw.host_vitals import LANES, SYSTEM
from fleet_tui.wire.openclaw.port import OpenClawPort
from tests.support.fake_gateway import ORDER, FakeGateway, Refuse, Session, at_work

SAID = [{"role": "assistant", "content": "said in its session"}]


def numbered(number: int) -> RunOrder:
    return RunOrder(
        run_id=f"01KTASK{number}.1",
        task_id=f"01KTASK{number}",
        attempt=1,
        payload=ORDER.payload,
        label="t",
        start_to_close_ms=None,
        trace_id=f"{number:032x}",
    )


def waiting(subject: OpenClawPort) -> int:
    """How many requests wait for an answer on its connection."""
    living = subject._line.open_connection
    assert isinstance(living, Connection)
    return len(living._pending)


@pytest.mark.parametrize("status", ["in_flight", "ok", "timeout", "error"])
async def test_a_run_that_the_gateway_knew_is_followed_by_looking(status: str) -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.final, session.info, session.messages = None, {"status": "done"}, SAID
    gateway.handlers["agent"] = lambda p: {"runId": p["idempotencyKey"], "status": status}
    async with at_work(gateway) as subject:
        assert await subject.start(ORDER) == Definite(Started(boot_id="boot-1", already=True))
        assert waiting(subject) == 0
        outcome = await subject.follow(ORDER)
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.answer.text.raw == "said in its session"


async def test_a_final_answer_that_never_comes_is_not_waited_for_once_the_session_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "LOOK_MEANWHILE_S", 0)
    gateway = FakeGateway()
    session = Session(gateway)
    session.final, session.info = None, {"status": "running"}
    told = gateway.handlers["chat.history"]

    def history(params: dict[str, Any]) -> Any:
        if len(gateway.asked("chat.history")) == 3:
            session.info, session.messages = {"status": "done"}, SAID
        return told(params)

    gateway.handlers["chat.history"] = history
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        outcome = await subject.follow(ORDER)
        assert waiting(subject) == 0
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.answer.text.raw == "said in its session"
    assert len(gateway.asked("chat.history")) == 5, "twice while it is waited for, then once more"


async def test_a_final_answer_that_is_on_its_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "LOOK_MEANWHILE_S", 0)
    gateway = FakeGateway()
    session = Session(gateway)
    session.final, session.info, session.messages = None, {"status": "done"}, SAID
    told = gateway.handlers["chat.history"]
    sending: list[asyncio.Task[None]] = []

    def history(params: dict[str, Any]) -> Any:
        [asked] = [request for request in gateway.requests if request["method"] == "agent"]
        payload = {"status": "ok", "result": {"payloads": [{"text": "said at last"}]}}
        final = {"type": "res", "id": asked["id"], "ok": True, "payload": payload}
        sending.append(asyncio.create_task(gateway.send(json.dumps(final))))
        return told(params)

    gateway.handlers["chat.history"] = history
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        outcome = await subject.follow(ORDER)
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.answer.text.raw == "said at last"


async def test_a_gateway_that_contradicts_itself_is_asked_at_a_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``agent.wait`` says that the run has ended, its session that it runs."""
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists, session.info = True, {"status": "running"}
    session.tasks = [{"runId": ORDER.run_id, "status": "running"}]
    session.wait = {"status": "ok", "endedAt": 1}
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def pause(delay: float) -> None:
        if delay == attempt.LOOK_AGAIN_S:
            pauses.append(delay)
            if len(pauses) == 3:
                session.info, session.tasks, session.messages = {"status": "done"}, [], SAID
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", pause)
    async with at_work(gateway) as subject:
        outcome = await subject.follow(ORDER)
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert (len(pauses), len(gateway.asked("agent.wait"))) == (3, 3)


@pytest.mark.parametrize("question", ["inspect", "cancel", "fence"])
async def test_nobody_waits_for_the_final_answer_of_a_run_whose_end_is_known(question: str) -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.final, session.info, session.messages = None, {"status": "done"}, SAID
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        assert waiting(subject) == 1
        found = await getattr(subject, question)(ORDER)
        assert isinstance(found.value, Finished)
        assert waiting(subject) == 0


async def test_nobody_waits_for_the_final_answer_of_another_run() -> None:
    gateway = FakeGateway()
    Session(gateway)
    gateway.handlers["agent"] = lambda _: {"runId": "01KOTHER.1", "status": "accepted"}
    async with at_work(gateway) as subject:
        assert isinstance(await subject.start(ORDER), Unknown)
        assert waiting(subject) == 0


async def test_the_oldest_of_too_many_runs_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "MAX_TRACES", 2)
    gateway = FakeGateway()
    session = Session(gateway)
    session.final = None
    async with at_work(gateway) as subject:
        await subject.start(numbered(1))
        following = asyncio.create_task(subject.follow(numbered(1)))
        for number in (2, 3):
            await subject.start(numbered(number))
        assert waiting(subject) == 2
        outcome = await following
    assert isinstance(outcome, Unknown)
    assert outcome.reason is LostReason.CANCELLED


async def test_a_connection_on_which_too_much_waits_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "MAX_PENDING", 3)
    gateway = FakeGateway()
    session = Session(gateway)
    session.final = None
    gateway.handlers |= {LANES: lambda _: {}, SYSTEM: lambda _: {}}
    async with at_work(gateway) as subject:
        for number in range(3):
            await subject.start(numbered(number))
        following = asyncio.create_task(subject.follow(numbered(0)))
        refused = await subject.start(numbered(3))
        assert isinstance(refused, Definite)
        assert isinstance(refused.value, NotStarted)
        assert refused.value.reason == LostReason.HUNG.value
        outcome = await following
        assert isinstance(outcome, Unknown)
        assert outcome.reason is LostReason.HUNG
        lost = await subject.lost()
        assert isinstance(lost, ProbeFailure)
        assert lost.kind is FailureKind.GATEWAY_HUNG
        assert isinstance(await subject.probe(), VitalsReading)
        assert isinstance(await subject.start(numbered(4)), Definite)
        assert waiting(subject) == 1


async def test_a_start_that_is_refused_leaves_nothing_that_waits() -> None:
    gateway = FakeGateway()
    Session(gateway)

    def refuse(_params: dict[str, Any]) -> None:
        raise Refuse("UNAVAILABLE")

    gateway.handlers["agent"] = refuse
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        assert waiting(subject) == 0
