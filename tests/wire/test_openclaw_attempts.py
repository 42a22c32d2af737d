"""Attempts on a scripted gateway that answers, lies, falls silent or is cut off."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from fleet_tui.core.fleet import OpenClawAgent
from fleet_tui.core.ids import RunId
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.openclaw import attempt, connection
from fleet_tui.wire.openclaw.transcript import NOT_CONTINUED, WORDS_LOST, ended_without_words
from fleet_tui.wire.port import CANCELLED_FIRST
from tests.support.fake_gateway import (
    ORDER,
    FakeGateway,
    Refuse,
    Session,
    at_work,
    forbid,
    port_to,
    raw_server,
    running,
    silence,
)

KEY = "agent:main:fleet:01ktask:1"

HTTP_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s"
)

# --- start and follow --------------------------------------------------------------------------


async def test_a_run_is_asked_for_once_with_the_session_made_for_it() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    payload = {"text": "done it"}
    session.final = {"status": "ok", "result": {"payloads": [payload]}}
    async with at_work(gateway) as subject:
        assert await subject.start(ORDER) == Definite(Started(boot_id="boot-1"))
        outcome = await subject.follow(ORDER)
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.answer.text.raw == "done it"
    [created], [params] = gateway.asked("sessions.create"), gateway.asked("agent")
    assert created["key"] == params["sessionKey"] == KEY
    assert params["expectedExistingSessionId"] == "session-1"
    assert params["idempotencyKey"] == "01KTASK.1"
    assert params["message"] == "do it"
    assert params["timeout"] == 2
    [frame] = [request for request in gateway.requests if request["method"] == "agent"]
    version, trace, span, flags = frame["traceparent"].split("-")
    assert (version, trace, flags) == ("00", ORDER.trace_id, "01")
    assert len(span) == 16


async def test_without_a_session_the_run_was_definitely_not_started() -> None:
    gateway = FakeGateway()

    def draining(_params: dict[str, Any]) -> None:
        raise Refuse("UNAVAILABLE", details={"reason": "gateway-suspending"})

    gateway.handlers["sessions.create"] = draining
    async with at_work(gateway) as subject:
        answer = await subject.start(ORDER)
    assert isinstance(answer, Definite)
    assert isinstance(answer.value, NotStarted)
    assert answer.value.reason == "gateway-suspending"
    assert gateway.asked("agent") == []


async def test_an_engine_that_was_replaced_asks_for_no_run() -> None:
    gateway = FakeGateway()
    Session(gateway)
    async with running(gateway) as dial, port_to(dial, is_owner=False) as subject:
        answer = await subject.start(ORDER)
    assert answer == Definite(NotStarted(reason="engine-replaced"))
    assert len(gateway.asked("sessions.create")) == 1, "asked only once its session is there"
    assert gateway.asked("agent") == []


async def test_a_run_that_is_cancelled_while_its_session_is_made_is_not_asked_for() -> None:
    gateway = FakeGateway()
    Session(gateway)
    async with at_work(gateway) as subject:
        answer = await subject.start(ORDER, lambda: False)
    assert answer == Definite(CANCELLED_FIRST)
    assert gateway.asked("agent") == []


async def test_a_start_without_an_answer_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = FakeGateway()
    Session(gateway)
    gateway.handlers["agent"] = silence
    monkeypatch.setattr(attempt, "START_MS", 50)
    async with at_work(gateway) as subject:
        answer = await subject.start(ORDER)
    assert isinstance(answer, Unknown)
    assert answer.reason is LostReason.TIMEOUT
    assert len(gateway.asked("agent")) == 1


async def test_a_start_that_is_slow_to_arrive_is_waited_for_and_not_fenced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    gateway.handlers["agent"] = silence
    monkeypatch.setattr(attempt, "START_MS", 50)
    async with at_work(gateway) as subject:
        assert isinstance(await subject.start(ORDER), Unknown)
        seen = await subject.inspect(ORDER)
        assert isinstance(seen, Unknown)
        assert seen.reason is LostReason.NO_TRACE
        assert session.exists
        session.info, session.tasks = {"status": "running"}, [{"status": "running"}]
        assert await subject.inspect(ORDER) == Definite(Running(resumed_by_agent=True))
        session.info, session.tasks = {}, []
        monkeypatch.setattr(attempt, "ARRIVAL_GRACE_S", 0)
        later = await subject.inspect(ORDER)
    assert later == Definite(NotStarted(reason="fenced", fenced=True))
    assert not session.exists


async def test_a_start_whose_connection_is_lost_is_fenced_without_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = FakeGateway()
    Session(gateway)
    gateway.handlers["agent"] = silence
    monkeypatch.setattr(attempt, "START_MS", 50)
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        following = asyncio.create_task(subject.follow(ORDER))
        await asyncio.sleep(0)
        await gateway.cut()
        assert isinstance(await following, Unknown)
        seen = await subject.inspect(ORDER)
    assert seen == Definite(NotStarted(reason="fenced", fenced=True))


@pytest.mark.parametrize(
    ("payload", "most", "reason", "elsewhere"),
    [
        ("x" * 5_000, 70_000, "payload-too-large", True),
        ("\x00" * 1_000, 70_000, "payload-too-large", True),
        ("x", 0, "payload-too-large", True),
        ("x", -1, "payload-too-large", True),
        ("half \ud800", 70_000, "payload-not-text", False),
    ],
)
async def test_a_payload_the_gateway_cannot_take_is_refused_here(
    payload: str, most: int, reason: str, elsewhere: bool
) -> None:
    """What no gateway can take fails; what this one says it cannot is tried elsewhere."""
    gateway = FakeGateway()
    gateway.hello["policy"] = {"maxPayload": most}
    unfit = msgspec.structs.replace(ORDER, payload=Untrusted(payload))
    async with at_work(gateway) as subject:
        answer = await subject.start(unfit)
    assert isinstance(answer, Definite)
    assert isinstance(answer.value, NotStarted)
    assert answer.value.reason == reason
    assert answer.value.retryable is elsewhere
    assert gateway.asked("sessions.create") == []


async def test_a_connection_lost_while_following_is_unknown_and_then_looked_into() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.final = None
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        following = asyncio.create_task(subject.follow(ORDER))
        await asyncio.sleep(0)
        await gateway.cut()
        outcome = await following
        assert isinstance(outcome, Unknown)
        assert outcome.reason is LostReason.CONNECTION_LOST

        session.info = {"status": "done"}
        session.messages = [{"role": "assistant", "content": "late"}]
        late = await subject.follow(ORDER)
    assert isinstance(late, Definite)
    assert isinstance(late.value, Finished)
    assert late.value.answer.text.raw == "late"
    assert len(gateway.asked("agent")) == 1


async def test_a_reader_that_breaks_down_leaves_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = FakeGateway()
    Session(gateway).final = None

    def broken(_self: object, _frame: object) -> None:
        raise RuntimeError("a bug")

    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        following = asyncio.create_task(subject.follow(ORDER))
        await asyncio.sleep(0)
        monkeypatch.setattr(connection.Connection, "_take", broken)
        await gateway.send('{"type":"event","event":"tick"}')
        outcome = await following
    assert outcome == Unknown(LostReason.BAD_ANSWER, Untrusted("RuntimeError"))


async def test_following_a_run_of_an_earlier_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "LOOK_AGAIN_S", 0)
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    session.info = {"status": "running", "hasActiveRun": True}

    def ends_meanwhile(_params: dict[str, Any]) -> dict[str, Any]:
        session.info = {"status": "killed"}
        return {"status": "timeout"}

    gateway.handlers["agent.wait"] = ends_meanwhile
    async with at_work(gateway) as subject:
        outcome = await subject.follow(ORDER)
    assert outcome == Definite(Stopped())


@pytest.mark.parametrize("junk", ["not json", "[]", '{"type":5}', "[" * 200_000])
async def test_nonsense_on_the_connection_ends_it(junk: str) -> None:
    gateway = FakeGateway()
    Session(gateway).final = None
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        following = asyncio.create_task(subject.follow(ORDER))
        await asyncio.sleep(0)
        await gateway.send(junk)
        outcome = await following
    assert isinstance(outcome, Unknown)
    assert outcome.reason is LostReason.BAD_ANSWER


async def test_events_and_answers_nobody_waits_for_are_harmless() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.final, session.info = None, {"hasActiveRun": True}
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        await gateway.send('{"type":"event","event":"tick","payload":{"ts":1}}')
        await gateway.send('{"type":"event","event":"shutdown","payload":[]}')
        await gateway.send('{"type":"res","id":"999","ok":true,"payload":[]}')
        await gateway.send('{"type":"novelty"}')
        assert await subject.inspect(ORDER) == Definite(Running())
    assert len(gateway.asked("connect")) == 1


async def test_a_message_longer_than_the_limit_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fleet_tui.wire.openclaw.stream.MAX_FRAME_BYTES", 2_000)
    gateway = FakeGateway()
    Session(gateway).final = None
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        following = asyncio.create_task(subject.follow(ORDER))
        await asyncio.sleep(0)
        await gateway.send(json.dumps({"type": "event", "pad": "x" * 3_000}))
        assert isinstance(await following, Unknown)


async def test_a_gateway_that_falls_silent_is_hung(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MIN_SILENCE_MS", 30)
    gateway = FakeGateway()
    gateway.hello["policy"] = {"tickIntervalMs": 10}
    Session(gateway).final = None
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        outcome = await subject.follow(ORDER)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is LostReason.HUNG


async def test_closing_the_port_lets_everybody_go() -> None:
    gateway = FakeGateway()
    Session(gateway).final = None
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        following = asyncio.create_task(subject.follow(ORDER))
        await asyncio.sleep(0)
        await subject.close()
        outcome = await following
    assert isinstance(outcome, Unknown)
    assert outcome.reason is LostReason.CANCELLED


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"\xff\xfe\x00" * 100 + b"\r\n\r\n",
    ],
)
async def test_a_server_that_is_no_gateway_starts_nothing(said: bytes) -> None:
    async def blurt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        await reader.read()

    async with raw_server(blurt) as dial, port_to(dial) as subject:
        answer = await subject.start(ORDER)
    assert isinstance(answer, Definite)
    assert isinstance(answer.value, NotStarted)
    assert answer.value.reason == "bad-answer"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"Gateway websocket admission closed", "gateway-draining"),
        (b"Gateway websocket handlers unavailable", "gateway-starting"),
        (b"Too many unauthenticated sockets", "bad-answer"),
    ],
)
async def test_a_gateway_that_refuses_the_upgrade_starts_nothing_and_says_why(
    said: bytes, reason: str
) -> None:
    async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HTTP_UNAVAILABLE % (len(said), said))
        await writer.drain()
        await reader.read()

    async with raw_server(closed) as dial, port_to(dial) as subject:
        answer = await subject.start(ORDER)
        inspected = await subject.inspect(ORDER)
    detail = Untrusted(f"no WebSocket: HTTP 503: {said.decode()}")
    assert answer == Definite(NotStarted(reason=reason, detail=detail))
    lost = LostReason.BAD_ANSWER if reason == "bad-answer" else LostReason.REFUSED
    assert inspected == Unknown(lost, detail)


# --- inspect, cancel, fence --------------------------------------------------------------------


async def test_a_run_that_never_arrived_is_fenced_and_a_late_one_is_refused() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    async with at_work(gateway) as subject:
        assert await subject.inspect(ORDER) == Definite(NotStarted(reason="fenced", fenced=True))
    assert gateway.asked("sessions.delete") == [{"key": KEY}]
    assert gateway.asked("agent") == []
    late = {"idempotencyKey": "01KTASK.1", "expectedExistingSessionId": "session-1"}
    with pytest.raises(Refuse):
        session.agent(late)


async def test_a_run_that_arrived_between_look_and_fence_is_stopped_not_unstarted() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True

    def delete(params: dict[str, Any]) -> dict[str, Any]:
        session.tasks = [{"runId": ORDER.run_id, "status": "cancelled"}]
        return session.delete(params)

    gateway.handlers["sessions.delete"] = delete
    async with at_work(gateway) as subject:
        assert await subject.inspect(ORDER) == Definite(Stopped())


def refused_at_first(session: Session, times: int) -> Callable[[dict[str, Any]], Any]:
    """A deletion that is refused while a run is being admitted."""

    def delete(params: dict[str, Any]) -> Any:
        nonlocal times
        times -= 1
        if times >= 0:
            session.info = {"hasActiveRun": True}
            raise Refuse("UNAVAILABLE")
        return session.delete(params)

    return delete


async def test_a_run_admitted_while_it_was_to_be_fenced_is_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "DELETE_AGAIN_S", 0)
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    gateway.handlers["sessions.delete"] = refused_at_first(session, 1)
    async with at_work(gateway) as subject:
        assert await subject.inspect(ORDER) == Definite(Running())
        assert session.exists
        gateway.handlers["sessions.delete"] = refused_at_first(session, 2)
        assert await subject.fence(ORDER) == Definite(NotStarted(reason="fenced", fenced=True))


async def test_a_fence_that_does_not_hold_is_not_claimed() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    gateway.handlers["sessions.delete"] = lambda _: {"deleted": False}
    async with at_work(gateway) as subject:
        assert isinstance(await subject.inspect(ORDER), Unknown)
        gateway.handlers["sessions.delete"] = forbid
        answer = await subject.fence(ORDER)
    assert isinstance(answer, Unknown)
    assert answer.reason is LostReason.REFUSED


def interrupted(gateway: FakeGateway) -> Session:
    """A turn that ended with its gateway's process."""
    session = Session(gateway)
    session.exists = True
    session.info = {"status": "running"}
    session.messages = [{"role": "user", "content": "do it"}]
    session.tasks = [{"runId": ORDER.run_id, "status": "cancelled"}]
    return session


