"""What a run said is there a moment after its gateway calls it done, or never."""

from typing import Any

import pytest

from fleet_tui.core.tasks.evidence import Definite, Finished
from fleet_tui.wire.openclaw import attempt
from fleet_tui.wire.openclaw.transcript import NO_WORDS, ended_without_words
from fleet_tui.wire.port import Inspection
from tests.support.fake_gateway import ORDER, FakeGateway, Session, at_work

SAID = [{"role": "user", "content": "do it"}, {"role": "assistant", "content": "done it"}]


def has_said(found: Inspection) -> bool:
    """Whether a run is told as ended, with what it said."""
    assert isinstance(found, Definite)
    assert isinstance(found.value, Finished)
    return found.value.ok and found.value.answer.text.raw == "done it"


async def test_fencing_a_finished_run_keeps_its_result() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    session.info = {"status": "done"}
    session.messages = SAID
    async with at_work(gateway) as subject:
        assert has_said(await subject.fence(ORDER))
    assert gateway.asked("sessions.delete") == []


@pytest.mark.parametrize("verb", ["inspect", "fence", "cancel"])
async def test_a_turn_that_is_done_is_told_with_the_words_that_come_a_moment_later(
    monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Seen on 2026.9.6 after a restart: the session says that it is done, and holds no answer."""
    monkeypatch.setattr(attempt, "LOOK_AGAIN_S", 0)
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    session.info, session.messages = {"status": "done"}, SAID[:1]
    told = gateway.handlers["chat.history"]

    def history(params: dict[str, Any]) -> dict[str, Any]:
        if len(gateway.asked("chat.history")) > 2:
            session.messages = SAID
        found: dict[str, Any] = told(params)
        return found

    gateway.handlers["chat.history"] = history
    async with at_work(gateway) as subject:
        assert has_said(await getattr(subject, verb)(ORDER))
    assert gateway.asked("sessions.delete") == []


async def test_a_turn_whose_words_never_come_has_ended_and_its_answer_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "LOOK_AGAIN_S", 0)
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    session.info = {"status": "done"}
    async with at_work(gateway) as subject:
        assert await subject.inspect(ORDER) == Definite(ended_without_words(NO_WORDS))
    assert len(gateway.asked("chat.history")) == attempt.LOOKS_FOR_WORDS
