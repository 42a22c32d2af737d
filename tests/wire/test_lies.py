"""Agents and hosts that lie: about which run, about how it ended, about what it cost. None of it
makes a run succeed that did not, and no number is believed that cannot be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet_tui.core.tasks.evidence import (
    MAX_ANSWER_CHARS,
    Definite,
    Finished,
    Running,
    Started,
    Unknown,
    Usage,
)
from fleet_tui.wire.openclaw import attempt
from fleet_tui.wire.programs.wrapper import PROTOCOL, WrapperReply, inspection_of, read_reply
from fleet_tui.wire.shell import Completed
from tests.support.fake_gateway import ORDER, FakeGateway, Session, at_work
from tests.support.programs import finished, order
from tests.support.wrapped import MakePort, make_port

__all__ = ["make_port"]

OTHER = "01KOTHER.1"
HUGE = 10**30

# --- gateways ----------------------------------------------------------------------------------

Lie = Callable[[Session], None]


def _final(final: object) -> Lie:
    def tell(session: Session) -> None:
        session.final = final  # type: ignore[assignment]  # a lie may be anything

    return tell


NO_SUCCESS: dict[str, Lie] = {
    "no status": _final({}),
    "a status nobody knows": _final({"status": "fine"}),
    "a status that is no word": _final({"status": ["ok"]}),
    "true for a status": _final({"status": True}),
    "a result that is an error": _final(
        {"status": "ok", "result": {"payloads": [{"text": "no", "isError": True}]}}
    ),
    "success and an error at once": _final(
        {"status": "error", "result": {"payloads": [{"text": "all done"}]}}
    ),
    "a list": _final(["ok"]),
    "a number": _final(1),
    "another run's success": _final({"runId": OTHER, "status": "ok", "result": {"payloads": []}}),
}
"""What a gateway says in the end, and what must not be taken for success."""


@pytest.mark.parametrize("lie", NO_SUCCESS)
async def test_what_a_gateway_says_that_is_no_success(
    lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "WAIT_MS", 50)
    gateway = FakeGateway()
    session = Session(gateway)
    NO_SUCCESS[lie](session)
    async with at_work(gateway) as subject:
        started = await subject.start(ORDER)
        assert isinstance(started, Definite)
        assert isinstance(started.value, Started)
        found = await subject.follow(ORDER)
    succeeded = isinstance(found, Definite) and isinstance(found.value, Finished) and found.value.ok
    assert not succeeded, found


async def test_a_start_accepted_for_another_run_is_not_ours() -> None:
    gateway = FakeGateway()
    session = Session(gateway)

    def other(_params: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"runId": OTHER, "status": "accepted"}]

    gateway.handlers["agent"] = other
    assert not session.exists
    async with at_work(gateway) as subject:
        found = await subject.start(ORDER)
    assert isinstance(found, Unknown), found


async def test_another_runs_end_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "WAIT_MS", 50)
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    session.wait = {"runId": OTHER, "status": "ok"}
    session.info = {"status": "running"}
    session.messages = [{"role": "user", "content": "do it"}]
    async with at_work(gateway) as subject:
        found = await subject.inspect(ORDER)
    assert not (isinstance(found, Definite) and isinstance(found.value, Finished)), found


@pytest.mark.parametrize(
    "usage",
    [
        {"input": -1, "output": -1},
        {"input": HUGE, "output": HUGE},
        {"input": "many", "output": None},
        {"input": 1.5, "output": [1]},
    ],
)
async def test_impossible_usage_is_none(usage: dict[str, object]) -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    result = {"payloads": [{"text": "done"}], "meta": {"agentMeta": {"usage": usage}}}
    session.final = {"status": "ok", "result": result}
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        found = await subject.follow(ORDER)
    assert isinstance(found, Definite)
    assert isinstance(found.value, Finished)
    told = found.value.usage
    assert told.unusable
    assert found.value.answer.text.raw == "done"
    assert told.cost_microusd is None


# --- programs and their hosts ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "ok", "failure"),
    [
        ("""echo '{"ok": false, "status": "error"}'; exit 0""", True, ""),
        ("""echo '{"ok": true, "status": "ok"}'; exit 1""", False, "exit-1"),
        ("""printf 'state done 0 1 2 x\\nend\\n'; exit 3""", False, "exit-3"),
        ("""echo '0 0 0 x' > "$FLEET_TUI_RUN_DIR/rc.new"; exit 4""", False, "exit-4"),
        ("kill -KILL $$", False, "signal-9"),
    ],
)
async def test_how_a_program_ended_is_its_exit_status_whatever_it_prints(
    make_port: MakePort, script: str, ok: bool, failure: str
) -> None:
    port = make_port("sh", "-c", script)
    await port.probe()
    await port.start(order())
    found = await finished(port, order())
    assert (found.ok, found.failure) == (ok, failure)


@pytest.mark.parametrize(
    "told",
    [
        {"cost_usd": -5},
        {"cost_usd": 1e308},
        {"input_tokens": -1, "cost_usd": 0.1},
        {"input_tokens": HUGE},
        {"input_tokens": "1; rm"},
        [1, 2, 3],
    ],
)
async def test_a_program_that_lies_about_its_cost_cost_nothing_we_know_of(
    make_port: MakePort, told: object, tmp_path: Path
) -> None:
    (tmp_path / "usage").write_text(json.dumps(told))
    port = make_port("sh", "-c", f'cp {tmp_path}/usage "$FLEET_TUI_RUN_DIR/usage.json"')
    await port.probe()
    await port.start(order())
    assert (await finished(port, order())).usage == Usage(unusable=True)


@pytest.mark.slow
async def test_two_hundred_megabytes_are_counted_and_hashed_where_they_are(
    make_port: MakePort,
) -> None:
    size = 200_000_000
    port = make_port("sh", "-c", f"head -c {size} /dev/zero | tr '\\0' x")
    await port.probe()
    await port.start(order())
    found = await finished(port, order())
    assert found.ok
    assert found.answer.truncated
    assert found.answer.size_bytes == size
    assert found.answer.text.raw == "x" * MAX_ANSWER_CHARS


def told_by_host(text: bytes) -> object:
    reply = read_reply(Definite(Completed(exit_status=0, stdout=PROTOCOL + text)))
    return inspection_of(reply) if isinstance(reply, WrapperReply) else reply


@pytest.mark.parametrize(
    "text",
    [
        b"state done\nend\n",
        b"state done 0\nend\n",
        b"state done 0 1 2 3 4 5\nend\n",
        b"state done 0 1 2 abc\n",
        b"state DONE 0 1 0 x\nend\n",
        b"done 0 1 0 x\nend\n",
        b"state done x 1 0 abc\nend\n",
        b"state done -0x0 1 0 abc\nend\n",
        b"state done " + str(HUGE).encode() + b" 1 0 abc\nend\n",
        b"state done 0 1 999 abc\nblob out 999\nshort\nend\n",
    ],
)
def test_a_host_whose_words_are_not_whole_and_plain_said_no_success(text: bytes) -> None:
    found = told_by_host(text)
    succeeded = isinstance(found, Definite) and isinstance(found.value, Finished) and found.value.ok
    assert not succeeded, found


THEIRS = "agent:main:fleet:01kother:1"
DONE_ELSEWHERE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the history": (
        {"tasks": []},
        {
            **{"sessionKey": THEIRS, "sessionId": "session-1", "sessionInfo": {"status": "done"}},
            "messages": [{"role": "assistant", "content": "done"}],
        },
    ),
    "a row of the ledger, its session deleted": (
        {"tasks": [{"sessionKey": THEIRS, "runId": OTHER, "status": "completed"}]},
        {"messages": []},
    ),
    "a row of the ledger, ours at work": (
        {"tasks": [{"sessionKey": THEIRS, "runId": OTHER, "status": "completed"}]},
        {"sessionId": "session-1", "sessionInfo": {"status": "running"}, "messages": []},
    ),
}
"""What ``tasks.list`` and ``chat.history`` answer about a session that they were not asked for."""


@pytest.mark.parametrize("what", DONE_ELSEWHERE)
@pytest.mark.parametrize("asked", ["inspect", "fence", "cancel"])
async def test_what_became_of_another_session_is_not_ours(what: str, asked: str) -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    rows, history = DONE_ELSEWHERE[what]
    gateway.handlers |= {"tasks.list": lambda _: rows, "chat.history": lambda _: history}
    async with at_work(gateway) as subject:
        found = await getattr(subject, asked)(ORDER)
    assert isinstance(found, Unknown), found
    assert THEIRS in found.detail.raw
    assert gateway.asked("sessions.delete") == []


def _said(usage: dict[str, Any]) -> list[dict[str, Any]]:
    asked = {"role": "user", "content": "do it", "idempotencyKey": f"{ORDER.run_id}:user"}
    return [asked, {"role": "assistant", "content": "done", "model": "m-1", "usage": usage}]


@pytest.mark.parametrize(
    ("meta", "usage", "tokens", "is_unknown"),
    [
        ({}, {"input": 7, "output": 2, "cost": {"total": 0.5}}, 9, False),
        ({}, {}, 0, True),
        ({"agentMeta": {"usage": {"output": 2}}}, {"output": 2}, 2, True),
        ({"agentMeta": {"usage": {"input": -1}}}, {"input": 7, "output": 2}, 9, False),
        ({"agentMeta": {"usage": None}}, {"input": "7"}, 0, True),
    ],
)
async def test_a_success_that_tells_no_usage_has_an_unknown_cost_unless_its_transcript_tells(
    meta: dict[str, Any], usage: dict[str, Any], tokens: int, is_unknown: bool
) -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.final = {"status": "ok", "result": {"payloads": [{"text": "done"}], "meta": meta}}
    session.info = {"status": "done"}
    session.messages = _said(usage)
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        found = await subject.follow(ORDER)
    assert isinstance(found, Definite)
    assert isinstance(found.value, Finished)
    assert found.value.ok
    assert found.value.usage.unusable is is_unknown
    assert found.value.usage.total_tokens == tokens


def _frame(request_id: str, **rest: object) -> str:
    return json.dumps({"type": "res", "id": request_id, "ok": True, **rest})


SUCCESS = {"runId": ORDER.run_id, "status": "ok", "result": {"payloads": [{"text": "lies"}]}}
STRAY: dict[str, list[str]] = {
    "answers to questions nobody asked": [_frame(str(n), payload=SUCCESS) for n in range(90, 99)],
    "an answer to no question at all": [_frame("", payload=SUCCESS)],
    "answers to questions that were answered": [_frame("1", payload=SUCCESS)] * 3,
    "events that tell of an end": [
        json.dumps({"type": "event", "event": name, "payload": SUCCESS})
        for name in ("agent", "task", "chat", "lifecycle", "", "agent") * 3
    ],
    "a frame of a megabyte": [_frame("90", payload={**SUCCESS, "x": "y" * 1_000_000})],
    "a thousand events": [json.dumps({"type": "event", "event": "tick", "payload": {}})] * 1_000,
}
"""Frames that mean nothing, or nothing about the run that is followed."""


@pytest.mark.parametrize("what", STRAY)
async def test_frames_that_answer_nothing_change_nothing(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "WAIT_MS", 50)
    gateway = FakeGateway()
    session = Session(gateway)
    session.final = None
    session.info = {"status": "running", "hasActiveRun": True}
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        for text in STRAY[what]:
            await gateway.send(text)
        found = await subject.inspect(ORDER)
    assert isinstance(found, Definite), found
    assert isinstance(found.value, Running), found