async def test_an_interrupted_turn_is_waited_for_and_then_fenced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = FakeGateway()
    session = interrupted(gateway)
    async with at_work(gateway) as subject:
        first = await subject.inspect(ORDER)
        assert isinstance(first, Unknown)
        assert first.reason is LostReason.NO_TRACE
        assert session.exists
        monkeypatch.setattr(attempt, "RESUME_GRACE_S", 0)
        later = await subject.inspect(ORDER)
    assert isinstance(later, Definite)
    assert isinstance(later.value, Died)
    assert not session.exists


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ([{"runId": "another", "status": "completed"}], ended_without_words(WORDS_LOST)),
        ([{"runId": "another", "status": "cancelled"}], Died(reason=NOT_CONTINUED)),
        ([], Died(reason=NOT_CONTINUED)),
    ],
)
async def test_a_turn_that_goes_on_while_it_is_fenced_ends_as_it_ended(
    monkeypatch: pytest.MonkeyPatch, tasks: list[dict[str, Any]], told: Finished | Died
) -> None:
    monkeypatch.setattr(attempt, "RESUME_GRACE_S", 0)
    gateway = FakeGateway()
    session = interrupted(gateway)

    def delete(params: dict[str, Any]) -> dict[str, Any]:
        session.tasks = tasks
        return session.delete(params)

    gateway.handlers["sessions.delete"] = delete
    async with at_work(gateway) as subject:
        assert await subject.inspect(ORDER) == Definite(told)


