"""A gateway that does what it is asked for, and takes its time."""

import pytest

from fleet_tui.core.tasks.evidence import Definite, LostReason, Started
from fleet_tui.wire.openclaw.connection import Connection, Lost, Reply
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
    ) -> Reply:
        if method == "sessions.create" and timeout_ms <= 20_000:
            return Lost(LostReason.TIMEOUT)
        return await answers_at_once(self, method, params, timeout_ms=timeout_ms)

    monkeypatch.setattr(Connection, "call", takes_long)
    async with at_work(gateway) as subject:
        assert await subject.start(ORDER) == Definite(Started(boot_id="boot-1"))
    assert len(gateway.asked("sessions.create")) == len(gateway.asked("agent")) == 1
