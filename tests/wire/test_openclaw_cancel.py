"""Cancels: that a gateway does not take, or whose end its session tells late."""

from typing import Any

import pytest

from fleet_tui.core.tasks.evidence import Definite, Finished, LostReason, Stopped, Unknown
from fleet_tui.wire.openclaw import attempt
from tests.support.fake_gateway import ORDER, FakeGateway, Refuse, Session, at_work


async def test_a_gateway_that_drains_takes_no_cancel_and_its_run_stays_known() -> None:
    gateway = FakeGateway()

    def drains(_params: dict[str, Any]) -> None:
        raise Refuse(code="UNAVAILABLE", details={"reason": "gateway-suspending"})

    gateway.handlers["sessions.abort"] = drains
    async with at_work(gateway) as subject:
        said = await subject.cancel(ORDER)
    assert isinstance(said, Unknown)
    assert said.reason is LostReason.CANNOT_CANCEL


async def test_a_cancel_that_is_refused_for_another_reason_is_unknown() -> None:
    gateway = FakeGateway()

    def refuses(_params: dict[str, Any]) -> None:
        raise Refuse(code="INTERNAL", details={})

    gateway.handlers["sessions.abort"] = refuses
    async with at_work(gateway) as subject:
        said = await subject.cancel(ORDER)
    assert isinstance(said, Unknown)
    assert said.reason is LostReason.REFUSED


def aborting(gateway: FakeGateway, looks: int) -> Session:
    """A gateway whose ledger says at once that a run was aborted, and whose session says so from
    look number ``looks`` on."""
    session = Session(gateway)
    session.exists = True
    session.info = {"status": "running", "hasActiveRun": True}
    session.tasks = [{"runId": ORDER.run_id, "status": "running"}]
    history, looked = session.history, 0

    def abort(_params: dict[str, Any]) -> dict[str, Any]:
        session.tasks = [{"runId": ORDER.run_id, "status": "cancelled"}]
        session.info = {"status": "running", "hasActiveRun": False}
        return {"status": "aborted"}

    def look(params: dict[str, Any]) -> dict[str, Any]:
        nonlocal looked
        looked += 1
        if looked == looks:
            session.info = {"status": "killed", "hasActiveRun": False}
        return history(params)

    gateway.handlers |= {"sessions.abort": abort, "chat.history": look}
    return session


async def test_a_session_that_tells_late_of_an_abort_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "LOOK_AGAIN_S", 0)
    gateway = FakeGateway()
    aborting(gateway, looks=4)
    async with at_work(gateway) as subject:
        assert await subject.cancel(ORDER) == Definite(Stopped())


@pytest.mark.parametrize("told", [True, False])
async def test_where_the_session_never_says_so_the_gateway_itself_is_believed(
    told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "LOOK_AGAIN_S", 0)
    gateway = FakeGateway()
    session = aborting(gateway, looks=1_000)
    if told:
        session.wait = {"status": "timeout", "stopReason": "rpc", "endedAt": 1}
    async with at_work(gateway) as subject:
        said = await subject.cancel(ORDER)
    assert len(gateway.asked("chat.history")) <= attempt.LOOKS_FOR_END + 1
    if told:
        assert said == Definite(Stopped())
    else:
        assert isinstance(said, Unknown)
        assert said.reason is LostReason.NO_TRACE


@pytest.mark.parametrize("reason", ["rpc", "something else"])
async def test_an_abort_that_the_session_calls_a_timeout_is_what_the_gateway_says_of_the_run(
    reason: str,
) -> None:
    """Seen on 2026.5.28: ledger and session tell the two apart only where the run had said
    something."""
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    session.messages = [{"role": "user", "content": "do it"}]
    session.tasks = [{"runId": ORDER.run_id, "status": "timed_out"}]
    ended = {"runId": ORDER.run_id, "status": "timeout", "endedAt": 1, "stopReason": reason}
    gateway.handlers |= {
        "sessions.abort": lambda _: {"status": "aborted"},
        "agent.wait": lambda _: ended,
    }
    async with at_work(gateway) as subject:
        found = await subject.cancel(ORDER)
    assert isinstance(found, Definite)
    if reason == "rpc":
        assert isinstance(found.value, Stopped)
    else:
        assert isinstance(found.value, Finished)
        assert found.value.failure == "timeout"