async def test_a_turn_that_goes_on_just_before_it_is_fenced_is_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "RESUME_GRACE_S", 0)
    monkeypatch.setattr(attempt, "DELETE_AGAIN_S", 0)
    gateway = FakeGateway()
    session = interrupted(gateway)
    gateway.handlers["sessions.delete"] = refused_at_first(session, 1)
    async with at_work(gateway) as subject:
        assert await subject.inspect(ORDER) == Definite(Running(resumed_by_agent=True))
    assert session.exists


async def test_cancel_reaches_a_turn_the_gateway_continued_by_itself() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    session.info = {"status": "running", "hasActiveRun": True}
    session.tasks = [{"runId": "another", "status": "running"}]

    def abort(params: dict[str, Any]) -> dict[str, Any]:
        if "key" not in params:
            return {"status": "no-active-run"}
        session.info, session.tasks = {"status": "killed"}, []
        return {"status": "aborted"}

    gateway.handlers["sessions.abort"] = abort
    async with at_work(gateway) as subject:
        assert await subject.inspect(ORDER) == Definite(Running(resumed_by_agent=True))
        assert await subject.cancel(ORDER) == Definite(Stopped())
    assert gateway.asked("sessions.abort") == [
        {"runId": ORDER.run_id},
        {"key": KEY, "clearQueued": True},
    ]


