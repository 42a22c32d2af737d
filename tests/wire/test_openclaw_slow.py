"""A gateway that does what it is asked for, and takes its time."""

import pytest

from fleet_tui.core.ids import RunId
from fleet_tui.core.tasks.evidence import Definite, LostReason, Started
from fleet_tui.engine import cadence
from fleet_tui.wire.openclaw import attempt
from fleet_tui.wire.openclaw.connection import Connection, GatewayReply, Lost
from tests.support.fake_gateway import ORDER, FakeGateway, Session, at_work


async def test_a_session_that_takes_twenty_seconds_costs_no_second_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fresh process was seen to take 19 s for it. The gateway answers at once here: what counts
    is until when it would have been waited for."""
    gateway = FakeGateway()
    Session(gateway)
    answers_at_once = Connection.call

    async def takes_long(
        self: Connection, method: str, params: dict[str, object], *, timeout_ms: int
    ) -> GatewayReply:
        if method == "sessions.create" and timeout_ms <= 20_000:
            return Lost(LostReason.TIMEOUT)
        return await answers_at_once(self, method, params, timeout_ms=timeout_ms)

    monkeypatch.setattr(Connection, "call", takes_long)
    async with at_work(gateway) as subject:
        assert await subject.start(ORDER) == Definite(Started(boot_id="boot-1"))
    assert len(gateway.asked("sessions.create")) == len(gateway.asked("agent")) == 1


async def test_what_was_deleted_is_told_although_there_was_no_time_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert attempt.FORGET_FOR_S + attempt.CALL_MS / 1_000 < cadence.COLLECT_DEADLINE_S
    gateway = FakeGateway()
    Session(gateway)
    gateway.handlers["sessions.delete"] = lambda _: {"deleted": True}
    monkeypatch.setattr(attempt, "FORGET_FOR_S", 0.0)
    runs = [RunId(f"01KTASK.{number}") for number in (1, 2, 3)]
    async with at_work(gateway) as subject:
        while runs:
            assert await subject.collect(runs) == runs[:1]
            del runs[0]
    assert len(gateway.asked("sessions.delete")) == 3