async def test_a_cancelled_run_that_goes_on_is_still_running() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    session.info = {"hasActiveRun": True}
    async with at_work(gateway) as subject:
        assert await subject.cancel(ORDER) == Definite(Running())


async def test_fencing_a_running_run_deletes_its_session() -> None:
    gateway = FakeGateway()
    session = Session(gateway)
    session.exists = True
    session.info = {"hasActiveRun": True}
    async with at_work(gateway) as subject:
        assert await subject.fence(ORDER) == Definite(NotStarted(reason="fenced", fenced=True))


@pytest.mark.parametrize("verb", ["inspect", "cancel", "fence"])
@pytest.mark.parametrize("answer", ["silence", "refuse", "junk"])
async def test_no_usable_answer_to_any_question_is_unknown(
    verb: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "CALL_MS", 50)
    handlers: dict[str, Callable[[dict[str, Any]], Any]] = {
        "silence": silence,
        "refuse": forbid,
        "junk": lambda _: 7,
    }
    gateway = FakeGateway()
    Session(gateway)
    for method in ("tasks.list", "chat.history", "sessions.abort", "sessions.delete"):
        gateway.handlers[method] = handlers[answer]
    async with at_work(gateway) as subject:
        assert isinstance(await getattr(subject, verb)(ORDER), Unknown)


# --- what is left on the gateway ---------------------------------------------------------------


async def test_sessions_of_runs_that_ended_long_ago_are_deleted() -> None:
    gateway = FakeGateway()
    Session(gateway)

    def delete(params: dict[str, Any]) -> dict[str, Any]:
        if params["key"].endswith("busy:1"):
            raise Refuse("UNAVAILABLE")
        return {"deleted": True}

    gateway.handlers["sessions.delete"] = delete
    runs = [RunId("01KTASK.1"), RunId("01KBUSY.1"), RunId("01KTASK.2")]
    async with at_work(gateway) as subject:
        assert await subject.collect(runs) == ["01KTASK.1", "01KTASK.2"]
    assert [params["key"] for params in gateway.asked("sessions.delete")] == [
        KEY,
        "agent:main:fleet:01kbusy:1",
        "agent:main:fleet:01ktask:2",
    ]


async def test_sessions_stay_where_the_fleet_file_says_so() -> None:
    gateway = FakeGateway()
    kept = OpenClawAgent(port=1, token="secret:env:UNUSED", keep_sessions=True)
    async with running(gateway) as dial, port_to(dial, kind=kept) as subject:
        assert await subject.collect([RunId("01KTASK.1")]) == ["01KTASK.1"]
    assert gateway.asked("sessions.delete") == []


async def test_sessions_are_tried_again_when_the_gateway_is_gone() -> None:
    async with (
        raw_server(lambda _reader, _writer: asyncio.sleep(0)) as dial,
        port_to(dial) as subject,
    ):
        assert await subject.collect([RunId("01KTASK.1")]) == []
